package dpop

import "testing"

// FuzzNormalise: what is normal stays as it is, so that two spellings can't be equal one way and different the other.
func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"https://a.example", "HTTP://A.example:80/%7e/../%2f/./%41?q#f", "http://[::1]:8080//a//", "https://a.example:443:443/", "https://a.example/%2e%2e/b", "https://a/%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once, err := normalise(raw)
		if err != nil {
			return
		}
		if twice, err := normalise(once); err != nil || twice != once {
			t.Errorf("%q became %q, then %q: %v", raw, once, twice, err)
		}
	})
}
