package apptest

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// offsets are the ports that hufu dev takes above its base.
var offsets = []int{0, 1, 2, 3, 10, 11}

// bases are those that this process gave out: a stopped server's ports are not taken by the next one while a browser may still go there.
var bases struct {
	sync.Mutex
	used map[int]bool
}

// freeBase finds a base whose ports are free, below the range from which systems take ports for outgoing connections.
func freeBase() (int, error) {
	bases.Lock()
	defer bases.Unlock()
	if bases.used == nil {
		bases.used = map[int]bool{}
	}
	for try := 0; try < 200; try++ {
		base := 15000 + 20*rand.IntN(800) // not a secret: any free port does
		if !bases.used[base] && free(base) {
			bases.used[base] = true
			return base, nil
		}
	}
	return 0, errors.New("no free ports for hufu dev")
}

func free(base int) bool {
	for _, o := range offsets {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+o)))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

// FreePort returns a free loopback port, for a client's own listener.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
