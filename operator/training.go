package operator

import (
	"math"
	"slices"

	"github.com/weirstream/weir/ssm"
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

// PriorWeights returns the shares of a stream's averaged surprises under m in each
// bin of a model's prior, its first warm-up left out; nil for a stream no longer
// than that. times are Unix milliseconds. The error is a broken model's.
func (m *Model) PriorWeights(times []int64, values []float64) ([]float64, error) {
	if len(values) <= warmEvents {
		return nil, nil
	}
	rows := FeatureRows(nil, times, values)
	out, stepper, state := make([]float32, nOutputs), m.ssm.NewStepper(1), []ssm.State{m.ssm.NewState()}
	var n normalizer
	n.observe(values[0], 0)
	var f foresight
	var c calibrator
	weights := make([]float64, nBins)
	for i, x := range values[1:] {
		in := rows[i*RowSize:][:RowSize]
		stepper.Step(out, in[:nFeatures], in[RowSize-1:], state)
		d, err := newDistribution(out, n.axis())
		if err != nil {
			return nil, err
		}
		f.recall(&d, n.n)
		f.learn(&d, x, n.n)
		c.observe(d.surprise(x, Both))
		if i+1 >= warmEvents {
			weights[binOf(c.recent)] += 1 / float64(len(values)-warmEvents)
		}
		n.observe(x, float64(times[i+1]-times[i])/1000)
	}
	return weights, nil
}
