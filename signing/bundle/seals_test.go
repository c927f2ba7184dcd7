package bundle

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/hufu-id/hufu/signing/bundle/internal/wire"
)

func sampleSeals() []Seal {
	return []Seal{
		{ID: codeB + "-01-AAAAAAAAAA", PayloadSHA256: strings.Repeat("ab", 32), History: []SealState{{State: SealActive, EffectiveAt: t0, RecordedAt: t0}, {State: SealSuspended, EffectiveAt: t0.Add(time.Hour), RecordedAt: t0.Add(2 * time.Hour)}}},
		{ID: codeB + "-99-BBBBBBBBBB", PayloadSHA256: strings.Repeat("cd", 32), History: []SealState{{State: SealActive, EffectiveAt: t0, RecordedAt: t0}}},
	}
}

func TestSealsTravelInTheirMakersPart(t *testing.T) {
	in, keys := sampleInput(), newKeys(t)
	in.Issuers[1].Seals = sampleSeals()
	files := mustBuild(t, nil, in, keys, t0)
	c := mustVerify(t, rootOf(t, files), files, t0)
	maker, _ := c.IssuerByCode(codeB)
	if d := cmp.Diff(in.Issuers[1].Seals, maker.Seals); d != "" {
		t.Errorf("seals differ:\n%s", d)
	}
	if other, _ := c.IssuerByCode(codeA); len(other.Seals) != 0 {
		t.Errorf("another authority has them: %v", other.Seals)
	}
	// A new state touches the maker's role, the snapshot and the timestamp.
	in.Issuers[1].Seals[1].History = append(in.Issuers[1].Seals[1].History, SealState{State: SealCancelled, EffectiveAt: t0.Add(time.Hour), RecordedAt: t0.Add(time.Hour)})
	next := mustBuild(t, files, in, keys, t0.Add(time.Minute))
	after := mustVerify(t, rootOf(t, files), next, t0.Add(time.Minute))
	if after.Roles["targets"] != 1 || after.Roles[RoleIssuer(codeA)] != 1 || after.Roles[RoleIssuer(codeB)] != 2 {
		t.Errorf("versions %v", after.Roles)
	}
	for name, seals := range map[string][]Seal{"twice": {sampleSeals()[0], sampleSeals()[0]}, "no id": {{PayloadSHA256: strings.Repeat("ab", 32), History: sampleSeals()[1].History}},
		"no hash": {{ID: "x", History: sampleSeals()[1].History}}, "no history": {{ID: "x", PayloadSHA256: strings.Repeat("ab", 32)}}} {
		in.Issuers[1].Seals = seals
		if _, err := Build(nil, in, keys, Options{At: t0}); err == nil {
			t.Errorf("%s: laid out", name)
		}
	}
}

// A maker's list counts only under its own code; one that can't be read makes the bundle worthless rather than the seals unknown.
func TestBrokenOrForeignSealsAreRefused(t *testing.T) {
	in, keys := sampleInput(), newKeys(t)
	in.Issuers[1].Seals = sampleSeals()
	files := mustBuild(t, nil, in, keys, t0)
	root := rootOf(t, files)
	replace := func(body string) Files {
		path := wire.SealsPath(codeB)
		out := resign(t, files, keys, RoleIssuer(codeB), func(md *metadata.Metadata[metadata.TargetsType]) {
			target, err := metadata.TargetFile().FromBytes(path, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			md.Signed.Targets[path] = target
		})
		out[targetPath(path, wire.Hash([]byte(body)))] = []byte(body)
		return out
	}
	good := `{"code":"` + codeB + `","seals":[{"id":"x","payload_sha256":"","history":[{"state":"active","effective_at":"2026-11-23T08:00:00Z","recorded_at":"2026-11-23T08:00:00Z"}]}]}`
	if c := mustVerify(t, root, replace(good), t0); len(c.Issuers[0].Seals) != 1 {
		t.Errorf("the twin: %+v", c.Issuers)
	}
	for name, body := range map[string]string{"another's": strings.Replace(good, codeB, codeA, 1), "junk": "{", "null": "null", "twice": strings.Replace(good, `"seals":[`, `"seals":[{"id":"x","history":[{}]},`, 1),
		"no history": `{"code":"` + codeB + `","seals":[{"id":"x"}]}`} {
		t.Run(name, func(t *testing.T) { refusedAs(t, ErrMalformed, root, replace(body), t0) })
	}
}

// A maker whose own role lists a file for another's seals, rightly hashed and signed, makes the bundle worthless. Twin: the same file in its own maker's role.
func TestAMakerSpeaksForItsOwnSealsOnly(t *testing.T) {
	in, keys := sampleInput(), newKeys(t)
	files := mustBuild(t, nil, in, keys, t0)
	path := wire.SealsPath(codeB)
	body := []byte(`{"code":"` + codeB + `","seals":[{"id":"x","payload_sha256":"","history":[{"state":"active","effective_at":"2026-11-23T08:00:00Z","recorded_at":"2026-11-23T08:00:00Z"}]}]}`)
	by := func(code string) Files {
		out := resign(t, files, keys, RoleIssuer(code), func(md *metadata.Metadata[metadata.TargetsType]) {
			target, err := metadata.TargetFile().FromBytes(path, body)
			if err != nil {
				t.Fatal(err)
			}
			md.Signed.Targets[path] = target
		})
		out[targetPath(path, wire.Hash(body))] = body
		return out
	}
	own := mustVerify(t, rootOf(t, files), by(codeB), t0)
	if maker, _ := own.IssuerByCode(codeB); len(maker.Seals) != 1 {
		t.Errorf("the twin: %+v", maker.Seals)
	}
	refusedAs(t, ErrUntrusted, rootOf(t, files), by(codeA), t0)
}
