package logout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
)

// TokenLife is how long a logout token is good: it is made anew for each attempt (Back-Channel Logout 1.0 section 2.4 recommends two minutes).
const TokenLife = 2 * time.Minute

// Keep is how long a delivery is kept for the client's developers; GiveUp is the age at which no attempt is begun any more.
const (
	Keep   = 7 * 24 * time.Hour
	GiveUp = 2 * time.Hour
)

// pauses follow each failed attempt; after the attempt that follows the last one it is given up.
var pauses = [...]time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}

// hold is how long an attempt belongs to who began it: longer than a request can take. After a crash the next one comes then, with the
// same jti, for the client may have heard the first.
const hold = 30 * time.Second

// Type is the typ header of logout tokens. It keeps any other token of ours from passing as one.
const Type = "logout+jwt"

// event is the one event that a logout token tells of.
const event = "http://schemas.openid.net/event/backchannel-logout"

// claims of a logout token (section 2.4). There is no nonce, so that it can't pass as an ID token either.
type claims struct {
	Issuer   string              `json:"iss"`
	Subject  string              `json:"sub"`
	Audience string              `json:"aud"`
	IssuedAt int64               `json:"iat"`
	Expires  int64               `json:"exp"`
	ID       string              `json:"jti"`
	SID      string              `json:"sid"`
	Events   map[string]struct{} `json:"events"`
}

// attempt claims one attempt, makes it, and writes how it ended. It says whether the client answered.
func (b *Backchannel) attempt(ctx context.Context, d Delivery, late bool) (reached bool, err error) {
	now := b.cfg.Now()
	err = b.cfg.Store.Claim(ctx, d, now, now.Add(hold))
	if errors.Is(err, ErrLost) {
		return true, nil // somebody else's
	}
	if err != nil {
		return false, fmt.Errorf("logout: claiming: %w", err)
	}
	d.Attempts, d.At = d.Attempts+1, now
	if late {
		d.State, d.Error = GivenUp, TooLate
		return true, b.settle(ctx, d)
	}
	d.State, d.Error, err = b.send(ctx, d)
	if err != nil {
		return false, err
	}
	if d.Error != "" {
		b.cfg.Log.InfoContext(ctx, "logout not delivered", "client", d.ClientID, "delivery", d.ID, "attempt", d.Attempts, "error", d.Error)
	}
	if d.State == Waiting {
		if d.Attempts > len(pauses) {
			d.State = GivenUp
		} else {
			d.NextAt = b.cfg.Now().Add(pauses[d.Attempts-1])
		}
	}
	return d.Error != Unreachable, b.settle(ctx, d)
}

// send posts the token (section 2.5). An error is a fault of ours, not of the client.
func (b *Backchannel) send(ctx context.Context, d Delivery) (State, string, error) {
	c, err := b.cfg.Clients.Get(ctx, d.ClientID)
	if errors.Is(err, client.ErrUnknown) || err == nil && c.BackchannelLogoutURI == "" {
		return GivenUp, ClientGone, nil
	}
	if err != nil {
		return 0, "", err
	}
	token, err := b.token(ctx, c, d)
	if err != nil {
		return 0, "", fmt.Errorf("logout: token: %w", err)
	}
	if token, err = b.cfg.Encrypt(ctx, c, token); err != nil {
		return Waiting, NoKey, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BackchannelLogoutURI, strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	if err != nil {
		return Waiting, BadAddress, nil
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := b.cfg.Outgoing.Do(req)
	switch {
	case errors.Is(err, httpx.ErrAddress), errors.Is(err, httpx.ErrURL):
		return Waiting, BadAddress, nil
	case errors.Is(err, httpx.ErrAnswer):
		return Waiting, "status_200", nil // a body beyond all measure
	case err != nil:
		return Waiting, Unreachable, nil
	case answer.Status == http.StatusOK, answer.Status == http.StatusNoContent:
		return Delivered, "", nil
	case answer.Status == http.StatusBadRequest:
		return Refused, "status_400", nil
	}
	return Waiting, "status_" + strconv.Itoa(answer.Status), nil
}

func (b *Backchannel) token(ctx context.Context, c client.Client, d Delivery) (string, error) {
	key, err := b.cfg.SigningKey(ctx, c.IDTokenAlg())
	if err != nil {
		return "", err
	}
	now := b.cfg.Now()
	return jose.SignJSON(key, jose.Header{Typ: Type}, claims{Issuer: b.cfg.Issuer, Subject: d.Subject, Audience: d.ClientID, IssuedAt: now.Unix(),
		Expires: now.Add(TokenLife).Unix(), ID: d.ID, SID: d.SID, Events: map[string]struct{}{event: {}}})
}

// settle writes the outcome; its end is an audit event, an attempt that failed is not.
func (b *Backchannel) settle(ctx context.Context, d Delivery) error {
	err := b.cfg.Store.InTx(ctx, func(ctx context.Context) error {
		if err := b.cfg.Store.Settle(ctx, d); err != nil || d.State == Waiting {
			return err
		}
		return b.cfg.Store.Audit(ctx, audit.Event{Kind: audit.Kind("oidc.logout_" + d.State.String()), Actor: "system", Subject: d.ID, Client: d.ClientID,
			Detail: map[string]string{"attempts": strconv.Itoa(d.Attempts), "error": d.Error}})
	})
	if errors.Is(err, ErrLost) {
		return nil // our attempt took longer than it was ours
	}
	if err != nil {
		return fmt.Errorf("logout: settling: %w", err)
	}
	return nil
}
