package linkable

import (
	"math"
	"slices"
)

// order is the chance that values in random order would stand as these do: rising, falling, or in equal steps. 1 when they don't.
func order(values []int64) float64 {
	n := len(values)
	if n < 3 {
		return 1
	}
	rising, falling, steps := true, true, true
	for i := 1; i < n; i++ {
		rising = rising && values[i] > values[i-1]
		falling = falling && values[i] < values[i-1]
		steps = steps && values[i]-values[i-1] == values[1]-values[0]
	}
	switch {
	case steps && values[1] != values[0]:
		// The third of three indices in a pool is where the first two say once in a pool's size, and so on.
		return math.Pow(1.0/pool, float64(n-2))
	case rising || falling:
		return 2 / factorial(n)
	}
	return 1
}

// near is the chance that so many of the indices, drawn at random out of size, lie as close together as these do.
func near(indices []int64, size int64) float64 {
	n := len(indices)
	if n < 2 {
		return 1
	}
	sorted := slices.Sorted(slices.Values(indices))
	size = max(size, sorted[n-1]+1)
	pairs := float64(n*(n-1)) / 2
	least := 1.0
	for _, gap := range []int64{1, 16, 256, 4096} {
		close := 0
		for i := 1; i < n; i++ {
			if sorted[i]-sorted[i-1] <= gap {
				close++
			}
		}
		if close > 0 {
			// About Poisson; four tries at it, so four times as likely.
			least = min(least, 4*tail(pairs*2*float64(gap)/float64(size), close))
		}
	}
	return least
}

// tail is the chance that a Poisson variable with this mean is k or more.
func tail(mean float64, k int) float64 {
	if mean < 1e-2 { // 1-sum would lose all digits
		return math.Pow(mean, float64(k)) / factorial(k)
	}
	term, sum := math.Exp(-mean), 0.0
	for i := range k {
		sum += term
		term *= mean / float64(i+1)
	}
	return max(0, 1-sum)
}

func factorial(n int) float64 {
	f := 1.0
	for i := 2; i <= n; i++ {
		f *= float64(i)
	}
	return f
}
