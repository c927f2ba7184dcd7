package claim

import (
	"bytes"
	"testing"
)

func TestU08PairwiseSubjects(t *testing.T) {
	p, err := NewPairwise(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	q, _ := NewPairwise(bytes.Repeat([]byte{2}, 32))
	one := p.Subject("org:a", "x")
	if len(one) != 43 || one != p.Subject("org:a", "x") {
		t.Error("a subject is 43 characters and stays the same")
	}
	for name, other := range map[string]string{"sector": p.Subject("org:b", "x"), "person": p.Subject("org:a", "y"), "moved border": p.Subject("org:", "ax"),
		"another secret": q.Subject("org:a", "x"), "session": p.SessionID("org:a", "x")} {
		if other == one {
			t.Errorf("%s: the same subject", name)
		}
	}
	if p.SessionID("c1", "s") == p.SessionID("c2", "s") {
		t.Error("one sid for two clients joins what subjects keep apart")
	}
	if _, err := NewPairwise(make([]byte, 31)); err == nil {
		t.Error("a short secret was taken")
	}
}
