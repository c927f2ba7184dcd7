// Package reports gives wallet/correction what it needs from the other modules of a node: who is logged in, which department asks, and what stands in
// somebody's own licences.
package reports

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/correctionstore"
	"github.com/hufu-id/hufu/wallet/correction"
	"github.com/hufu-id/hufu/wallet/holder"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/web"
)

// Node is what the node gives.
type Node struct {
	Origin  string
	DB      *sqlstore.DB
	Pages   *web.Pages
	FormKey []byte
	Log     *slog.Logger
	// Secret returns a key of the node by its name.
	Secret   func(ctx context.Context, name string) ([]byte, error)
	Citizens holder.Citizens
	// Department authenticates a caller of the department API; its refusals are register's.
	Department func(ctx context.Context, bearer string) (code, clientID string, err error)
	Register   *register.Service
	// Own lists the licences of a person, none for somebody who is gone.
	Own func(ctx context.Context, personID string) ([]register.Licence, error)
	// Authority is the name of an authority.
	Authority func(code string) web.Text
}

// Open opens the room, with keys of its own.
func Open(ctx context.Context, n Node) (*correction.Service, error) {
	sealing, err := n.Secret(ctx, "correction")
	if err != nil {
		return nil, err
	}
	index, err := n.Secret(ctx, "correction-index")
	if err != nil {
		return nil, err
	}
	return correction.New(correction.Config{Store: correctionstore.New(n.DB), Tx: n.DB.InTx, Audit: n.DB.Audit, Sealer: httpx.NewSealer(sealing),
		IndexKey: index, Departments: departments{n}, Origin: n.Origin, FormKey: n.FormKey, Pages: n.Pages, Citizens: citizens{n},
		Licences: licences{n}, Log: n.Log})
}

type citizens struct{ n Node }

func (c citizens) Current(r *http.Request) (correction.Citizen, bool) {
	who, ok := c.n.Citizens.Current(r)
	return correction.Citizen{PersonID: who.PersonID, SessionID: who.SessionID}, ok
}

func (c citizens) Login(w http.ResponseWriter, r *http.Request, returnTo string) {
	c.n.Citizens.Login(w, r, returnTo)
}

type departments struct{ n Node }

func (d departments) Authenticate(ctx context.Context, bearer string) (correction.Department, error) {
	code, clientID, err := d.n.Department(ctx, bearer)
	switch {
	case errors.Is(err, register.ErrUnauthenticated):
		err = correction.ErrUnauthenticated
	case errors.Is(err, register.ErrInsufficientScope):
		err = correction.ErrInsufficientScope
	}
	return correction.Department{Code: code, ClientID: clientID}, err
}

// licences is the register as somebody reports on it: her own licences with their entries in words.
type licences struct{ n Node }

func (l licences) Of(ctx context.Context, personID string) ([]correction.Licence, error) {
	all, err := l.n.Own(ctx, personID)
	if err != nil {
		return nil, err
	}
	out := make([]correction.Licence, 0, len(all))
	for _, x := range all {
		t, _ := l.n.Register.Type(x.TypeID)
		v := correction.Licence{ID: x.ID, Authority: x.Issuer, Name: text(t.Name), Issuer: l.n.Authority(x.Issuer)}
		values := t.ClaimsOf(x)
		for _, c := range t.Claims {
			if c.Source == "licence.id" {
				continue // ours, made up when the licence was registered: nothing in it can be wrong for its holder
			}
			v.Entries = append(v.Entries, correction.Entry{Name: c.Name, Label: text(c.Text), Value: entryValue(c.Name, values[c.Name])})
		}
		out = append(out, v)
	}
	return out, nil
}

func text(m map[string]string) web.Text { return web.Text{ZH: m["zh"], EN: m["en"]} }

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
		if strings.HasPrefix(v, "data:") {
			return web.Picture(v)
		}
		return web.ISODate(v) // anything but a date stays as it is
	case []string:
		return web.Text{ZH: strings.Join(v, "、"), EN: strings.Join(v, ", ")}
	}
	return web.Text{}
}
