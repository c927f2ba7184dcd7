package catalog

import "strings"

// LevelEnough compares levels loa1..loa4. Anything else, the empty string too, is below all of them.
func LevelEnough(have, required string) bool {
	if required == "" {
		return true
	}
	need := level(required)
	return need > 0 && level(have) >= need
}

func level(acr string) int {
	n, ok := strings.CutPrefix(acr, "loa")
	if !ok || len(n) != 1 || n[0] < '1' || n[0] > '4' {
		return 0
	}
	return int(n[0] - '0')
}
