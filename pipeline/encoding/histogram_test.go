package encoding

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// within returns the observation of rank q, which must lie in the bucket that the
// quantile is interpolated in.
func within(observed []float64, q float64) float64 {
	slices.Sort(observed)
	return observed[max(int(math.Ceil(q*float64(len(observed))))-1, 0)]
}

func TestQuantileOfExplicitBucketsLiesInTheRightOne(t *testing.T) {
	bounds := []float64{-10, -1, 0, 0.5, 3, 100}
	rapid.Check(t, func(t *rapid.T) {
		observed := rapid.SliceOfN(rapid.Float64Range(-50, 300), 1, 300).Draw(t, "observed")
		q := rapid.SampledFrom([]float64{0.25, 0.5, 0.75, 1}).Draw(t, "q")
		h := histogram{counts: make([]uint64, len(bounds)+1), hasMin: true, hasMax: true}
		for _, b := range bounds {
			h.bounds = append(h.bounds, math.Float64bits(b))
		}
		bucket := func(x float64) int {
			i, _ := slices.BinarySearch(bounds, x) // Upper bounds are inclusive.
			return i
		}
		for _, x := range observed {
			h.counts[bucket(x)]++
		}
		h.least, h.most = slices.Min(observed), slices.Max(observed)
		v, ok := h.quantile(q, false)
		i := bucket(within(observed, q))
		lower, upper := h.least, h.most
		if i > 0 {
			lower = max(lower, bounds[i-1])
		}
		if i < len(bounds) {
			upper = min(upper, bounds[i])
		}
		if !ok || v < lower || v > upper {
			t.Fatalf("%v, not in [%v, %v]", v, lower, upper)
		}
	})
}

func TestQuantileOfExponentialBucketsLiesInTheRightOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.Int32Range(-4, 6).Draw(t, "scale")
		observed := rapid.SliceOfN(rapid.OneOf(
			rapid.Just(0.0), rapid.Float64Range(-1e6, -1e-3), rapid.Float64Range(1e-3, 1e6)), 1, 300).Draw(t, "observed")
		q := rapid.SampledFrom([]float64{0.25, 0.5, 0.75, 1}).Draw(t, "q")
		index := func(x float64) int {
			return int(math.Ceil(math.Ldexp(math.Log2(math.Abs(x)), int(scale)))) - 1
		}
		const offset = -2000 // below the index of 1e-3 at the greatest scale
		h := histogram{
			scale: scale, offset: offset, negativeOffset: offset,
			counts: make([]uint64, 4000), negative: make([]uint64, 4000),
		}
		for _, x := range observed {
			switch {
			case x == 0:
				h.zeroCount++
			case x > 0:
				h.counts[index(x)-offset]++
			default:
				h.negative[index(x)-offset]++
			}
		}
		v, ok := h.quantile(q, true)
		x := within(observed, q)
		base := math.Exp2(math.Ldexp(1, -int(scale)))
		const rounding = 1 + 1e-9
		if !ok || x == 0 && v != 0 || x != 0 && (v/x > base*rounding || v/x < 1/(base*rounding)) {
			t.Fatalf("%v for %v, base %v", v, x, base)
		}
	})
}

func TestHistogramsWithoutAKnownQuantileHaveNone(t *testing.T) {
	for name, c := range map[string]struct {
		h           histogram
		exponential bool
	}{
		"no buckets":       {},
		"one bucket":       {h: histogram{counts: []uint64{5}}},
		"no exponential":   {exponential: true},
		"beyond a float64": {h: histogram{scale: -10, offset: 5, counts: []uint64{1}}, exponential: true},
		"infinite bound":   {h: histogram{counts: []uint64{0, 1}, bounds: []uint64{math.Float64bits(math.Inf(1))}}},
	} {
		if v, ok := c.h.quantile(0.99, c.exponential); ok {
			t.Errorf("%s: %v", name, v)
		}
	}
}

func TestExplicitBucketsWithoutMinAndMax(t *testing.T) {
	bounds := []uint64{math.Float64bits(10), math.Float64bits(20)}
	for want, counts := range map[float64][]uint64{5: {4, 0, 0}, 15: {0, 4, 0}, 20: {0, 0, 4}} {
		h := histogram{counts: counts, bounds: bounds}
		if v, ok := h.quantile(0.5, false); !ok || v != want {
			t.Errorf("%v: %v, want %v", counts, v, want)
		}
	}
}
