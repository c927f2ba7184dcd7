package dev

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/web"
)

// ReadySeal is one seal of a sample department; the key files are those of two people there, for `hufu seal --as`.
type ReadySeal struct {
	ID            string `json:"id"`
	Owner         string `json:"owner"`
	OwnerCode     string `json:"owner_code"`
	Name          string `json:"name"`
	KeyFile       string `json:"key_file"`
	SecondKeyFile string `json:"second_key_file"`
}

// ReadySealMaker is the sample seal maker with two of its people.
type ReadySealMaker struct {
	Code          string `json:"code"`
	Name          string `json:"name"`
	KeyFile       string `json:"key_file"`
	SecondKeyFile string `json:"second_key_file"`
}

// sealMakerID is where the client ids of the seal maker's people begin.
const sealMakerID = "sandbox-seal-maker"

// sealPair is two people of one organisation: every change of a seal needs both.
type sealPair struct {
	people [2]eseal.Person
	files  [2]string
}

func (w *World) sealMakerConfigs() []node.SealMakerConfig {
	return []node.SealMakerConfig{{Code: sample.SealMakerCode, NameZH: sample.SealMakerName, NameEN: sample.SealMakerEnglish}}
}

// sealClients makes two people for the seal maker and for each department, and registers them.
func (w *World) sealClients() (out []oidc.Client, err error) {
	w.sealPeople = map[string]sealPair{}
	add := func(id, code, name, english string) error {
		var pair sealPair
		for i := range pair.people {
			clientID := fmt.Sprintf("%s-%d", id, i+1)
			file, key, err := w.keyFile(clientID, clientID, code, name)
			if err != nil {
				return err
			}
			pair.people[i], pair.files[i] = eseal.Person{Organisation: code, ClientID: clientID}, file
			out = append(out, oidc.Client{ID: clientID, Name: web.Text{ZH: name, EN: english}, Service: web.Text{ZH: "电子印章", EN: "E-seals"}, Organisation: code,
				AuthMethod: client.PrivateKeyJWT, JWKS: []jose.JWK{key}, GrantTypes: []string{client.ClientCredentials}, Scopes: []string{"seal"}})
		}
		w.sealPeople[code] = pair
		return nil
	}
	if err := add(sealMakerID, sample.SealMakerCode, sample.SealMakerName, sample.SealMakerEnglish); err != nil {
		return nil, err
	}
	for _, d := range w.sample.Departments {
		if err := add(d.ClientID+"-seal", d.Code, d.Name, d.English); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// seedSeals has the seal maker's two people make a seal for each department that has none. It is safe to run at every start.
func (w *World) seedSeals(ctx context.Context) error {
	maker := w.sealPeople[sample.SealMakerCode]
	for _, d := range w.sample.Departments {
		pair := w.sealPeople[d.Code]
		found, err := w.sealOf(ctx, pair.people[0])
		if err != nil {
			return err
		}
		if found == nil {
			issue := &eseal.Issue{Owner: eseal.OwnerView{Code: d.Code, Name: d.Name}, Kind: "99", Name: "行政审批专用章", DocumentKinds: []string{"approval"},
				ValidTo: time.Now().AddDate(2, 0, 0).Format(time.DateOnly)}
			if d.Kind == sample.MarketRegulation {
				issue.Name, issue.DocumentKinds = "业务专用章", []string{"certificate", "notice"}
			}
			r, err := w.node.Seals().Propose(ctx, maker.people[0], eseal.Proposal{Operation: eseal.OpIssue, Issue: issue})
			if err != nil {
				return fmt.Errorf("proposing a sample seal: %w", err)
			}
			_, made, err := w.node.Seals().Approve(ctx, maker.people[1], r.ID)
			if err != nil {
				return fmt.Errorf("approving a sample seal: %w", err)
			}
			found = &made
		}
		w.seals = append(w.seals, ReadySeal{ID: found.ID, Owner: d.Name, OwnerCode: d.Code, Name: found.Name, KeyFile: pair.files[0], SecondKeyFile: pair.files[1]})
	}
	return nil
}

// sealOf is the oldest seal of a department that is not cancelled; nil if there is none.
func (w *World) sealOf(ctx context.Context, p eseal.Person) (*eseal.Seal, error) {
	all, err := w.node.Seals().List(ctx, p, "", 200)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(x eseal.Seal) bool { return x.State == eseal.Cancelled || x.Owner != p.Organisation })
	if len(all) == 0 {
		return nil, nil
	}
	oldest := slices.MinFunc(all, func(a, b eseal.Seal) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return &oldest, nil
}

func (w *World) readySealMakers() []ReadySealMaker {
	maker := w.sealPeople[sample.SealMakerCode]
	return []ReadySealMaker{{Code: sample.SealMakerCode, Name: sample.SealMakerName, KeyFile: maker.files[0], SecondKeyFile: maker.files[1]}}
}
