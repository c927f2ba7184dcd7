package jose

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var at = time.Unix(1_800_000_000, 0)

func claims(t *testing.T, payload string, p ClaimPolicy) (Claims, error) {
	t.Helper()
	return Verified{payload: []byte(payload)}.Claims(p)
}

func TestClaimsAreChecked(t *testing.T) {
	now := at.Unix()
	base := ClaimPolicy{Issuer: "https://i", Audience: "me", At: at, Leeway: 30 * time.Second, MaxAge: 5 * time.Minute, MaxLifetime: time.Hour, RequireIat: true, RequireJTI: true}
	good := map[string]string{"iss": `"https://i"`, "aud": `"me"`, "exp": fmt.Sprint(now + 60), "iat": fmt.Sprint(now), "jti": `"j"`}
	cases := []struct {
		name, claim, value string
		want               error
	}{
		{"as is", "x", `1`, nil},
		{"wrong issuer", "iss", `"https://i/"`, ErrIssuer},
		{"no issuer", "iss", ``, ErrIssuer},
		{"issuer in a list", "iss", `["https://i"]`, ErrIssuer},
		{"wrong audience", "aud", `"you"`, ErrAudience},
		{"no audience", "aud", ``, ErrAudience},
		{"audience in a list", "aud", `["me"]`, ErrAudience},
		{"audience prefix", "aud", `"me/x"`, ErrAudience},
		{"no exp", "exp", ``, ErrClaim},
		{"exp a string", "exp", `"` + fmt.Sprint(now+60) + `"`, ErrClaim},
		{"exp null", "exp", `null`, ErrClaim},
		{"exp scientific", "exp", `1.8e9`, ErrClaim},
		{"exp with a fraction", "exp", fmt.Sprint(now+60) + ".5", ErrClaim},
		{"exp negative", "exp", `-1`, ErrClaim},
		{"exp beyond int64", "exp", `99999999999999999999`, ErrClaim},
		{"exp overflowing time", "exp", `9223372036854775807`, ErrClaim},
		{"exp just over, in leeway", "exp", fmt.Sprint(now - 29), nil},
		{"exp over by leeway", "exp", fmt.Sprint(now - 30), ErrExpired},
		{"exp too far", "exp", fmt.Sprint(now + 3601), ErrLifetime},
		{"exp as far as allowed", "exp", fmt.Sprint(now + 3600), nil},
		{"no iat", "iat", ``, ErrClaim},
		{"iat in leeway", "iat", fmt.Sprint(now + 30), nil},
		{"iat in the future", "iat", fmt.Sprint(now + 31), ErrNotYetValid},
		{"iat old but allowed", "iat", fmt.Sprint(now - 330), nil},
		{"iat too old", "iat", fmt.Sprint(now - 331), ErrTooOld},
		{"nbf passed", "nbf", fmt.Sprint(now + 30), nil},
		{"nbf in the future", "nbf", fmt.Sprint(now + 31), ErrNotYetValid},
		{"nbf a string", "nbf", `"1"`, ErrClaim},
		{"no jti", "jti", ``, ErrClaim},
		{"jti empty", "jti", `""`, ErrClaim},
		{"jti a number", "jti", `1`, ErrClaim},
		{"jti long", "jti", `"` + strings.Repeat("j", 257) + `"`, ErrClaim},
		{"issuer twice", "x", `1,"iss":"https://i"`, ErrDuplicateMember},
	}
	for _, c := range cases {
		var members []string
		for name, value := range good {
			if name == c.claim {
				value = c.value
			}
			if value != "" {
				members = append(members, `"`+name+`":`+value)
			}
		}
		if _, ok := good[c.claim]; !ok {
			members = append(members, `"`+c.claim+`":`+c.value)
		}
		_, err := claims(t, "{"+strings.Join(members, ",")+"}", base)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestClaimPolicyZeroValue(t *testing.T) {
	if _, err := claims(t, `{"exp":9999999999}`, ClaimPolicy{}); !errors.Is(err, ErrClaim) {
		t.Errorf("no clock: %v", err)
	}
	if _, err := claims(t, `{}`, ClaimPolicy{At: at}); !errors.Is(err, ErrClaim) {
		t.Errorf("no exp: %v", err)
	}
	if _, err := claims(t, `{}`, ClaimPolicy{At: at, OptionalExp: true}); err != nil {
		t.Error(err)
	}
	if _, err := claims(t, `{"exp":1}`, ClaimPolicy{At: at, OptionalExp: true}); !errors.Is(err, ErrExpired) {
		t.Errorf("an optional exp that has passed: %v", err)
	}
	if _, err := claims(t, `{"exp":1800003601}`, ClaimPolicy{At: at, MaxLifetime: time.Hour}); !errors.Is(err, ErrLifetime) {
		t.Errorf("lifetime without iat: %v", err)
	}
	list := ClaimPolicy{At: at, OptionalExp: true, Audience: "me", AudienceArrayOK: true}
	for payload, ok := range map[string]bool{`{"aud":["you","me"]}`: true, `{"aud":"me"}`: true, `{"aud":["you"]}`: false, `{"aud":["me",1]}`: false, `{"aud":[]}`: false} {
		if _, err := claims(t, payload, list); ok != (err == nil) {
			t.Errorf("%s: %v", payload, err)
		}
	}
	for _, payload := range []string{``, `null`, `[]`, `"x"`, `{}{}`, "{\"x\":\"\xff\"}"} {
		if _, err := claims(t, payload, ClaimPolicy{At: at, OptionalExp: true}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", payload, err)
		}
	}
	if _, err := (Verified{}).Claims(ClaimPolicy{At: at, OptionalExp: true}); err == nil {
		t.Error("the zero Verified has claims")
	}
}

func TestClaimHelpers(t *testing.T) {
	c, err := claims(t, `{"s":"x","n":9007199254740993,"f":1.5,"l":["a","b"],"e":[],"t":1800000000}`, ClaimPolicy{At: at, OptionalExp: true})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := c.String("s"); s != "x" || err != nil {
		t.Error(s, err)
	}
	if n, err := c.Int("n"); n != 9007199254740993 || err != nil {
		t.Error(n, err)
	}
	if l, err := c.StringList("l"); len(l) != 2 || err != nil {
		t.Error(l, err)
	}
	if l, err := c.StringList("s"); len(l) != 1 || err != nil {
		t.Error(l, err)
	}
	if tm, err := c.Time("t"); !tm.Equal(at) || err != nil {
		t.Error(tm, err)
	}
	for _, name := range []string{"n", "missing"} {
		if _, err := c.String(name); !errors.Is(err, ErrClaim) {
			t.Error(name, err)
		}
		if _, err := c.StringList(name); !errors.Is(err, ErrClaim) {
			t.Error(name, err)
		}
	}
	for _, name := range []string{"s", "f", "missing"} {
		if _, err := c.Int(name); !errors.Is(err, ErrClaim) {
			t.Error(name, err)
		}
		if _, err := c.Time(name); !errors.Is(err, ErrClaim) {
			t.Error(name, err)
		}
	}
}
