package httpx_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
)

// W01: whoever sends slowly, or nothing, or doesn't read, is cut off, and others are served meanwhile. The limits are those of the server; only their length is
// shortened here, or the test would take a minute.
func TestW01SlowPeersAreCutOff(t *testing.T) {
	large := make([]byte, 32<<20)
	srv := httpx.NewServer(httpx.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			_, _ = w.Write(large)
			return
		}
		if _, err := httpx.ReadBody(r); err == nil {
			_, _ = io.WriteString(w, "ok")
		}
	}), httpx.Options{}))
	limits := map[string]*time.Duration{"header": &srv.ReadHeaderTimeout, "body": &srv.ReadTimeout, "answer": &srv.WriteTimeout, "idle": &srv.IdleTimeout}
	for name, limit := range limits {
		if *limit <= 0 || *limit > time.Minute || name == "header" && *limit > 10*time.Second {
			t.Errorf("W01 %s: a limit of %s", name, *limit)
		}
		*limit = 2 * time.Second
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	address := l.Addr().String()
	closed := make(chan string, 500)
	slow := func(name, text string, read bool) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(c, text)
		if !read {
			time.Sleep(5 * time.Second) // the server gives up before
		}
		if n, err := io.Copy(io.Discard, c); err == nil && n < int64(len(large)) || isReset(err) {
			closed <- ""
			return
		}
		closed <- name
	}
	tries := map[string]string{
		"W01 nothing":              "",
		"W01 half a header":        "GET / HTTP/1.1\r\nHost: x\r\nX: ",
		"W01 half a body":          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\na=",
		"W01 one request, no more": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	}
	n := 0
	for name, text := range tries {
		for range 100 {
			n++
			go slow(name, text, true)
		}
	}
	n++
	go slow("W01 an answer that nobody reads", "GET /large HTTP/1.1\r\nHost: x\r\n\r\n", false)
	client := &http.Client{Timeout: 10 * time.Second}
	for range 20 { // a healthy client among them
		resp, err := client.Get("http://" + address + "/")
		if err != nil {
			t.Errorf("W01 a healthy client: %v", err)
			break
		}
		_ = resp.Body.Close()
	}
	for range n {
		if name := <-closed; name != "" {
			t.Errorf("%s: not cut off", name)
		}
	}
}

// isReset says whether the peer closed the connection while data was still under way.
func isReset(err error) bool {
	var timeout net.Error
	return err != nil && !(errors.As(err, &timeout) && timeout.Timeout())
}
