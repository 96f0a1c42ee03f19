package operator

import "github.com/weirstream/weir/ssm"

// RowSize is the length of one row of FeatureRows.
const RowSize = nFeatures + 2

// FeatureRows appends one row of RowSize numbers to dst for each value of a
// stream but the first: the model's inputs for the step that forecasts the
// value, then the coordinate that the value turned out to have, then the gap
// before it in typical gaps. They are what a model is trained on, and computed
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
			dst[row+nFeatures] = float32(n.axis().coordinate(x))
			dst[row+nFeatures+1] = float32(ratio)
		}
		n.observe(x, gap)
	}
	return dst
}

// PriorWeights returns the shares of a stream's averaged surprises under m in each
// bin of a model's prior, its first warm-up left out; nil for a stream no longer
// than that. times are Unix milliseconds. The error is a broken model's.
func (m *Model) PriorWeights(times []int64, values []float64) ([]float64, error) {
	if len(values) <= warmEvents {
		return nil, nil
	}
	rows := FeatureRows(nil, times, values)
	out, stepper, state := make([]float32, nLevels), m.ssm.NewStepper(1), []ssm.State{m.ssm.NewState()}
	var n normalizer
	n.observe(values[0], 0)
	var c calibrator
	weights := make([]float64, nBins)
	for i, x := range values[1:] {
		in := rows[i*RowSize:][:RowSize]
		stepper.Step(out, in[:nFeatures], in[nFeatures+1:], state)
		d, err := newDistribution(out, n.axis())
		if err != nil {
			return nil, err
		}
		c.observe(d.surprise(x, Both))
		if i+1 >= warmEvents {
			weights[binOf(c.recent)] += 1 / float64(len(values)-warmEvents)
		}
		n.observe(x, float64(times[i+1]-times[i])/1000)
	}
	return weights, nil
}
