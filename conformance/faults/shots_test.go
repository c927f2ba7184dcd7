//go:build conformance

package faults_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// How often each kind of single-use thing is raced, and by how many requests at once.
const (
	things = 200
	copies = 20
)

// shot is one request.
type shot struct {
	method, path string
	header       map[string]string
	body         string
	after        time.Duration // how much later than the others it is fired
}

func postForm(path string, form url.Values, header map[string]string) shot {
	h := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	for k, v := range header {
		h[k] = v
	}
	return shot{method: http.MethodPost, path: path, header: h, body: form.Encode()}
}

// answer is what a node said. Status 0 is no answer at all.
type answer struct {
	node     int
	status   int
	kind     string // media type
	location string
	body     string
	err      error
}

// code is the error of a protocol answer.
func (a answer) code() string {
	var e struct {
		Error string `json:"error"`
		Code  string `json:"code"`
	}
	_ = json.Unmarshal([]byte(a.body), &e)
	return e.Error + e.Code
}

func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.status, a.code()))
}

// send asks one node, under the name of the origin.
func (c *cluster) send(to int, s shot) answer {
	req, err := http.NewRequest(s.method, c.nodes[to].url+s.path, strings.NewReader(s.body))
	if err != nil {
		return answer{node: to, err: err}
	}
	req.Host = host
	for k, v := range s.header {
		req.Header.Set(k, v)
	}
	res, err := c.nodes[to].client.Do(req)
	if err != nil {
		return answer{node: to, err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	return answer{to, res.StatusCode, kind, res.Header.Get("Location"), string(body), err}
}

// do asks the nodes in turn and decodes the JSON answer, which must have the status.
func (c *cluster) do(turn int, s shot, status int, into any) error {
	a := c.send(turn%2, s)
	if a.err != nil || a.status != status {
		return fmt.Errorf("%s %s: %s: %s", s.method, s.path, a, a.body)
	}
	return json.Unmarshal([]byte(a.body), into)
}

// volley sends all shots at once, alternately to the two nodes.
func (c *cluster) volley(shots []shot) []answer {
	out := make([]answer, len(shots))
	start := make(chan struct{})
	var all sync.WaitGroup
	for k, s := range shots {
		all.Add(1)
		go func() {
			defer all.Done()
			<-start
			time.Sleep(s.after)
			out[k] = c.send(k%2, s)
		}()
	}
	close(start)
	all.Wait()
	return out
}

// rule says how the answers of a race must look.
type rule struct {
	// winners is how many of the copies of a thing must win; the others must lose.
	winners   int
	won, lost func(answer) bool
}

// result counts over all things of a race.
type result struct {
	name    string
	things  int
	wins    [2]int // by node
	winning []answer
	lost    map[string]int
	took    time.Duration
	faults  int
}

// race fires the copies of every thing and holds the answers against the rule. It may be called several times with one result, in parts.
func (c *cluster) race(t *testing.T, r *result, n int, rule rule, shots func(i int) []shot) {
	t.Helper()
	if r.lost == nil {
		r.lost = map[string]int{}
	}
	begin := time.Now()
	for i := range n {
		wins := 0
		for _, a := range c.volley(shots(i)) {
			switch {
			case rule.won(a):
				wins++
				r.wins[a.node]++
				r.winning = append(r.winning, a)
			case rule.lost(a):
				r.lost[a.String()]++
			default:
				if r.faults++; r.faults <= 5 {
					t.Errorf("%s %d: node %d answered %s: %.300s\n%s", r.name, i, a.node, a, a.body, c.nodes[a.node].tail())
				}
			}
		}
		if wins != rule.winners {
			t.Errorf("%s %d: %d winners instead of %d", r.name, i, wins, rule.winners)
		}
	}
	r.things += n
	r.took += time.Since(begin)
}

func (r *result) report(t *testing.T) {
	t.Helper()
	t.Logf("%s: %d x %d in %s, won at node A %d and B %d, lost: %v", r.name, r.things, copies, r.took.Round(100*time.Millisecond), r.wins[0], r.wins[1], r.lost)
	if r.faults > 0 {
		t.Errorf("%s: %d answers were neither a success nor the right error", r.name, r.faults)
	}
}

// jsonError is a loser's answer of a protocol endpoint.
func jsonError(status int, code string) func(answer) bool {
	return func(a answer) bool {
		return a.err == nil && a.status == status && a.code() == code && a.kind == "application/json"
	}
}

// problem is the same of our own APIs.
func problem(status int, codes ...string) func(answer) bool {
	return func(a answer) bool {
		return a.err == nil && a.status == status && slices.Contains(codes, a.code()) && a.kind == "application/problem+json"
	}
}

func ok(a answer) bool { return a.err == nil && a.status == http.StatusOK }

// same returns copies of one shot.
func same(s shot) []shot {
	out := make([]shot, copies)
	for k := range out {
		out[k] = s
	}
	return out
}

// prepare does n things eight at a time and fails the test when one fails.
func prepare(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	gate := make(chan struct{}, 8)
	var all sync.WaitGroup
	for i := range n {
		all.Add(1)
		gate <- struct{}{}
		go func() {
			defer func() { <-gate; all.Done() }()
			errs[i] = do(i)
		}()
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
