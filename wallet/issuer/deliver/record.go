package deliver

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/wallet/issuer/format"
	"github.com/hufu-id/hufu/wallet/issuer/port"
)

type laid = format.Laid

// record reserves an index for each copy, lays all of them out and records them, by as many statements as for one.
func (d *Desk) record(ctx context.Context, o order, licence port.Licence, person port.Person) (batch []laid, notificationID string, err error) {
	now := d.cfg.Now()
	iat := coarse(now, o.signer)
	exp := iat.Truncate(time.Hour).Add(o.conf.Type.Life()) // on the hour also where iat is not
	copies := make([]port.Issuance, len(o.keys))
	ids := make([]string, len(o.keys))
	for n := range ids {
		if ids[n], err = d.cfg.OpaqueID(); err != nil {
			return nil, "", err
		}
	}
	refs, err := d.cfg.Status.Allocate(ctx, licence.ID, ids, o.conf.Type.ID, exp)
	if err != nil {
		return nil, "", fmt.Errorf("issuer: allocating status indices: %w", err)
	}
	content := format.Content{Type: o.conf.Type, Issuer: o.authority.Identifier, Claims: licence.Claims, NameSpaces: licence.NameSpaces, Issued: iat, Expires: exp}
	for n, key := range o.keys {
		l, err := format.LayOut(o.conf.Format, content, format.Copy{Holder: key, Status: refs[n], Random: d.cfg.Rand})
		if err != nil {
			return nil, "", err
		}
		sum := sha256.Sum256(l.Payload)
		batch = append(batch, l)
		copies[n] = port.Issuance{ID: ids[n], TypeID: o.conf.Type.ID, HolderKey: key.Thumbprint(), Status: refs[n],
			PayloadHash: base64.RawURLEncoding.EncodeToString(sum[:])}
	}
	if notificationID, err = d.cfg.OpaqueID(); err != nil {
		return nil, "", err
	}
	set := port.Issued{ID: port.Hash(notificationID), Authority: o.authority.Code, ConfigurationID: o.conf.ID, LicenceID: licence.ID,
		PersonID: person.ID, OfferID: o.token.OfferID, GrantID: o.token.GrantID, ClientID: o.token.ClientID, Instance: instance(o.token),
		SignerKey: o.signer.Key.ID, IssuedAt: iat, ExpiresAt: exp, RecordedAt: now, Copies: copies}
	return batch, notificationID, d.cfg.Store.Record(ctx, set, d.cfg.PerGrant, audit.Event{Kind: "issuer.credential_recorded", Actor: Actor(o.token, person.ID),
		Subject: licence.ID, Client: o.token.ClientID, Detail: map[string]string{"set": set.ID, "configuration": o.conf.ID, "key": o.signer.Key.ID,
			"copies": strconv.Itoa(len(copies))}})
}

// instance names the device that copies are for: the instance of the wallet where it showed one, else the authorization, which no two devices share.
func instance(t port.AccessToken) string {
	if t.Instance != "" {
		return "instance:" + t.Instance
	}
	return "grant:" + t.GrantID
}

// coarse is the time of issue as the credential says it: the full hour, so that copies and their showings can't be linked by
// it. It is never before the signer's certificate, which would make the credential look forged.
func coarse(now time.Time, s port.Signer) time.Time {
	t := now.UTC().Truncate(time.Hour)
	if len(s.Chain) == 0 {
		return t
	}
	leaf, err := x509.ParseCertificate(s.Chain[0])
	if err == nil && leaf.NotBefore.After(t) && !leaf.NotBefore.After(now) {
		return leaf.NotBefore.UTC()
	}
	return t
}
