package job

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// maxRecord is the most bytes of one record, as in the register.
const maxRecord = 128 << 10

// Upload is a file that a department sends.
type Upload struct {
	// Format is "csv" or "jsonl".
	Format string
	// TypeID is the licence type of records that name none; for CSV only.
	TypeID string
	// SHA256 is the hash of the file in hex, if the sender said it; it must be right then.
	SHA256 string
	Rate   int64
	Body   io.Reader
}

// Create takes a file in and starts its job. The file is read once, as a stream. A file that is under way already is not read: its job is
// returned, with false. An upload that broke off is started anew by sending the file again.
func (s *Service) Create(ctx context.Context, d register.Department, u Upload) (j Job, fresh bool, err error) {
	now := s.cfg.Now()
	j = Job{ID: newID(), Issuer: d.Code, ClientID: d.ClientID, SHA256: u.SHA256, Format: u.Format, TypeID: u.TypeID, State: Uploading, Upload: newID(), Rate: u.Rate,
		CreatedAt: now, UpdatedAt: now}
	if err := s.checkUpload(u); err != nil {
		return j, false, err
	}
	if err = s.cfg.Store.Create(ctx, j); errors.Is(err, register.ErrExists) {
		there, err := s.cfg.Store.ByFile(ctx, d.Code, u.SHA256)
		if err != nil || there.State != Uploading {
			return there, false, err
		}
		there.Upload, there.Chunks, there.Records = j.Upload, 0, 0 // Restart forgets them
		if err := s.cfg.Store.Restart(ctx, there.ID, j.Upload, now); err != nil {
			return there, false, err
		}
		j = there
	} else if err != nil {
		return j, false, err
	}
	if err := s.receive(ctx, &j, u); err != nil {
		return j, true, s.abandon(ctx, j, err)
	}
	j, err = s.cfg.Store.Get(ctx, d.Code, j.ID)
	return j, true, err
}

func (s *Service) checkUpload(u Upload) error {
	if u.Format != "csv" && u.Format != "jsonl" {
		return fmt.Errorf("%w: the file must be text/csv or application/x-ndjson", ErrInvalid)
	}
	if b, err := hex.DecodeString(u.SHA256); u.SHA256 != "" && (err != nil || len(b) != sha256.Size) {
		return fmt.Errorf("%w: the hash must be that of SHA-256", ErrInvalid)
	}
	if u.Rate < 0 || u.Rate > maxRate {
		return fmt.Errorf("%w: rate must be 0 to %d records in a second", ErrInvalid, maxRate)
	}
	if u.TypeID != "" && !s.knows(u.TypeID) {
		return fmt.Errorf("%w: there is no licence type of that name", ErrInvalid)
	}
	return nil
}

// maxRate is the highest rate that can be asked for.
const maxRate = 1_000_000

func (s *Service) knows(typeID string) bool {
	for _, t := range s.cfg.Register.Types() {
		if t.ID == typeID {
			return true
		}
	}
	return false
}

// abandon closes the job of a file that is no good. One whose sender went away stays, to be sent again, if its hash says which it is: nobody could
// ever find another one, and what had arrived of it would lie there for good.
func (s *Service) abandon(ctx context.Context, j Job, cause error) error {
	if !errors.Is(cause, ErrInvalid) && j.SHA256 != "" {
		return cause
	}
	if _, err := s.end(context.WithoutCancel(ctx), j, Cancelled, Uploading); err != nil && !errors.Is(err, ErrLost) {
		return errors.Join(cause, err)
	}
	return cause
}

// receive reads the file into chunks.
func (s *Service) receive(ctx context.Context, j *Job, u Upload) error {
	sum := sha256.New()
	counted := &counter{r: io.TeeReader(u.Body, sum)}
	items, err := s.reader(counted, u)
	if err != nil {
		return err
	}
	var c chunk
	flush := func() error {
		body, err := s.seal(chunkPurpose(j.ID, j.Chunks), c.text.Bytes())
		if err != nil {
			return err
		}
		if err := s.cfg.Store.AddChunk(ctx, j.ID, j.Upload, j.Chunks, c.records, body, s.cfg.Now()); err != nil {
			return err
		}
		j.Chunks++
		j.Records += c.records
		c.text.Reset()
		c.records = 0
		return nil
	}
	for {
		i, err := items.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if c.add(i); c.full() {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if c.records > 0 {
		if err := flush(); err != nil {
			return err
		}
	}
	j.Size = counted.n
	got := hex.EncodeToString(sum.Sum(nil))
	switch {
	case j.Records == 0:
		return fmt.Errorf("%w: the file holds no record", ErrInvalid)
	case j.SHA256 != "" && j.SHA256 != got:
		return fmt.Errorf("%w: the file that arrived has another hash than was said", ErrInvalid)
	}
	return s.cfg.Store.Uploaded(ctx, j.ID, j.Upload, got, j.Size, s.cfg.Now())
}

// counter counts bytes.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// reader gives one item after the other, then io.EOF.
type reader interface{ next() (item, error) }

func (s *Service) reader(r io.Reader, u Upload) (reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	if mark, err := b.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = b.Discard(3) // editors on Windows put a byte order mark there
	}
	if mark, err := b.Peek(2); err == nil && (mark[0] == 0xfe && mark[1] == 0xff || mark[0] == 0xff && mark[1] == 0xfe) {
		return nil, fmt.Errorf("%w: the file is UTF-16; save it as UTF-8", ErrInvalid)
	}
	if u.Format == "csv" {
		return newTable(b, u.TypeID, s.cfg.Register.Types())
	}
	return &jsonLines{r: b}, nil
}

// jsonLines reads JSON Lines.
type jsonLines struct {
	r    *bufio.Reader
	line int
}

func (l *jsonLines) next() (item, error) {
	for {
		text, long, err := l.read()
		if errors.Is(err, io.EOF) && len(text) == 0 && !long {
			return item{}, io.EOF
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return item{}, err
		}
		l.line++
		text = bytes.TrimSpace(text)
		switch {
		case long:
			return item{line: l.line, fault: &licencetype.FieldError{Code: licencetype.CodeTooLarge, Message: fmt.Sprintf("the record is larger than %d bytes", maxRecord)}}, nil
		case !utf8.Valid(text):
			return item{}, notUTF8(l.line)
		case len(text) > 0:
			return item{line: l.line, text: text}, nil
		}
	}
}

// read reads a line, or skips one that is too long. A tab can't be in JSON but between values, where a blank does as well.
func (l *jsonLines) read() (text []byte, long bool, err error) {
	for {
		part, err := l.r.ReadSlice('\n')
		if len(text)+len(part) > maxRecord+2 {
			long, text = true, nil
		}
		if !long {
			text = append(text, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, long, err
		}
	}
}

// notUTF8 refuses a file, not a record: whoever reads it with another encoding would register other names.
func notUTF8(line int) error {
	return fmt.Errorf("%w: line %d is not UTF-8; the file looks like GBK (GB 18030), as spreadsheets save by default: save it as \"CSV UTF-8\" and send it again", ErrInvalid, line)
}
