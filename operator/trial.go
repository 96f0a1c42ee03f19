package operator

import (
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

// A candidate is a way to forecast the next value as one number.
type candidate int

// The candidates. Which one is best differs from stream to stream: where values lie on a
// coarse grid, or move in rare ramps, the last value is hard to beat.
const (
	thePoint  candidate = iota // the model's point forecast
	theMedian                  // the median of its quantiles
	theLast                    // the last value
	nCandidates
)

const (
	// missRate is the weight of the latest miss in a candidate's running mean.
	missRate = 0.02
	// nearMiss is the error, in typical changes, up to which a miss grows in proportion.
	nearMiss = 0.25
	// maxMiss bounds a miss, which is a logarithm.
	maxMiss = 800
)

// A trial holds the running mean of each candidate's misses on one field. A miss is the
// logarithm of 1 + error/nearMiss, error in typical changes: what counts is to be near
// most of the time, not how far off the rare leaps were.
type trial [nCandidates]float64

// best is the candidate that misses least.
func (t *trial) best() candidate {
	best := thePoint
	for c := theMedian; c < nCandidates; c++ {
		if t[c] < t[best] {
			best = c
		}
	}
	return best
}

// judge learns how far each candidate was from x, the field's value number n (the first is 0).
func (t *trial) judge(d *distribution, x float64, n uint64) {
	rate := max(1/float64(n), missRate)
	for c := range nCandidates {
		ratio := min(math.Abs(x-d.value(c))/d.axis.unit/nearMiss, math.MaxFloat64)
		t[c] = towards(t[c], fmath.Log(1+ratio), rate)
	}
}

// value is what the candidate forecasts, in the field's unit.
func (d *distribution) value(c candidate) float64 {
	switch c {
	case thePoint:
		return d.axis.value(d.point)
	case theMedian:
		return d.axis.value(d.coordinates[median])
	}
	return d.axis.origin
}
