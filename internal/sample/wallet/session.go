package wallet

import (
	"encoding/json"
	"fmt"

	"github.com/hufu-id/hufu/internal/jose"
)

// session is the file form of what a wallet needs to ask an issuer again. Like everything here it holds secrets in the clear.
type session struct {
	Issuer         string          `json:"issuer"`
	Server         string          `json:"authorization_server"`
	ClientID       string          `json:"client_id,omitempty"`
	Token          Token           `json:"token"`
	Key            json.RawMessage `json:"dpop_key,omitempty"`
	Instance       json.RawMessage `json:"instance_key,omitempty"`
	NotificationID string          `json:"notification_id,omitempty"`
	Pending        *pending        `json:"pending,omitempty"`
}

type pending struct {
	TransactionID string            `json:"transaction_id"`
	Interval      int               `json:"interval"`
	Keys          []json.RawMessage `json:"keys"`
}

// Session is what SaveSession and LoadSession carry from one run of a program to the next.
type Session struct {
	// Issuer and Server are the Credential Issuer and its authorization server. ClientID is how the token was got.
	Issuer, Server, ClientID string
	Token                    Token
	NotificationID           string
	// Pending is a credential that was put off, nil when none was.
	Pending *Pending
}

// SaveSession writes the session with the wallet's keys for it.
func (w *Wallet) SaveSession(s Session) (json.RawMessage, error) {
	out := session{Issuer: s.Issuer, Server: s.Server, ClientID: s.ClientID, Token: s.Token, NotificationID: s.NotificationID}
	var err error
	if s.Token.key != nil {
		if out.Key, err = jose.MarshalPrivateJWK(*s.Token.key); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	instance, ok := w.instances[s.Server]
	w.mu.Unlock()
	if ok {
		if out.Instance, err = jose.MarshalPrivateJWK(instance); err != nil {
			return nil, err
		}
	}
	if s.Pending != nil {
		out.Pending = &pending{TransactionID: s.Pending.TransactionID, Interval: int(s.Pending.Interval.Seconds())}
		for _, key := range s.Pending.Keys {
			b, err := jose.MarshalPrivateJWK(key)
			if err != nil {
				return nil, err
			}
			out.Pending.Keys = append(out.Pending.Keys, b)
		}
	}
	return json.Marshal(out)
}

// LoadSession reads what SaveSession wrote, and makes the instance key the wallet's.
func (w *Wallet) LoadSession(b json.RawMessage) (Session, error) {
	var in session
	if err := json.Unmarshal(b, &in); err != nil {
		return Session{}, fmt.Errorf("wallet: %w", err)
	}
	s := Session{Issuer: in.Issuer, Server: in.Server, ClientID: in.ClientID, Token: in.Token, NotificationID: in.NotificationID}
	if len(in.Key) > 0 {
		key, err := jose.ParsePrivateJWK(in.Key)
		if err != nil {
			return Session{}, fmt.Errorf("wallet: %w", err)
		}
		s.Token.key = &key
	}
	if len(in.Instance) > 0 {
		key, err := jose.ParsePrivateJWK(in.Instance)
		if err != nil {
			return Session{}, fmt.Errorf("wallet: %w", err)
		}
		w.mu.Lock()
		w.instances[s.Server] = key
		w.mu.Unlock()
	}
	if in.Pending != nil {
		s.Pending = &Pending{TransactionID: in.Pending.TransactionID, Interval: seconds(in.Pending.Interval)}
		for _, raw := range in.Pending.Keys {
			key, err := jose.ParsePrivateJWK(raw)
			if err != nil {
				return Session{}, fmt.Errorf("wallet: %w", err)
			}
			s.Pending.Keys = append(s.Pending.Keys, key)
		}
	}
	return s, nil
}
