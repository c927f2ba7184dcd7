package sample

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/jose"
)

var errClient = errors.New("client assertion not acceptable")

// token exchanges a code, once, for the client that proves itself and holds the code verifier.
func (p *Province) token(w http.ResponseWriter, r *http.Request) {
	if err := p.authenticate(r.Context(), r); err != nil {
		p.cfg.Log.WarnContext(r.Context(), "token", "province", p.cfg.Info.Code, "err", err)
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	now := p.cfg.Now()
	p.mu.Lock()
	g, ok := p.codes[r.PostFormValue("code")]
	if !p.keepCodes {
		delete(p.codes, r.PostFormValue("code"))
	}
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || now.After(g.Expires) || r.PostFormValue("grant_type") != "authorization_code" ||
		r.PostFormValue("redirect_uri") != p.cfg.RedirectURI || base64.RawURLEncoding.EncodeToString(sum[:]) != g.Challenge {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	access := rand.Text()
	idToken, err := p.idToken(g, access, now)
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
		return
	}
	g.Expires = now.Add(tokenLife)
	p.mu.Lock()
	forget(p.tokens, func(g grant) bool { return now.After(g.Expires) })
	p.tokens[access] = g
	p.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": int(tokenLife / time.Second), "id_token": idToken})
}

// authenticate checks private_key_jwt (RFC 7523): our issuer as the only audience, short life, each assertion once.
func (p *Province) authenticate(ctx context.Context, r *http.Request) error {
	if r.PostFormValue("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return errClient
	}
	u, err := jose.ParseUnverified(r.PostFormValue("client_assertion"), jose.Policy{Typ: []string{"", "JWT", "client-authentication+jwt"}, Algs: []jose.Alg{jose.ES256}})
	if err != nil {
		return err
	}
	keys, err := p.clientKeys(ctx, false)
	if err != nil {
		return err
	}
	v, err := u.Verify(keys...)
	if errors.Is(err, jose.ErrNoKey) {
		if keys, err = p.clientKeys(ctx, true); err == nil {
			v, err = u.Verify(keys...)
		}
	}
	if err != nil {
		return err
	}
	now := p.cfg.Now()
	claims, err := v.Claims(jose.ClaimPolicy{Issuer: p.cfg.ClientID, Audience: p.cfg.BaseURL, At: now, Leeway: 30 * time.Second,
		MaxLifetime: 5 * time.Minute, RequireJTI: true})
	if err != nil {
		return err
	}
	jti, _ := claims.String("jti")
	p.mu.Lock()
	defer p.mu.Unlock()
	forget(p.seen, func(until time.Time) bool { return now.After(until) })
	if _, again := p.seen[jti]; again || claims["sub"] != p.cfg.ClientID {
		return errClient
	}
	p.seen[jti] = now.Add(10 * time.Minute)
	return nil
}

func (p *Province) idToken(g grant, access string, now time.Time) (string, error) {
	sum := sha256.Sum256([]byte(access))
	claims := map[string]any{
		"iss": p.cfg.BaseURL, "sub": p.subject(g.Person), "aud": p.cfg.ClientID, "nonce": g.Nonce,
		"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(), "auth_time": g.AuthTime.Unix(),
		"acr": p.cfg.Info.acr(g.Person.Level), "amr": []string{"sample"},
		"at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
	}
	fault := p.faults.get()
	fault.mangle(claims, now, p.cfg.Info.acr(upstream.Level4))
	p.mu.Lock()
	key := p.key
	if p.signer != nil {
		key = *p.signer
	}
	if fault == BadSignature {
		key = p.rogue
	}
	p.mu.Unlock()
	header := jose.Header{Typ: "JWT"}
	if fault == WrongType {
		header.Typ = "at+jwt"
	}
	return jose.SignJSON(key, header, claims)
}

// subject is the province's own identifier of a person: not the slug, and not the same at two provinces.
func (p *Province) subject(person Person) string {
	sum := sha256.Sum256([]byte(p.cfg.Info.Code + "\x00" + person.Slug))
	return p.cfg.Info.Code[:2] + "-" + base64.RawURLEncoding.EncodeToString(sum[:15])
}

func (p *Province) userinfo(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	p.mu.Lock()
	g, known := p.tokens[token]
	p.mu.Unlock()
	if !ok || !known || p.cfg.Now().After(g.Expires) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_token"})
		return
	}
	claims := map[string]any{"sub": p.subject(g.Person), "name": g.Person.Name, "birthdate": g.Person.Birthdate, "gender": g.Person.Gender,
		"phone_number": g.Person.Phone, "phone_number_verified": true, "resident_id": g.Person.ResidentID}
	if p.faults.get() == ForeignUserinfo {
		claims["sub"] = "somebody-else"
	}
	writeJSON(w, http.StatusOK, claims)
}
