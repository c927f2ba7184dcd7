package apptest

import "sync"

// tail keeps the end of a log. Safe for concurrent use.
type tail struct {
	mu sync.Mutex
	b  []byte
}

// keepLog is how much of a log is kept, in bytes.
const keepLog = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - keepLog; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
