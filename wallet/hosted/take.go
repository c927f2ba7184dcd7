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
	"github.com/hufu-id/hufu/wallet/hosted/content"
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

// TakeCopy takes a licence into a new copy with a key of its own, which replaces the one before. The row comes first, so that whatever happens after it, a
// sweep finds the key and destroys it.
func (w *Wallet) TakeCopy(ctx context.Context, c Citizen, l Licence) error {
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

// fill makes the copy's keys, has credentials issued for them as every wallet has, and seals them. A licence that has no mdoc form for now is taken without.
func (w *Wallet) fill(ctx context.Context, c Citizen, l Licence, made *Copy) error {
	vc, err := w.obtain(ctx, c, l, content.SDJWT, made.ID)
	if err != nil {
		return err
	}
	var doc string
	if len(l.Elements) > 0 {
		doc, err = w.obtain(ctx, c, l, content.MDoc, mdocKey(made.ID))
		if err != nil && !errors.Is(err, ErrNoForm) {
			return err
		}
	}
	made.Sealed, made.ExpiresAt, err = content.Seal(w.cfg.Sealer, credentialPurpose(made.ID), vc, doc)
	return err
}

// obtain has one credential issued for a key of its own.
func (w *Wallet) obtain(ctx context.Context, c Citizen, l Licence, format, keyID string) (string, error) {
	key, err := w.cfg.Keys.Ensure(ctx, keyID)
	if err != nil {
		return "", err
	}
	return w.cfg.Issuer.Issue(ctx, c, l, format, func(nonce, audience string) (string, error) {
		pub, err := key.Public()
		if err != nil {
			return "", err
		}
		return jose.SignJSON(key, jose.Header{Typ: proofType, JWK: &pub}, map[string]any{"aud": audience, "iat": w.cfg.Now().Unix(), "nonce": nonce})
	})
}

// mdocKey names the key of a copy's mdoc: not that of its SD-JWT VC, or what is shown in one form could be told to be the same person's as in the other.
func mdocKey(copyID string) string { return copyID + "-mdoc" }

// open reads the credentials of a copy.
func (w *Wallet) open(c Copy) (content.Copy, error) {
	out, err := content.Open(w.cfg.Sealer, credentialPurpose(c.ID), c.Sealed)
	if err != nil {
		return content.Copy{}, fmt.Errorf("hosted: copy %s: %w", c.ID, err)
	}
	return out, nil
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
	if err := errors.Join(w.cfg.Keys.Destroy(ctx, copyID), w.cfg.Keys.Destroy(ctx, mdocKey(copyID))); err != nil {
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
	if err := w.TakeCopy(r.Context(), v.Citizen, l); err != nil {
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
