package operator

import (
	"math"
	"slices"
)

// RowSize is the length of one row of FeatureRows.
const RowSize = nFeatures + nHorizons + 1

// Horizons are how many events ahead the targets of FeatureRows lie.
func Horizons() []int { return slices.Clone(horizons[:]) }

// FeatureRows appends one row of RowSize numbers to dst for each value of a
// stream but the first: the model's inputs for the step that forecasts the
// value; for each horizon the coordinate that its value turned out to have, the
// value itself first, NaN for values after the stream's end; then the gap before
// the value in typical gaps. They are what a model is trained on, and computed
// by the code that serves it. times are Unix milliseconds.
func FeatureRows(dst []float32, times []int64, values []float64) []float32 {
	var n normalizer
	for i, x := range values {
		gap := 0.0
		if i > 0 {
			gap = float64(times[i]-times[i-1]) / 1000
			ratio := n.gapRatio(gap)
			row := len(dst)
			dst = append(dst, make([]float32, RowSize)...)
			n.features(dst[row:], ratio)
			targets(dst[row+nFeatures:][:nHorizons], n.axis(), values[i:])
			dst[row+nFeatures+nHorizons] = float32(ratio)
		}
		n.observe(x, gap)
	}
	return dst
}

// targets sets dst (nHorizons) to the coordinates on a of the values to come.
func targets(dst []float32, a axis, values []float64) {
	for k, h := range horizons {
		dst[k] = float32(math.NaN())
		if h <= len(values) {
			dst[k] = float32(a.coordinate(values[h-1]))
		}
	}
}
