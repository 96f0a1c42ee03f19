package operator

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestLoudestIsTheMeanOfTheGreatest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SliceOfN(rapid.Float64Range(0, 300), 1, 40).Draw(t, "surprises")
		sorted := slices.Sorted(slices.Values(s))
		slices.Reverse(sorted)
		sorted = sorted[:min(len(s), nLoudest)]
		want := 0.0
		for _, v := range sorted {
			want += v / float64(len(sorted))
		}
		var l loudest
		for _, x := range s {
			l.add(x)
		}
		if got := l.mean(); math.Abs(got-want) > 1e-9 {
			t.Fatalf("mean of the loudest = %v, want %v", got, want)
		}
	})
}

func TestAttributionSumsToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SliceOfN(rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, 300)), 1, 40).Draw(t, "surprises")
		shares, sum := attribute(nil, s), 0.0
		for _, share := range shares {
			if !(share >= 0) {
				t.Fatalf("shares %v", shares)
			}
			sum += share
		}
		if len(shares) != len(s) || math.Abs(sum-1) > 1e-9 {
			t.Fatalf("%d shares of %d fields sum to %v", len(shares), len(s), sum)
		}
	})
	if got := attribute(nil, []float64{0, 0}); !slices.Equal(got, []float64{0.5, 0.5}) {
		t.Errorf("attribution of no surprise: %v", got)
	}
}
