package registration

import (
	"context"
	"errors"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/client"
)

// Judge is what happens to the body of a registration, without a store or a network.
func Judge(p Policy, body []byte) (client.Client, error) {
	h := New(Config{Issuer: "https://id.example", Policy: p, HTTP: nowhere{}, Now: time.Now})
	m, err := parse(body)
	if err != nil {
		return client.Client{}, err
	}
	c, _, _, err := h.build(context.Background(), client.Client{ID: newID(), Registration: client.Registration{Dynamic: true}}, m)
	return c, err
}

type nowhere struct{}

func (nowhere) Get(context.Context, string) (*httpx.Response, error) {
	return nil, errors.New("nowhere")
}
