package oidc_test

import (
	"context"
	"strings"
	"testing"
	"time"
)

// A client replaces what it said of itself, and nothing that an operator decided about it.
func TestAClientCannotPutAwayWhatAnOperatorSet(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	ctx := context.Background()
	status, got := e.register("POST", "/connect/register", "", `{"redirect_uris":["https://rp.example/cb"],"client_name":"One"}`)
	if status != 201 {
		t.Fatalf("registering: %d %v", status, got)
	}
	id := got["client_id"].(string)
	c, err := e.op.Clients().Get(ctx, id)
	must(t, err)
	c.RequiredACR, c.Organisation, c.Resources = "loa4", "1199440000TRY002X9", []string{"https://api.example"}
	must(t, e.op.Clients().Put(ctx, c))
	status, got = e.register("PUT", "/connect/register/"+id, got["registration_access_token"].(string),
		`{"client_id":"`+id+`","redirect_uris":["https://rp.example/cb"],"client_name":"Two"}`)
	if status != 200 {
		t.Fatalf("replacing: %d %v", status, got)
	}
	e.clock.add(2 * time.Second)
	now, err := e.op.Clients().Get(ctx, id)
	must(t, err)
	if now.Name.EN != "Two" {
		t.Errorf("twin: the name: %v", now.Name)
	}
	if now.RequiredACR != "loa4" || now.Organisation != c.Organisation || strings.Join(now.Resources, " ") != "https://api.example" {
		t.Errorf("put away: %q %q %v", now.RequiredACR, now.Organisation, now.Resources)
	}
}
