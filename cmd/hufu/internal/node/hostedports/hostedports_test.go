package hostedports

import (
	"context"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/bundlepub"
	"github.com/hufu-id/hufu/internal/trusttest"
	"github.com/hufu-id/hufu/signing/verify"
)

type fixed struct{ root, archive []byte }

func (f fixed) Archive(context.Context) ([]byte, bundlepub.Head, error) {
	return f.archive, bundlepub.Head{Version: 1}, nil
}
func (f fixed) Root(context.Context) ([]byte, error) { return f.root, nil }

// TestABundleOutOfDateCannotTell: when publishing stands still, whoever opens a shown link hears that nobody can tell, and no fault of the server.
func TestABundleOutOfDateCannotTell(t *testing.T) {
	const purpose = "https://hufu.example/purposes/driving-check"
	now := time.Now().Truncate(time.Second)
	w := trusttest.New(t, now)
	o := &Verifier{Bundle: fixed{archive: w.Publish(now), root: w.Root()}}
	for _, c := range []struct {
		name string
		at   time.Time
		want verify.Outcome
	}{{"in date", now, verify.Valid}, {"a month later", now.AddDate(0, 1, 0), verify.CannotTell}} {
		shown := w.Bind(w.Licence(c.at, nil), purpose, "a-nonce-of-its-own", c.at)
		for _, o := range []*Verifier{o, {Bundle: o.Bundle}} { // one that knows the bundle from before, one that was just started
			got, err := o.Verify(t.Context(), shown, purpose, c.at)
			if err != nil || got.Outcome() != c.want {
				t.Errorf("%s: %v %v, want %s", c.name, got.Outcome(), err, c.want)
			}
		}
	}
}
