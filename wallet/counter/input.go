package counter

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"regexp"
	"strings"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/signing/verify"
)

// Why an input leads to no presentation.
var (
	errNothing     = errors.New("counter: nothing was put in")
	errTwo         = errors.New("counter: a text and a file")
	errOtherLink   = errors.New("counter: a link that isn't the national server's")
	errLinkGone    = errors.New("counter: the link is over")
	errUnreachable = errors.New("counter: the national server can't be reached")
)

// presentationType is the media type of an SD-JWT VC, mdocType that of an mdoc in CBOR.
const (
	presentationType = "application/dc+sd-jwt"
	mdocType         = "application/cbor"
)

// shownID is what may follow the address of shown presentations.
var shownID = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)

// presentation finds what the clerk put in. A link is opened only if it is exactly one of the national server's for shown presentations: anybody can print
// a code with an address that this machine should not call (E01).
func (c *Counter) presentation(ctx context.Context, text string, file []byte) (string, Source, error) {
	text = strings.TrimSpace(text)
	source := SourceText
	switch fromFile := verify.AsText(file); {
	case text == "" && fromFile == "":
		return "", source, errNothing
	case text != "" && fromFile != "":
		return "", source, errTwo
	case text == "":
		text, source = fromFile, SourceFile
	}
	if !isLink(text) {
		return text, source, nil
	}
	id, ours := strings.CutPrefix(text, c.cfg.National+"/shown/")
	if !ours || !shownID.MatchString(id) {
		return "", SourceLink, errOtherLink
	}
	text, err := c.fetch(ctx, c.cfg.National+"/shown/"+id)
	return text, SourceLink, err
}

// isLink tells addresses from presentations, which have neither a slash nor a colon.
func isLink(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(text, "://") || strings.HasPrefix(lower, "www.") || strings.HasPrefix(lower, "http:") || strings.HasPrefix(lower, "https:")
}

func (c *Counter) fetch(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", errOtherLink
	}
	req.Header.Set("Accept", presentationType+", "+mdocType)
	resp, err := c.cfg.Shown.Do(req)
	if errors.Is(err, httpx.ErrURL) || errors.Is(err, httpx.ErrAddress) {
		c.cfg.Log.WarnContext(ctx, "counter: the national origin may not be called; see allow_networks", "error", err)
	}
	if err != nil {
		return "", errUnreachable
	}
	ct, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.Status == http.StatusOK && (ct == presentationType || ct == mdocType):
		return verify.AsText(resp.Body), nil
	case resp.Status >= 400 && resp.Status < 500 && resp.Status != http.StatusTooManyRequests:
		return "", errLinkGone
	}
	return "", errUnreachable
}
