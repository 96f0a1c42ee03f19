package operator

import (
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

// nFeatures is the number of model inputs one field contributes to a step.
const nFeatures = 12

// featureBound bounds every feature's size.
const featureBound = 8

// features fills dst (nFeatures) with the model's input after n has learnt the
// event at t, when the next event arrives gapRatio typical gaps later. Each is
// free of the field's unit and of its clock, and within ±featureBound. n must
// have observed at least one value.
func (n *normalizer) features(dst []float32, gapRatio float64) {
	_ = dst[:nFeatures]
	unit := n.unit()
	away := func(level float64) float64 { return asinhRatio(level-n.last, unit, featureBound) }
	spread := max(n.scale, resolution*math.Abs(n.centre), minSize)
	for i, f := range [nFeatures]float64{
		asinhRatio(n.last-n.centre, spread, featureBound),
		asinhRatio(n.change, unit, featureBound),
		away(n.centre),
		away(n.mid),
		away(n.fast),
		logRatio(unit, spread),
		min(max(n.logFast-n.logStep, -featureBound), featureBound),
		float64(4*n.repeat) - 2,
		2 * indicator(n.change == 0 && n.n > 1),
		fmath.Log(min(max(gapRatio, minGapRatio), maxGapRatio)),
		age(n.n),
		age(n.changes),
	} {
		dst[i] = float32(f)
	}
}

// logRatio is ln(a/b), within ±featureBound, for a and b above 0.
func logRatio(a, b float64) float64 {
	ratio := min(max(a/b, 1e-4), 1e4)
	return min(max(fmath.Log(ratio), -featureBound), featureBound)
}

// age maps a count to 0 … 6: half the logarithm of count + 1, where a thousand
// events and a million are all but the same.
func age(count uint64) float64 {
	return fmath.Log(min(float64(count), 1e5)+1) / 2
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
