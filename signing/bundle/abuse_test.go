package bundle

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/hufu-id/hufu/signing/bundle/internal/wire"
)

// Tests of abuse cases of group R. Each attack stands beside its twin: the same thing without the one wrong detail.

// refusedAs runs Verify and demands an error of the kind, without contents.
func refusedAs(t *testing.T, want error, root []byte, f Files, at time.Time) {
	t.Helper()
	c, err := Verify(root, pack(t, f), at)
	if !errors.Is(err, want) || c != nil {
		t.Errorf("got %v (contents %v), want %v", err, c != nil, want)
	}
}

// resign changes the metadata of one role and signs it and everything above it with the real keys: what an insider
// with those keys could publish.
func resign(t *testing.T, f Files, keys Keys, role string, change func(*metadata.Metadata[metadata.TargetsType])) Files {
	t.Helper()
	f = maps.Clone(f)
	newest := f.newest()
	path := metaPath(role, newest[role])
	md, err := metadata.Targets().FromBytes(f[path])
	if err != nil {
		t.Fatal(err)
	}
	change(md)
	signers := keys.Targets.Signers
	switch {
	case role == RoleStatus:
		signers = keys.Status.Signers
	case role != metadata.TARGETS:
		signers = keys.Issuers[role[len(issuerRole):]].Signers
	}
	if f[path], err = sign(md, signers); err != nil {
		t.Fatal(err)
	}
	return resnap(t, f, keys, func(s *metadata.Metadata[metadata.SnapshotType]) {
		s.Signed.Meta[role+".json"] = metaFile(newest[role], f[path])
	})
}

// resnap changes the snapshot and signs it and the timestamp.
func resnap(t *testing.T, f Files, keys Keys, change func(*metadata.Metadata[metadata.SnapshotType])) Files {
	t.Helper()
	f = maps.Clone(f)
	v := f.newest()[metadata.SNAPSHOT]
	snap, err := metadata.Snapshot().FromBytes(f[metaPath(metadata.SNAPSHOT, v)])
	if err != nil {
		t.Fatal(err)
	}
	change(snap)
	if f[metaPath(metadata.SNAPSHOT, v)], err = sign(snap, keys.Snapshot.Signers); err != nil {
		t.Fatal(err)
	}
	ts, err := metadata.Timestamp().FromBytes(f[timestampPath])
	if err != nil {
		t.Fatal(err)
	}
	ts.Signed.Meta["snapshot.json"] = metaFile(v, f[metaPath(metadata.SNAPSHOT, v)])
	if f[timestampPath], err = sign(ts, keys.Timestamp.Signers); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestR01ExpiredBundleSaysHowOld(t *testing.T) {
	day := 24 * time.Hour
	for name, lives := range map[string]Lifetimes{
		"timestamp": {}, "snapshot": {Snapshot: day}, "targets": {Targets: day}, "root": {Root: day},
	} {
		files, err := Build(nil, sampleInput(), newKeys(t), Options{At: t0, Lifetimes: lives})
		if err != nil {
			t.Fatal(err)
		}
		end := t0.Add(day)
		if name == "timestamp" {
			end = t0.Add(7 * day)
		}
		mustVerify(t, rootOf(t, files), files, end.Add(-time.Second))
		c, err := Verify(rootOf(t, files), pack(t, files), end)
		if !errors.Is(err, ErrExpired) || c == nil || !c.AsOf.Equal(t0) || !c.Expires.Equal(end) {
			t.Errorf("%s expired: %v, %+v", name, err, c)
		}
	}
}

func TestR02RollbackIsRefused(t *testing.T) {
	keys, in := newKeys(t), sampleInput()
	first := mustBuild(t, nil, in, keys, t0)
	in.StatusLists = map[string]string{listURI: "aaa.bbb.ddd"}
	at := t0.Add(time.Hour)
	second := mustBuild(t, first, in, keys, at)
	in.StatusLists = map[string]string{listURI: "aaa.bbb.eee"}
	other := mustBuild(t, first, in, keys, at)
	one, two, fork := mustVerify(t, rootOf(t, first), first, at), mustVerify(t, rootOf(t, first), second, at), mustVerify(t, rootOf(t, first), other, at)
	for name, c := range map[string]struct {
		seen Seen
		next *Contents
		want error
	}{
		"nothing seen yet":              {Seen{}, one, nil},
		"newer":                         {one.Seen(), two, nil},
		"the same again":                {two.Seen(), two, nil},
		"older":                         {two.Seen(), one, ErrRollback},
		"same version, other content":   {two.Seen(), fork, ErrRollback},
		"one role older":                {func() Seen { s := one.Seen(); s.Roles["status"] = 9; return s }(), two, ErrRollback},
		"a role vanished":               {func() Seen { s := one.Seen(); s.Roles["issuer-X"] = 1; return s }(), two, ErrRollback},
		"an older root under newer top": {func() Seen { s := one.Seen(); s.Roles["root"] = 2; return s }(), two, ErrRollback},
	} {
		if err := c.seen.Check(c.next); !errors.Is(err, c.want) || (c.want == nil && err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestR03PartsOfTwoVersionsDoNotMix(t *testing.T) {
	keys, in := newKeys(t), sampleInput()
	first := mustBuild(t, nil, in, keys, t0)
	in.StatusLists = map[string]string{listURI: "aaa.bbb.ddd"}
	second := mustBuild(t, first, in, keys, t0.Add(time.Hour))
	root, at := rootOf(t, first), t0.Add(time.Hour)
	mix := func(change func(Files)) Files {
		f := maps.Clone(second)
		change(f)
		return f
	}
	oldList, newList := listFile(t, first), listFile(t, second)
	for name, f := range map[string]Files{
		"old status metadata under the new name": mix(func(f Files) { f["2.status.json"] = first["1.status.json"] }),
		"old snapshot under the new name":        mix(func(f Files) { f["2.snapshot.json"] = first["1.snapshot.json"] }),
		"old list under the new name":            mix(func(f Files) { f[newList] = first[oldList] }),
		"snapshot names a part without its hash": resnap(t, second, keys, func(s *metadata.Metadata[metadata.SnapshotType]) { s.Signed.Meta["status.json"].Hashes = nil }),
	} {
		t.Run(name, func(t *testing.T) { refusedAs(t, ErrUntrusted, root, f, at) })
	}
	t.Run("old snapshot beside it", func(t *testing.T) { // an old timestamp makes it the old bundle, in all parts
		both := mix(func(f Files) { maps.Copy(f, first) })
		if c := mustVerify(t, root, both, at); c.Version != 1 || c.StatusLists[listURI] != "aaa.bbb.ccc" {
			t.Errorf("version %d with list %q", c.Version, c.StatusLists[listURI])
		}
	})
	t.Run("twin", func(t *testing.T) {
		mustVerify(t, root, second, at)
		mustVerify(t, root, resnap(t, second, keys, func(*metadata.Metadata[metadata.SnapshotType]) {}), at)
	})
}

func listFile(t *testing.T, f Files) string {
	t.Helper()
	for name := range f {
		if len(name) > 15 && name[:15] == "targets/status/" {
			return name
		}
	}
	t.Fatal("no list")
	return ""
}

func TestR04ThresholdNeedsDistinctKeysAndHolders(t *testing.T) {
	holder := func(s Signer, who string) Signer { s.Holder = who; return s }
	a1, a2, b := holder(newKey(t), "Li"), holder(newKey(t), "Li"), holder(newKey(t), "Wang")
	two := func(also []PublicKey, s ...Signer) RoleKeys { return RoleKeys{Signers: s, Also: also, Threshold: 2} }
	public := func(s Signer) PublicKey { return PublicKey{s.Key.Public(), s.Holder} }
	try := func(rk RoleKeys) ([]byte, Files, error) {
		keys := newKeys(t)
		keys.Root, keys.Targets = rk, rk
		f, err := Build(nil, sampleInput(), keys, Options{At: t0})
		if err != nil {
			return nil, nil, err
		}
		return rootOf(t, f), f, nil
	}
	for name, rk := range map[string]RoleKeys{
		"one key twice":                    two(nil, a1, a1),
		"one key under two holders":        two(nil, a1, holder(a1, "Wang")),
		"two keys of one holder":           two(nil, a1, a2),
		"two keys of nobody in particular": two(nil, newKey(t), newKey(t)),
		"a second key that never signs":    two([]PublicKey{public(b)}, a1),
	} {
		if _, _, err := try(rk); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Run("signed by two keys of one holder", func(t *testing.T) {
		root, f, err := try(two([]PublicKey{public(b)}, a1, a2))
		if err != nil {
			t.Fatal(err)
		}
		refusedAs(t, ErrRoot, root, f, t0)
	})
	t.Run("twin: two holders", func(t *testing.T) {
		root, f, err := try(two([]PublicKey{public(a2)}, a1, b))
		if err != nil {
			t.Fatal(err)
		}
		mustVerify(t, root, f, t0)
	})
	t.Run("signed by a removed key", func(t *testing.T) {
		keys := newKeys(t)
		first := mustBuild(t, nil, sampleInput(), keys, t0)
		old := keys
		keys.Timestamp = one(newKey(t))
		second := mustBuild(t, first, sampleInput(), keys, t0.Add(time.Hour))
		mustVerify(t, rootOf(t, first), second, t0.Add(time.Hour))
		refusedAs(t, ErrUntrusted, rootOf(t, first), resnap(t, second, old, func(*metadata.Metadata[metadata.SnapshotType]) {}), t0.Add(time.Hour))
	})
	t.Run("root with one key under two names", func(t *testing.T) {
		keys := newKeys(t)
		f := mustBuild(t, nil, sampleInput(), keys, t0)
		md, err := metadata.Root().FromBytes(rootOf(t, f))
		if err != nil {
			t.Fatal(err)
		}
		id := md.Signed.Roles["root"].KeyIDs[0]
		alias := fmt.Sprintf("%x", sha256.Sum256([]byte("alias")))
		md.Signed.Keys[alias] = md.Signed.Keys[id]
		md.Signed.Roles["timestamp"].KeyIDs = append(md.Signed.Roles["timestamp"].KeyIDs, alias)
		raw, err := sign(md, keys.Root.Signers)
		if err != nil {
			t.Fatal(err)
		}
		refusedAs(t, ErrRoot, raw, f, t0)
	})
}

func TestR06ClockOutsideTheBundle(t *testing.T) {
	files := mustBuild(t, nil, sampleInput(), newKeys(t), t0)
	for name, c := range map[string]struct {
		at   time.Time
		want error
	}{
		"ten years back":         {t0.AddDate(-10, 0, 0), ErrClockBehind},
		"before the bundle":      {t0.Add(-ClockLeeway - time.Second), ErrClockBehind},
		"ten years ahead":        {t0.AddDate(10, 0, 0), ErrExpired},
		"twin: a little behind":  {t0.Add(-ClockLeeway), nil},
		"twin: inside its times": {t0.Add(time.Hour), nil},
	} {
		got, err := Verify(rootOf(t, files), pack(t, files), c.at)
		if !errors.Is(err, c.want) || (err != nil) != (c.want != nil) || got == nil {
			t.Errorf("%s: %v, contents %v", name, err, got != nil)
		}
	}
}

// TestR07BrokenArchives: whatever happens to the bytes, the answer is an error, or the very same contents (a zip has
// bytes that mean nothing).
func TestR07BrokenArchives(t *testing.T) {
	files := mustBuild(t, nil, sampleInput(), newKeys(t), t0)
	root, good := rootOf(t, files), pack(t, files)
	want := mustVerify(t, root, files, t0)
	for name, b := range map[string][]byte{"empty": {}, "nothing": nil, "junk": []byte("\x00\xffjunk"), "empty zip": pack(t, Files{}), "a root": root} {
		if _, err := Verify(root, b, t0); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := 0; i < len(good); i += 97 {
		if _, err := Verify(root, good[:i], t0); err == nil {
			t.Errorf("cut at %d: accepted", i)
		}
	}
	for i := 0; i < len(good); i += 5 {
		bad := bytes.Clone(good)
		bad[i] ^= 0x41
		if c, err := Verify(root, bad, t0); err == nil && !cmp.Equal(c, want) {
			t.Errorf("byte %d changed: other contents accepted", i)
		}
	}
	for name := range files {
		if name == "1.root.json" {
			continue // the given root stands for it
		}
		less := maps.Clone(files)
		delete(less, name)
		if _, err := Verify(root, pack(t, less), t0); !errors.Is(err, ErrMalformed) {
			t.Errorf("without %s: %v", name, err)
		}
		null := maps.Clone(files)
		null[name] = []byte(`{"signed":null,"signatures":null}`)
		if _, err := Verify(root, pack(t, null), t0); err == nil {
			t.Errorf("%s is null: accepted", name)
		}
	}
}

func TestR08LimitsOfTheArchive(t *testing.T) {
	files := mustBuild(t, nil, sampleInput(), newKeys(t), t0)
	root := rootOf(t, files)
	with := func(method uint16, more ...*zip.FileHeader) []byte {
		var buf bytes.Buffer
		w := zip.NewWriter(&buf)
		for name, body := range files {
			p, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			_, _ = p.Write(body)
		}
		for _, h := range more {
			if _, err := w.CreateRaw(h); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	for _, name := range []string{"../1.root.json", "/etc/passwd", "a/../../b", "a\\..\\b", "C:x", "a//b", "", "x\x00y", "a b"} {
		if _, err := Verify(root, with(zip.Store, &zip.FileHeader{Name: name}), t0); !errors.Is(err, ErrMalformed) {
			t.Errorf("path %q: %v", name, err)
		}
	}
	if _, err := Verify(root, with(zip.Store, &zip.FileHeader{Name: "big", UncompressedSize64: 10 << 30, CompressedSize64: 10 << 30}), t0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("10 GB entry: %v", err)
	}
	if _, err := Verify(root, with(zip.Store, &zip.FileHeader{Name: "timestamp.json"}), t0); !errors.Is(err, ErrMalformed) {
		t.Errorf("one name twice: %v", err)
	}
	if _, err := Verify(root, bomb(t), t0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("zip bomb: %v", err)
	}
	if _, err := Verify(root, crowd(t), t0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("more entries than allowed: %v", err)
	}
	for name, b := range map[string][]byte{
		"packed by somebody else": with(zip.Deflate), "with folders and a stranger": with(zip.Store, &zip.FileHeader{Name: "targets/"}, &zip.FileHeader{Name: "README"}),
	} {
		if _, err := Verify(root, b, t0); err != nil {
			t.Errorf("twin %s: %v", name, err)
		}
	}
}

// bomb is small and unpacks to more than an entry may.
func bomb(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	p, err := w.Create("timestamp.json")
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 40 {
		_, _ = p.Write(zeros)
	}
	_ = w.Close()
	return buf.Bytes()
}

// crowd has one entry more than allowed.
func crowd(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i := range wire.MaxEntries + 1 {
		if _, err := w.CreateRaw(&zip.FileHeader{Name: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	_ = w.Close()
	return buf.Bytes()
}

func TestR12RootRotation(t *testing.T) {
	keys := newKeys(t)
	k1, k2 := keys.Root.Signers[0], newKey(t)
	v1 := mustBuild(t, nil, sampleInput(), keys, t0)
	root1 := rootOf(t, v1)
	at := t0.Add(time.Hour)
	keys.Root = RoleKeys{Signers: []Signer{k1}, Also: []PublicKey{{Key: k2.Key.Public()}}}
	v2 := mustBuild(t, v1, sampleInput(), keys, at) // announces the next key
	keys.Root = one(k2)
	keys.Timestamp = one(newKey(t))
	v3 := mustBuild(t, v2, sampleInput(), keys, at) // uses it, drops the old one
	t.Run("both: the chain leads from every root to the newest", func(t *testing.T) {
		for n := int64(1); n <= 3; n++ {
			if c := mustVerify(t, v3[rootPath(n)], v3, at); c.RootVersion != 3 || c.RootFingerprint != Fingerprint(rootOf(t, v3)) {
				t.Errorf("from root %d to %d", n, c.RootVersion)
			}
		}
		mustVerify(t, root1, v1, at)
	})
	t.Run("new root only: no link from the old one", func(t *testing.T) {
		f := maps.Clone(v3)
		delete(f, rootPath(2))
		refusedAs(t, ErrUntrusted, root1, f, at)
	})
	t.Run("old root only: the new root doesn't accept it", func(t *testing.T) {
		refusedAs(t, ErrUntrusted, rootOf(t, v3), v1, at)
	})
	forge := func(signers ...Signer) Files {
		md, err := metadata.Root().FromBytes(v3[rootPath(2)])
		if err != nil {
			t.Fatal(err)
		}
		f := maps.Clone(v3)
		if f[rootPath(2)], err = sign(md, signers); err != nil {
			t.Fatal(err)
		}
		return f
	}
	t.Run("signed by the new key only", func(t *testing.T) { refusedAs(t, ErrUntrusted, root1, forge(k2), at) })
	t.Run("signed by a stranger", func(t *testing.T) { refusedAs(t, ErrUntrusted, root1, forge(newKey(t)), at) })
	t.Run("twin", func(t *testing.T) { mustVerify(t, root1, forge(k1), at) })
	t.Run("the old key doesn't give itself to the new", func(t *testing.T) {
		f := maps.Clone(v3)
		md, err := metadata.Root().FromBytes(v3[rootPath(3)])
		if err != nil {
			t.Fatal(err)
		}
		if f[rootPath(3)], err = sign(md, []Signer{k1}); err != nil { // accepted by root 2, not by itself
			t.Fatal(err)
		}
		refusedAs(t, ErrUntrusted, root1, f, at)
	})
	t.Run("a key that was never announced", func(t *testing.T) {
		keys := keys
		keys.Root = one(newKey(t))
		if _, err := Build(v3, sampleInput(), keys, Options{At: at}); !errors.Is(err, ErrInput) {
			t.Errorf("built: %v", err)
		}
	})
}

// TestAuthoritySignsOnlyItsOwn: a department's key for its own part of the bundle must not widen what anybody may issue.
func TestAuthoritySignsOnlyItsOwn(t *testing.T) {
	keys := newKeys(t)
	files := mustBuild(t, nil, sampleInput(), keys, t0)
	root := rootOf(t, files)
	claim := func(role, path string) Files {
		body := []byte(`{"code":"` + codeB + `","certificates":[]}`)
		f := resign(t, files, keys, role, func(md *metadata.Metadata[metadata.TargetsType]) {
			target, err := metadata.TargetFile().FromBytes(path, body)
			if err != nil {
				t.Fatal(err)
			}
			md.Signed.Targets[path] = target
		})
		f[targetPath(path, fmt.Sprintf("%x", sha256.Sum256(body)))] = body
		return f
	}
	for _, path := range []string{"issuers/" + codeB + "/issuer.json", "authorities/" + codeA + ".json", "status/x.jwt", "policy.json"} {
		refusedAs(t, ErrUntrusted, root, claim(RoleIssuer(codeA), path), t0)
	}
	refusedAs(t, ErrMalformed, root, claim(RoleIssuer(codeA), "issuers/"+codeA+"/../"+codeB+"/issuer.json"), t0)
	refusedAs(t, ErrUntrusted, root, claim(RoleStatus, "authorities/"+codeA+".json"), t0)
	mustVerify(t, root, claim(RoleIssuer(codeA), "issuers/"+codeA+"/more.json"), t0)
	widened := resign(t, files, keys, metadata.TARGETS, func(md *metadata.Metadata[metadata.TargetsType]) {
		md.Signed.Delegations.Roles[0].Paths = []string{"issuers/*/*"}
	})
	refusedAs(t, ErrUntrusted, root, widened, t0)
	mustVerify(t, root, resign(t, files, keys, metadata.TARGETS, func(*metadata.Metadata[metadata.TargetsType]) {}), t0)
}

// TestAuthorityThatLeavesKeepsAnEmptyRole: TUF clients take a role that vanished for an attack.
func TestAuthorityThatLeavesKeepsAnEmptyRole(t *testing.T) {
	keys, in := newKeys(t), sampleInput()
	first := mustBuild(t, nil, in, keys, t0)
	in.Issuers = in.Issuers[:1]
	second := mustBuild(t, first, in, keys, t0.Add(time.Hour))
	before, after := mustVerify(t, rootOf(t, first), first, t0), mustVerify(t, rootOf(t, first), second, t0.Add(time.Hour))
	if err := before.Seen().Check(after); err != nil {
		t.Error(err)
	}
	if _, ok := after.Issuer(idB); ok || len(after.Issuers) != 1 {
		t.Errorf("issuers: %+v", after.Issuers)
	}
}

func FuzzVerify(f *testing.F) {
	keys := newKeys(f)
	files := mustBuild(f, nil, sampleInput(), keys, t0)
	root, good := rootOf(f, files), pack(f, files)
	want := mustVerify(f, root, files, t0)
	f.Add(root, good)
	f.Add(root, good[:len(good)/2])
	f.Add(root, pack(f, Files{"timestamp.json": files["timestamp.json"]}))
	f.Add([]byte(`{"signed":{"_type":"root","keys":{"a":null}},"signatures":[]}`), good)
	f.Fuzz(func(t *testing.T, r, archive []byte) {
		c, err := Verify(r, archive, t0)
		if err == nil && bytes.Equal(r, root) && !cmp.Equal(c, want) {
			t.Error("other contents under our root")
		}
	})
}
