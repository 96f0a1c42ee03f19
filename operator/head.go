package operator

import (
	"fmt"
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

// levels are the quantile levels a field's model outputs describe, ascending.
// The median stands in the middle; lowerLevel and upperLevel index the central
// 90% band.
var levels = [nLevels]float64{0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999}

const (
	// nLevels is the number of model outputs one field takes.
	nLevels                        = 11
	lowerLevel, median, upperLevel = 2, 5, 8
	minIncrement                   = 1e-3 // least distance of two quantiles, in coordinates
	still                          = 0.2  // a median nearer to the last value than this is the last value
)

// A distribution is the forecast of one value before it is seen: quantiles of
// its coordinate at levels.
type distribution struct {
	coordinates [nLevels]float64 // ascending, at least minIncrement apart
	axis        axis             // as of the event before
}

// newDistribution reads a field's model outputs: out[median] is the median's
// coordinate, the others are the distances from level to level outwards, through
// softplus, so that quantiles cannot cross. An output that is no finite number,
// which only a broken model gives, is an error.
func newDistribution(out []float32, a axis) (distribution, error) {
	_ = out[:nLevels]
	for i, v := range out[:nLevels] {
		if !(math.Abs(float64(v)) <= math.MaxFloat32) {
			return distribution{}, fmt.Errorf("model output %d is %v", i, v)
		}
	}
	d := distribution{axis: a}
	centre := min(max(float64(out[median]), -maxCoordinate), maxCoordinate)
	d.coordinates[median] = centre
	for i := median + 1; i < nLevels; i++ {
		d.coordinates[i] = d.coordinates[i-1] + increment(out[i])
	}
	for i := median - 1; i >= 0; i-- {
		d.coordinates[i] = d.coordinates[i+1] - increment(out[i])
	}
	return d, nil
}

// increment is softplus of a model output plus minIncrement.
func increment(out float32) float64 {
	x := min(float64(out), maxCoordinate)
	if x > 20 {
		return x + minIncrement
	}
	return fmath.Log(1+fmath.Exp(max(x, -40))) + minIncrement
}

// forecast is the distribution's median and central 90% band in the field's unit.
func (d *distribution) forecast() Forecast {
	centre := d.coordinates[median]
	if math.Abs(centre) < still {
		// Many streams repeat their last value exactly, which no smooth function
		// of the past hits.
		centre = 0
	}
	return Forecast{
		YHat:  d.axis.value(centre),
		Lower: d.axis.value(min(d.coordinates[lowerLevel], centre)),
		Upper: d.axis.value(max(d.coordinates[upperLevel], centre)),
	}
}

// A Direction says which deviations are surprising.
type Direction uint8

// The directions, in the words of the configuration.
const (
	// Both counts values above and below the expected.
	Both Direction = iota
	// Above counts only values above the expected.
	Above
	// Below counts only values below the expected.
	Below
)

const (
	// ordinary is the distance, in spreads, up to which surprise grows in proportion;
	// beyond, with the logarithm.
	ordinary = 10
	// maxSurprise bounds a surprise.
	maxSurprise = 300
)

// surprise says how far x is from what was expected in the given direction: its
// distance from the forecast plus its distance from the long-run centre, both in
// spreads. The first shows what is sudden, the second what is unusual though the
// forecast has followed it. It has no scale of its own: the calibrator gives it one.
//
// The forecast's own tail probability would be the obvious measure, and is a poor
// one: a model sure of the next value is surprised by trifles, and a model that
// has got used to an incident by nothing.
func (d *distribution) surprise(x float64, direction Direction) float64 {
	x = min(max(x, -limit), limit)
	sudden := directed(x-d.forecast().YHat, direction)
	unusual := directed(x-d.axis.centre, direction)
	return min(damped(sudden/d.axis.spread)+damped(unusual/d.axis.spread), maxSurprise)
}

// directed is the size of a deviation, 0 if it has the wrong direction.
func directed(deviation float64, direction Direction) float64 {
	switch direction {
	case Above:
		return max(deviation, 0)
	case Below:
		return max(-deviation, 0)
	}
	return math.Abs(deviation)
}

// damped returns distance, beyond ordinary only its logarithm.
func damped(distance float64) float64 {
	if distance <= ordinary {
		return distance
	}
	return ordinary * (1 + fmath.Log(min(distance, math.MaxFloat64)/ordinary))
}
