package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/statuslist"
)

// fileWorld is a whole federation in a directory: root and bundle files, a licence, and the keys to publish more.
type fileWorld struct {
	t        *testing.T
	dir      string
	now      time.Time
	in       bundle.Input
	keys     bundle.Keys
	files    bundle.Files
	statuses func(set ...statuslist.Entry) string
	licence  string
	holder   jose.SigningKey
}

const (
	worldCode  = "1199440000TRY002X9"
	worldID    = "https://hufu.example/i/" + worldCode
	worldVCT   = "https://hufu.example/types/driving-licence/1"
	worldList  = "https://hufu.example/status/7"
	worldIndex = 4711
	worldType  = `{"vct":"` + worldVCT + `","display":[{"locale":"en","name":"Driving licence"}],"claims":[` +
		`{"path":["name"],"sd":"always"},{"path":["id_number"],"sd":"always"}]}`
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type certified struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func certifyFor(t *testing.T, name string, by *certified, edit func(*x509.Certificate)) certified {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	check(t, err)
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	if edit == nil {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	} else {
		edit(c)
	}
	parent, signer := c, crypto.Signer(key)
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	return certified{cert, key}
}

func newFileWorld(t *testing.T) *fileWorld {
	t.Helper()
	w := &fileWorld{t: t, dir: t.TempDir(), now: time.Now().Truncate(time.Second)}
	credCA, statCA := certifyFor(t, "C1", nil, nil), certifyFor(t, "S1", nil, nil)
	status := certifyFor(t, "Status", &statCA, func(*x509.Certificate) {})
	issuer := certifyFor(t, "Traffic police", &credCA, func(c *x509.Certificate) {
		u, err := url.Parse(worldID)
		check(t, err)
		c.URIs = []*url.URL{u}
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 97}, Value: worldCode}}
	})
	w.statuses = func(set ...statuslist.Entry) string {
		l, err := statuslist.Build(2, 1<<14, set)
		check(t, err)
		payload, err := statuslist.Payload(statuslist.Claims{URI: worldList, IssuedAt: w.now.Add(-time.Minute), Expires: w.now.AddDate(0, 0, 35), TTL: 5 * time.Minute, List: l})
		check(t, err)
		k, err := jose.NewSigningKey(status.key, jose.ES256)
		check(t, err)
		token, err := statuslist.Sign(k, [][]byte{status.cert.Raw, statCA.cert.Raw}, payload)
		check(t, err)
		return token
	}
	w.in = bundle.Input{
		Anchors: []bundle.Anchor{{Purpose: "credential", DER: credCA.cert.Raw}, {Purpose: "status", DER: statCA.cert.Raw}},
		Issuers: []bundle.Issuer{{ID: worldID, Code: worldCode, Name: map[string]string{"zh": "沙箱省公安厅交通管理局", "en": "Sandbox traffic police"},
			Authorised: []bundle.Authorisation{{VCT: worldVCT, From: w.now.AddDate(-1, 0, 0)}}}},
		Types:       map[string][]byte{worldVCT: []byte(worldType)},
		StatusLists: map[string]string{worldList: w.statuses()},
	}
	w.makeKeys()
	w.issue(issuer, credCA)
	w.publish("bundle.zip", w.now)
	w.write("root.json", w.files["1.root.json"])
	return w
}

func oneKey(t *testing.T) bundle.RoleKeys {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return bundle.RoleKeys{Signers: []bundle.Signer{{Key: k}}}
}

func (w *fileWorld) makeKeys() {
	one := func() bundle.RoleKeys { return oneKey(w.t) }
	w.keys = bundle.Keys{Root: one(), Timestamp: one(), Snapshot: one(), Targets: one(), Status: one(), Issuers: map[string]bundle.RoleKeys{worldCode: one()}}
}

func (w *fileWorld) issue(issuer, credCA certified) {
	var err error
	w.holder, err = jose.GenerateKey(jose.ES256)
	check(w.t, err)
	pub, err := w.holder.Public()
	check(w.t, err)
	laid, err := sdjwt.Build(sdjwt.Template{
		Claims: map[string]any{"iss": worldID, "vct": worldVCT, "iat": w.now.Add(-time.Hour).Unix(), "exp": w.now.AddDate(0, 0, 90).Unix(),
			"status": statuslist.Reference{URI: worldList, Index: worldIndex}.Claim(), "name": "李秀英", "id_number": "99440119490312002X"},
		Selective: []sdjwt.Path{sdjwt.P("name"), sdjwt.P("id_number")}, Holder: &pub, Salts: rand.Reader})
	check(w.t, err)
	key, err := jose.NewSigningKey(issuer.key, jose.ES256)
	check(w.t, err)
	w.licence, err = sdjwt.Issue(key, [][]byte{issuer.cert.Raw, credCA.cert.Raw}, laid)
	check(w.t, err)
	w.write("licence.txt", []byte(w.licence+"\n"))
	parsed, err := sdjwt.Parse(w.licence)
	check(w.t, err)
	shown, err := parsed.Withhold(sdjwt.P("id_number"))
	check(w.t, err)
	bound, err := sdjwt.BindKey(shown, w.holder, "https://counter.example", "n-1", w.now)
	check(w.t, err)
	w.write("presentation.txt", []byte(bound))
}

// publish builds the next version as of a time and writes its archive.
func (w *fileWorld) publish(name string, at time.Time) {
	w.t.Helper()
	files, err := bundle.Build(w.files, w.in, w.keys, bundle.Options{At: at})
	check(w.t, err)
	w.files = files
	b, err := bundle.Archive(files)
	check(w.t, err)
	w.write(name, b)
}

func (w *fileWorld) write(name string, b []byte) {
	w.t.Helper()
	check(w.t, os.WriteFile(w.path(name), b, 0o600))
}

func (w *fileWorld) path(name string) string { return filepath.Join(w.dir, name) }

// hufu runs a command as the program would; arguments with "@" name files of the world.
func (w *fileWorld) hufu(cmd *cobra.Command, args ...string) (code int, stdout, stderr string) {
	w.t.Helper()
	for i, a := range args {
		if name, ok := strings.CutPrefix(a, "@"); ok {
			args[i] = w.path(name)
		}
	}
	var out, errs bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	code, message := exitCode(cmd.Execute())
	return code, out.String(), errs.String() + message
}
