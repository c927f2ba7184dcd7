package accept_test

import (
	"testing"

	"github.com/hufu-id/hufu/wallet/status/accept"
)

func TestQuality(t *testing.T) {
	for header, want := range map[string]float64{
		"": 1, " ": 1, "*/*": 1, "a/b": 1, "A/B": 1, "a/*;q=0.5": 0.5, "*/*;q=0.1, a/b;q=0.7": 0.7, "a/b;q=0, */*": 0, "a/*;q=0, */*": 0,
		"text/html": 0, "a/b;q=x": 0, "a/b;q=-1": 0, "a/b;q=NaN": 0, "a/b;q=2": 0, ";;;, a/b": 1, "a/bc": 0,
	} {
		if got := accept.Quality([]string{header}, "a/b"); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
	if accept.Quality(nil, "a/b") != 1 {
		t.Error("no header takes all")
	}
}

func TestCoding(t *testing.T) {
	for header, want := range map[string]bool{"": false, "gzip": true, "br, GZIP ; q=0.5": true, "gzip;q=0": false, "*": false, "identity": false, "gzip;q=x": false} {
		if got := accept.Coding([]string{header}, "gzip"); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}
