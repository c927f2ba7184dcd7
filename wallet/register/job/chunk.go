package job

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// item is one record of a file as it is kept: its line and its JSON, or what is wrong with it.
type item struct {
	line  int
	text  []byte
	fault *licencetype.FieldError
}

// chunk collects items: lines of "number TAB JSON", or "number TAB !code TAB message".
type chunk struct {
	text    bytes.Buffer
	records int64
}

func (c *chunk) add(i item) {
	c.text.WriteString(strconv.Itoa(i.line))
	c.text.WriteByte('\t')
	if i.fault != nil {
		fmt.Fprintf(&c.text, "!%s\t%s", i.fault.Code, i.fault.Message)
	} else {
		c.text.Write(i.text)
	}
	c.text.WriteByte('\n')
	c.records++
}

func (c *chunk) full() bool { return c.records >= chunkRecords || c.text.Len() >= chunkBytes }

// readChunk takes a chunk apart.
func readChunk(text []byte) ([]register.ImportItem, error) {
	var out []register.ImportItem
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		number, rest, ok := bytes.Cut(line, []byte("\t"))
		n, err := strconv.Atoi(string(number))
		if !ok || err != nil {
			return nil, fmt.Errorf("job: a chunk is broken")
		}
		if code, faulty := bytes.CutPrefix(rest, []byte("!")); faulty {
			code, message, _ := bytes.Cut(code, []byte("\t"))
			out = append(out, register.ImportItem{Line: n, Faults: []register.FieldError{{Code: string(code), Message: string(message)}}})
			continue
		}
		out = append(out, register.ParseRecord(n, rest))
	}
	return out, nil
}

// seal compresses and encrypts a text for the database.
func (s *Service) seal(purpose string, text []byte) (string, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return "", err
	}
	if _, err := z.Write(text); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(s.cfg.Sealer.SealBytes(purpose, b.Bytes())), nil
}

// open is the inverse of seal.
func (s *Service) open(purpose, sealed string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, err
	}
	plain, err := s.cfg.Sealer.OpenBytes(purpose, raw)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(plain))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, 64<<20))
}

func chunkPurpose(id string, seq int64) string {
	return fmt.Sprintf("register/job/%s/chunk/%d", id, seq)
}
func reportPurpose(id string, seq int64) string {
	return fmt.Sprintf("register/job/%s/report/%d", id, seq)
}
