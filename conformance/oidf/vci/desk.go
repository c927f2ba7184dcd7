//go:build conformance

package vci

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hufu-id/hufu/conformance/oidf/suite"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sample/records"
	"github.com/hufu-id/hufu/signing/bundle"
)

// TypeID is the licence type of which credentials are issued.
const TypeID = "driving-licence"

// Desk is a department at the server: it registers licences and makes offers by `hufu licence`, as any department does.
type Desk struct {
	Binary, Dir string // of hufu; for its files
	Origin      string // the server's
	HTTP        *http.Client
	Trusted     string // file with the authorities of the server's certificate

	info sample.DepartmentInfo
}

// clientID is the department's system at the server.
const clientID = "hufu-oidf-register"

func (d *Desk) keyFile() string  { return filepath.Join(d.Dir, "department.json") }
func (d *Desk) jwksFile() string { return filepath.Join(d.Dir, "department.jwks") }

// Issuer is the department's Credential Issuer Identifier.
func (d *Desk) Issuer() string { return d.Origin + "/i/" + d.info.Code }

// Open makes the department's key. Authority and Client are what the server's configuration needs of it.
func (d *Desk) Open() error {
	d.info, _ = sample.NewWorld().Department(sample.TrafficPolice)
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return err
	}
	public, err1 := key.Public()
	set, err2 := jose.MarshalJWKS([]jose.JWK{public.WithUse("sig")})
	private, err3 := jose.MarshalPrivateJWK(key)
	file, err4 := json.Marshal(map[string]any{"client_id": clientID, "department": d.info.Code, "name": d.info.Name, "key": json.RawMessage(private)})
	return errors.Join(err1, err2, err3, err4, os.WriteFile(d.jwksFile(), set, 0o600), os.WriteFile(d.keyFile(), file, 0o600))
}

// Authority is the entry under authorities.
func (d *Desk) Authority() map[string]any {
	return map[string]any{"code": d.info.Code, "name_zh": d.info.Name, "name_en": d.info.English, "types": []string{TypeID}}
}

// Client is the entry under clients.
func (d *Desk) Client() map[string]any {
	name := map[string]string{"zh": d.info.Name, "en": d.info.English}
	return map[string]any{"id": clientID, "name": name, "service": name, "organisation": d.info.Code, "auth_method": "private_key_jwt",
		"jwks_file": d.jwksFile(), "grant_types": []string{"client_credentials"}, "scopes": []string{"register"}}
}

// hufu runs `hufu licence` and decodes its answer.
func (d *Desk) hufu(ctx context.Context, into any, args ...string) error {
	cmd := exec.CommandContext(ctx, d.Binary, append([]string{"licence", "--as", d.keyFile(), "--url", d.Origin, "--json"}, args...)...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+d.Trusted)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("hufu licence %s: %w\n%s%s", args[0], err, out.Bytes(), said.Bytes())
	}
	return json.Unmarshal(out.Bytes(), into)
}

// Register registers a driving licence for each person. It waits until the server's trust bundle is out, for Anchors.
func (d *Desk) Register(ctx context.Context, people ...string) error {
	var lines bytes.Buffer
	for n, slug := range people {
		p, ok := sample.NewWorld().Person(slug)
		if !ok {
			return fmt.Errorf("no sample person %s", slug)
		}
		line, err := json.Marshal(map[string]any{"type": TypeID, "record_number": fmt.Sprintf("SUITE-%04d", n+1),
			"holder":     map[string]string{"name": p.Name, "code": p.ResidentID, "code_type": "111", "reference": p.Slug},
			"fields":     records.Driving(p, "C1", "2022-01-10", fmt.Sprintf("99440000%04d", n+1)),
			"valid_from": "2022-01-10", "valid_to": "2032-01-10"})
		if err != nil {
			return err
		}
		lines.Write(append(line, '\n'))
	}
	name := filepath.Join(d.Dir, "licences.jsonl")
	if err := os.WriteFile(name, lines.Bytes(), 0o600); err != nil {
		return err
	}
	return d.hufu(ctx, new(any), "import", name)
}

// offer is what `hufu licence offer` answers.
type offer struct {
	URI    string `json:"offer_uri"`
	Value  string `json:"offer_value_uri"`
	TxCode string `json:"tx_code"`
}

func (d *Desk) offer(ctx context.Context, person, grant string) (o offer, err error) {
	err = d.hufu(ctx, &o, "offer", "--person", person, "--type", TypeID, "--grant", grant)
	return o, err
}

// Anchors reads from the published trust bundle by what the server's credentials and status lists are to be checked.
func (d *Desk) Anchors(ctx context.Context) (*suite.CredentialConfig, error) {
	for ; ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		root, err1 := d.get(ctx, "/bundle/root.json")
		archive, err2 := d.get(ctx, "/bundle.zip")
		if err1 != nil || err2 != nil {
			continue // not published yet
		}
		c, err := bundle.Verify(root, archive, time.Now())
		if err != nil {
			return nil, err
		}
		for _, a := range c.Anchors {
			if a.Purpose == "root" {
				// Credentials and status lists have tiers of their own below the one national root.
				anchor := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.DER}))
				return &suite.CredentialConfig{Anchor: anchor, StatusAnchor: anchor}, nil
			}
		}
		return nil, errors.New("the trust bundle has no national root")
	}
	return nil, ctx.Err()
}

func (d *Desk) get(ctx context.Context, path string) ([]byte, error) {
	return fetch(ctx, d.HTTP, d.Origin+path)
}

func fetch(ctx context.Context, c *http.Client, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d %.300s", address, res.StatusCode, body)
	}
	return body, err
}

// query is the query of an offer's link.
func query(link string) (string, error) {
	u, err := url.Parse(link)
	if err != nil {
		return "", err
	}
	return u.RawQuery, nil
}
