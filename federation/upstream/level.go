package upstream

import (
	"fmt"
	"strconv"
	"strings"
)

// Level is one of the four national assurance levels, loa1 to loa4; LevelNone is "nothing proven" and lowest.
type Level int

// The levels in rising order.
const (
	LevelNone Level = iota
	Level1          // self-asserted, phone bound
	Level2          // name and number matched at a register
	Level3          // real name and a second authenticator on a bound device
	Level4          // real person: face, chip or counter, with a phishing-resistant authenticator
)

// ParseLevel reads "loa1" to "loa4"; nothing else is a level.
func ParseLevel(s string) (Level, error) {
	digits, ok := strings.CutPrefix(s, "loa")
	if n, err := strconv.Atoi(digits); ok && err == nil && len(digits) == 1 && n >= 1 && n <= 4 {
		return Level(n), nil
	}
	return LevelNone, fmt.Errorf("upstream: %q is not a level", s)
}

// String returns the acr value, "" for LevelNone.
func (l Level) String() string {
	if l < Level1 || l > Level4 {
		return ""
	}
	return "loa" + strconv.Itoa(int(l))
}

// Under returns the lower of the two: what a province asserts is never worth more than the level it was admitted for.
func (l Level) Under(ceiling Level) Level { return min(l, ceiling) }
