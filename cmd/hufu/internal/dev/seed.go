package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sample/records"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// departmentKey returns the public key of a department's register system.
func (w *World) departmentKey(d sample.DepartmentInfo) (key jose.JWK, err error) {
	w.keyFiles[d.Kind], key, err = w.keyFile(d.ClientID, d.ClientID+registerSuffix, d.Code, d.Name)
	return key, err
}

// keyFile returns the key file of a client and its public key; the private one lies in the file, made at the first start.
func (w *World) keyFile(base, clientID, code, name string) (path string, key jose.JWK, err error) {
	path = filepath.Join(w.dir, base+".key.json")
	key, err = readOrMakeKey(path, clientID, code, name)
	return path, key, err
}

func readOrMakeKey(path, clientID, code, name string) (jose.JWK, error) {
	var file struct {
		ClientID   string          `json:"client_id"`
		Department string          `json:"department"`
		Name       string          `json:"name"`
		Key        json.RawMessage `json:"key"`
	}
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		key, err := jose.GenerateKey(jose.ES256)
		if err != nil {
			return jose.JWK{}, err
		}
		file.ClientID, file.Department, file.Name = clientID, code, name
		if file.Key, err = jose.MarshalPrivateJWK(key); err != nil {
			return jose.JWK{}, err
		}
		if raw, err = json.MarshalIndent(file, "", "  "); err != nil {
			return jose.JWK{}, err
		}
		if err := os.WriteFile(path, append(raw, '\n'), 0o600); err != nil {
			return jose.JWK{}, err
		}
	case err != nil:
		return jose.JWK{}, err
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return jose.JWK{}, fmt.Errorf("%s: %w", path, err)
	}
	key, err := jose.ParsePrivateJWK(file.Key)
	if err != nil {
		return jose.JWK{}, fmt.Errorf("%s: %w", path, err)
	}
	return key.Public()
}

// seed registers the sample licences as the department itself would, and publishes the first bundle. It is safe to run at every start.
func (w *World) seed(ctx context.Context) error {
	d, _ := w.sample.Department(sample.TrafficPolice)
	dep := register.Department{Code: d.Code, ClientID: d.ClientID + registerSuffix}
	var list []register.ImportRecord
	for i, who := range []struct{ slug, class, from, to string }{
		{"li-xiuying", "C1", "2023-05-21", "2029-05-21"},
		{"zhao-min", "B2", "2021-03-01", "2027-03-01"},
		{"he-jiaming", "C1", "2024-09-01", "2030-09-01"},
		{"wang-jianguo", "A2", "2022-01-10", "2032-01-10"},
	} {
		p, ok := w.sample.Person(who.slug)
		if !ok {
			return errors.New("no sample person " + who.slug)
		}
		list = append(list, register.ImportRecord{Type: "driving-licence", RecordNumber: fmt.Sprintf("SANDBOX-%04d", i+1),
			Holder:    register.Holder{Name: p.Name, Code: p.ResidentID, CodeType: "111", Reference: p.Slug},
			Fields:    records.Driving(p, who.class, who.from, fmt.Sprintf("99440000%04d", i+1)),
			ValidFrom: who.from, ValidTo: who.to})
	}
	report, err := w.node.Register().Import(ctx, dep, list)
	if err != nil {
		return err
	}
	for _, line := range report.Records {
		switch {
		case line.Result == register.ResultRefused && !livedOn(line):
			return fmt.Errorf("sample licence %s was refused: %v", line.RecordNumber, line.Errors)
		case line.RecordNumber == "SANDBOX-0002" && line.Result == register.ResultCreated:
			if _, _, err := w.node.Register().Change(ctx, dep, line.LicenceID, register.StatusRequest{Operation: "revoke", Reason: "样本：饮酒后驾驶"}); err != nil {
				return err
			}
		}
	}
	if err := w.seedOthers(ctx); err != nil {
		return err
	}
	if err := w.seedSeals(ctx); err != nil {
		return err
	}
	return w.node.Publish(ctx)
}

// livedOn says whether a licence was renewed or changed since the world was made: that is no fault.
func livedOn(line register.ImportLine) bool {
	return !slices.ContainsFunc(line.Errors, func(e register.FieldError) bool { return e.Code != licencetype.CodeChanged })
}

// seedOthers registers the licences of the other types.
func (w *World) seedOthers(ctx context.Context) error {
	for _, r := range records.Licences(w.sample) {
		raw, err := json.Marshal(r.Body)
		if err != nil {
			return err
		}
		items, err := register.ParseImport(raw)
		if err != nil {
			return err
		}
		report, err := w.node.Register().ImportItems(ctx, register.Department{Code: r.Authority, ClientID: "sample-world"}, items)
		if err != nil {
			return err
		}
		if report.Refused > 0 && !livedOn(report.Records[0]) {
			return fmt.Errorf("sample licence %s was refused: %v", raw, report.Records[0].Errors)
		}
	}
	return nil
}
