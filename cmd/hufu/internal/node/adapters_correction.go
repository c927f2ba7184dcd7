package node

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sqlstore/correctionstore"
	"github.com/hufu-id/hufu/wallet/correction"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/web"
)

// openCorrection opens the room of reports of errors in licences, with keys of its own.
func (n *Node) openCorrection(ctx context.Context) error {
	sealing, err := n.keys.Secret(ctx, "correction")
	if err != nil {
		return err
	}
	index, err := n.keys.Secret(ctx, "correction-index")
	if err != nil {
		return err
	}
	n.correction, err = correction.New(correction.Config{Store: correctionstore.New(n.db), Tx: n.db.InTx, Audit: n.db.Audit,
		Sealer: httpx.NewSealer(sealing), IndexKey: index, Departments: reportDepartments{departments{n}}, Origin: n.cfg.Origin,
		FormKey: n.secrets.forms, Pages: n.pages, Citizens: reporters{citizens{n}}, Licences: reportable{n}, Log: n.cfg.Log})
	return err
}

// reporters is the provider's session as the reports see it.
type reporters struct{ citizens }

func (c reporters) Current(r *http.Request) (correction.Citizen, bool) {
	who, ok := c.citizens.Current(r)
	return correction.Citizen{PersonID: who.PersonID, SessionID: who.SessionID}, ok
}

// reportDepartments authenticates callers of the reports' part of the department API.
type reportDepartments struct{ departments }

func (d reportDepartments) Authenticate(ctx context.Context, bearer string) (correction.Department, error) {
	code, clientID, err := d.department(ctx, bearer)
	switch {
	case errors.Is(err, register.ErrUnauthenticated):
		err = correction.ErrUnauthenticated
	case errors.Is(err, register.ErrInsufficientScope):
		err = correction.ErrInsufficientScope
	}
	return correction.Department{Code: code, ClientID: clientID}, err
}

// reportable is the register as somebody reports on it: her own licences with their entries in words.
type reportable struct{ n *Node }

func (l reportable) Of(ctx context.Context, personID string) ([]correction.Licence, error) {
	all, err := licences(l).ofPerson(ctx, personID)
	if errors.Is(err, issuer.ErrNoLicence) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make([]correction.Licence, 0, len(all))
	for _, x := range all {
		shown := ownLicences(l).view(x)
		v := correction.Licence{ID: x.ID, Authority: x.Issuer, Name: shown.Name, Issuer: shown.Issuer}
		t, _ := l.n.register.Type(x.TypeID)
		values := t.ClaimsOf(x)
		for _, c := range t.Claims {
			v.Entries = append(v.Entries, correction.Entry{Name: c.Name, Label: web.Text{ZH: c.Text["zh"], EN: c.Text["en"]}, Value: entryValue(c.Name, values[c.Name])})
		}
		out = append(out, v)
	}
	return out, nil
}

// entryValue is the value of a licence's entry in words; zero for none.
func entryValue(name string, value any) web.Text {
	switch v := value.(type) {
	case string:
		switch name {
		case "sex":
			return web.ClaimValue("gender", v)
		case "name":
			return web.ClaimValue("name", v)
		}
		return web.ISODate(v) // anything but a date stays as it is
	case []string:
		return web.Text{ZH: strings.Join(v, "、"), EN: strings.Join(v, ", ")}
	}
	return web.Text{}
}
