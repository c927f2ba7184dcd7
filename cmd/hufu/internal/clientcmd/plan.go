package clientcmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/cmd/hufu/internal/clientfile"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/seals"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/registration"
)

// plan is what a file would change, in the order of the file.
type plan []change

// change is one client as it is and as it would be.
type change struct {
	version int64 // of the row that was read; 0 is a new client
	after   client.Client
	fields  []field
	secret  string // made for it, "" if none was
}

// field is one difference, in words that may be shown: never a secret or its hash.
type field struct{ Name, From, To string }

// changes is how many clients would change.
func (p plan) changes() (n int) {
	for _, c := range p {
		if len(c.fields) > 0 {
			n++
		}
	}
	return n
}

// id names exactly this plan: the same clients, read at the same versions, with the same differences.
func (p plan) id() string {
	h := sha256.New()
	for _, c := range p {
		fmt.Fprintf(h, "%q %d %q\n", c.after.ID, c.version, c.fields)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// plan compares a file with the database and reports all problems at once.
func (r room) plan(ctx context.Context, file clientfile.File) (plan, error) {
	var p plan
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	seen := map[string]bool{}
	for _, entry := range file.Clients {
		if seen[entry.ID] {
			bad("%s: it is there twice", entry.ID)
		}
		seen[entry.ID] = true
		c, err := r.change(ctx, entry)
		if err != nil {
			bad("%s: %w", entry.ID, err)
		}
		p = append(p, c)
	}
	if err := r.twoPeople(ctx, p, bad); err != nil {
		return nil, err
	}
	return p, errors.Join(problems...)
}

func (r room) change(ctx context.Context, entry clientfile.Entry) (change, error) {
	before, version, err := r.store.ClientVersion(ctx, entry.ID)
	if err != nil && !errors.Is(err, client.ErrUnknown) {
		return change{}, err
	}
	switch {
	case r.configured(entry.ID):
		return change{}, errors.New("it is in the server's configuration, which goes before at the next start: change it there")
	case before.Dynamic:
		return change{}, errors.New("it registered itself, and changes by its own registration access token")
	}
	c := change{version: version}
	c.after, err = entry.Client(before.SecretHash)
	if errors.Is(err, clientfile.ErrNoSecret) {
		c.secret = registration.NewSecret()
		c.after, err = entry.Client(client.HashSecret(c.secret))
	}
	if err != nil {
		return c, err
	}
	if want := r.cfg.OpenID.Profile; want != "" && !c.after.Of(want) {
		return c, fmt.Errorf("this server serves clients of the profile %s only", want)
	}
	c.after.Registration = before.Registration
	if c.after.SecretHash == before.SecretHash {
		c.after.PreviousSecretHash, c.after.PreviousSecretEnds = before.PreviousSecretHash, before.PreviousSecretEnds
	}
	c.fields, err = compare(before, c.after)
	return c, err
}

// twoPeople holds that two people who work with seals are two keys, over the file, the database and the configuration.
func (r room) twoPeople(ctx context.Context, p plan, bad func(format string, args ...any)) error {
	all, err := r.all(ctx)
	if err != nil {
		return err
	}
	configured, err := r.cfg.Registrations()
	if err != nil {
		return err
	}
	planned := map[string]bool{}
	known := map[string]string{}
	for _, c := range p {
		planned[c.after.ID] = true
		seals.CheckKeys(c.after, known, bad)
	}
	for _, c := range slices.Concat(all, configured) {
		if !planned[c.ID] && !c.Disabled {
			seals.CheckKeys(c, known, bad)
		}
	}
	return nil
}

// hidden are the members whose values are shown to nobody.
var hidden = []string{"secret_hash", "previous_secret_hash", "registration_token_hash"}

// members are the members of a registration as text that may be shown.
func members(c client.Client) (map[string]string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, value := range raw {
		out[name] = string(value)
	}
	if len(c.JWKS) > 0 {
		var prints []string
		for _, k := range c.JWKS {
			prints = append(prints, string(k.Alg())+" "+k.Thumbprint())
		}
		out["jwks"] = strings.Join(prints, ", ")
	}
	return out, nil
}

// compare lists what differs, by the names of the members.
func compare(before, after client.Client) ([]field, error) {
	a, err1 := members(before)
	b, err2 := members(after)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if before.ID == "" {
		a = map[string]string{} // a new client: everything is new, its id is said already
	}
	var out []field
	for name := range merged(a, b) {
		from, to := a[name], b[name]
		if from == to || name == "id" {
			continue
		}
		if slices.Contains(hidden, name) {
			from, to = veil(from, "the present one"), veil(to, "another one")
		}
		out = append(out, field{strings.TrimSuffix(name, "_hash"), from, to})
	}
	slices.SortFunc(out, func(x, y field) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

func merged(a, b map[string]string) map[string]bool {
	out := map[string]bool{}
	for _, m := range []map[string]string{a, b} {
		for name := range m {
			out[name] = true
		}
	}
	return out
}

func veil(value, word string) string {
	if value == "" {
		return ""
	}
	return word
}

// redacted are clients as a program may have them: by the names of the file, without hashes.
func redacted(all []client.Client) []client.Client {
	out := make([]client.Client, 0, len(all))
	for _, c := range all {
		c.SecretHash, c.PreviousSecretHash, c.TokenHash = "", "", ""
		out = append(out, c)
	}
	return out
}
