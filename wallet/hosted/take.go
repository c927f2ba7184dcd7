package hosted

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

const (
	// maxCopies is how often a person may take one licence within copiesWithin: each costs a key, a signature and a place on a status list.
	maxCopies    = 10
	copiesWithin = time.Hour
	// halfDone is when a copy that is still being made is given up.
	halfDone = 10 * time.Minute
)

// proofType is the "typ" of a key proof (OpenID4VCI 1.0, appendix F.1).
const proofType = "openid4vci-proof+jwt"

func credentialPurpose(copyID string) string { return "hosted/copy/" + copyID }

// takeCopy takes a licence into a new copy with a key of its own, which replaces the one before. The row comes first, so that whatever happens after it, a
// sweep finds the key and destroys it.
func (w *Wallet) takeCopy(ctx context.Context, c Citizen, l Licence) error {
	now := w.cfg.Now()
	made := Copy{ID: strings.ToLower(rand.Text()), PersonID: c.PersonID, LicenceID: l.ID, TypeID: l.TypeID, State: Making, CreatedAt: now}
	detail := map[string]string{"copy": made.ID, "type": l.TypeID}
	err := w.cfg.Store.BeginCopy(ctx, made, maxCopies, now.Add(-copiesWithin),
		audit.Event{Kind: "wallet.copy_begun", Actor: c.PersonID, Subject: l.ID, Detail: detail})
	if err != nil {
		return err
	}
	err = w.fill(ctx, c, l, &made)
	if err == nil {
		err = w.cfg.Store.FinishCopy(ctx, made, w.cfg.Now(), audit.Event{Kind: "wallet.copy_taken", Actor: c.PersonID, Subject: l.ID, Detail: detail})
	}
	if err != nil {
		return errors.Join(err, w.end(context.WithoutCancel(ctx), c.PersonID, made.ID, l.ID, "failed"))
	}
	w.destroyEnded(ctx)
	return nil
}

// Renew takes a licence anew for a person who isn't there, as after the theft of the key that signed her copy. She is who she was when she took it. ErrNotFound,
// ErrNotInForce, ErrTooMany.
func (w *Wallet) Renew(ctx context.Context, personID, licenceID string) error {
	all, err := w.cfg.Licences.Of(ctx, personID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(l Licence) bool { return l.ID == licenceID })
	switch {
	case i < 0:
		return ErrNotFound
	case !all[i].InForce:
		return ErrNotInForce
	}
	return w.takeCopy(ctx, Citizen{PersonID: personID, ACR: all[i].RequiredACR}, all[i])
}

// fill makes the copy's key, has a credential issued for it as every wallet has, and seals it.
func (w *Wallet) fill(ctx context.Context, c Citizen, l Licence, made *Copy) error {
	key, err := w.cfg.Keys.Ensure(ctx, made.ID)
	if err != nil {
		return err
	}
	credential, err := w.cfg.Issuer.Issue(ctx, c, l, func(nonce, audience string) (string, error) {
		pub, err := key.Public()
		if err != nil {
			return "", err
		}
		return jose.SignJSON(key, jose.Header{Typ: proofType, JWK: &pub}, map[string]any{"aud": audience, "iat": w.cfg.Now().Unix(), "nonce": nonce})
	})
	if err != nil {
		return err
	}
	p, err := sdjwt.Parse(credential)
	if err != nil {
		return fmt.Errorf("hosted: the issued credential: %w", err)
	}
	if made.ExpiresAt = expiry(p); made.ExpiresAt.IsZero() {
		return errors.New("hosted: the issued credential has no end")
	}
	made.Sealed, err = w.cfg.Sealer.Seal(credentialPurpose(made.ID), credential)
	return err
}

func expiry(p sdjwt.Parsed) time.Time {
	switch exp := p.UnverifiedClaims()["exp"].(type) {
	case interface{ Int64() (int64, error) }: // json.Number
		if n, err := exp.Int64(); err == nil {
			return time.Unix(n, 0)
		}
	case float64:
		return time.Unix(int64(exp), 0)
	}
	return time.Time{}
}

// open reads the credential of a copy.
func (w *Wallet) open(c Copy) (sdjwt.Parsed, error) {
	var text string
	if err := w.cfg.Sealer.Open(credentialPurpose(c.ID), c.Sealed, &text); err != nil {
		return sdjwt.Parsed{}, fmt.Errorf("hosted: copy %s: %w", c.ID, err)
	}
	return sdjwt.Parse(text)
}

// end ends a copy and destroys its key.
func (w *Wallet) end(ctx context.Context, personID, copyID, licenceID, why string) error {
	err := w.cfg.Store.EndCopy(ctx, personID, copyID, w.cfg.Now(), audit.Event{Kind: "wallet.copy_ended", Actor: personID, Subject: licenceID,
		Detail: map[string]string{"copy": copyID, "reason": why}})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if kerr := w.destroy(ctx, copyID); kerr != nil {
		return kerr
	}
	return err
}

func (w *Wallet) destroy(ctx context.Context, copyID string) error {
	if err := w.cfg.Keys.Destroy(ctx, copyID); err != nil {
		return err
	}
	return w.cfg.Store.CopyGone(ctx, copyID)
}

// destroyEnded destroys the keys of ended copies now. What fails here is done by Sweep.
func (w *Wallet) destroyEnded(ctx context.Context) {
	if err := w.Sweep(ctx); err != nil {
		w.cfg.Log.WarnContext(ctx, "hosted: destroying keys", "error", err)
	}
}

// Sweep ends copies that were never finished, destroys the keys of ended ones, and erases what was shown by links that ended. It may run on several nodes.
func (w *Wallet) Sweep(ctx context.Context) error {
	now := w.cfg.Now()
	ids, err := w.cfg.Store.Unfinished(ctx, now.Add(-halfDone), now, 200)
	if err != nil {
		return err
	}
	for _, id := range ids {
		err = errors.Join(err, w.destroy(ctx, id))
	}
	return errors.Join(err, w.cfg.Store.ForgetShown(ctx, now, 500))
}

// take is the button: it takes a licence, also anew.
func (w *Wallet) take(rw http.ResponseWriter, r *http.Request, v visit) {
	l, _, err := w.mine(r.Context(), v.Citizen, v.form.Get("licence"))
	if err != nil {
		w.refuse(rw, r, v, l, err)
		return
	}
	if !l.InForce {
		w.refuse(rw, r, v, l, ErrNotInForce)
		return
	}
	if err := w.takeCopy(r.Context(), v.Citizen, l); err != nil {
		w.refuse(rw, r, v, l, err)
		return
	}
	to := licencePath(l.ID)
	if asked := askedValues(v.form); asked.Get("asker") != "" {
		asked.Set("type", l.TypeID)
		asked.Set("purpose", v.form.Get("purpose"))
		to = "/wallet/ask?" + asked.Encode()
	}
	http.Redirect(rw, r, to, http.StatusSeeOther)
}

// remove ends the copy. The licence itself stays what it is.
func (w *Wallet) remove(rw http.ResponseWriter, r *http.Request, v visit) {
	l, have, err := w.mine(r.Context(), v.Citizen, v.form.Get("licence"))
	if err == nil && have == nil {
		err = ErrNotFound
	}
	if err == nil {
		err = w.end(r.Context(), v.PersonID, have.ID, l.ID, "removed")
	}
	if err != nil {
		w.refuse(rw, r, v, l, err)
		return
	}
	http.Redirect(rw, r, licencePath(l.ID), http.StatusSeeOther)
}

// mine finds a licence among the citizen's own, with its current copy or nil. Another person's is ErrNotFound, as one that never was.
func (w *Wallet) mine(ctx context.Context, c Citizen, id string) (Licence, *Copy, error) {
	all, copies, err := w.all(ctx, c)
	if err != nil {
		return Licence{}, nil, err
	}
	i := slices.IndexFunc(all, func(l Licence) bool { return l.ID == id })
	if i < 0 {
		return Licence{}, nil, ErrNotFound
	}
	return all[i], copies[id], nil
}

// all lists the citizen's licences and the current copies by licence.
func (w *Wallet) all(ctx context.Context, c Citizen) ([]Licence, map[string]*Copy, error) {
	all, err := w.cfg.Licences.Of(ctx, c.PersonID)
	if err != nil {
		return nil, nil, err
	}
	have, err := w.cfg.Store.Current(ctx, c.PersonID)
	if err != nil {
		return nil, nil, err
	}
	copies := map[string]*Copy{}
	for i, x := range have {
		copies[x.LicenceID] = &have[i]
	}
	return all, copies, nil
}
