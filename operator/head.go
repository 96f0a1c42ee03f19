package operator

import (
	"fmt"
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

// levels are the quantile levels at which a model's outputs describe the next value,
// ascending, and furtherLevels those of the further horizons. The median stands in the
// middle; lowerLevel and upperLevel index the next value's central 90% band.
var (
	levels        = [nLevels]float64{0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999}
	furtherLevels = [nFurther]float64{0.05, 0.5, 0.95}
)

const (
	nLevels, nFurther = 11, 3
	// nOutputs is the number of model outputs one field takes: the quantiles of the
	// horizons in order, then the point forecast.
	nOutputs                       = nLevels + (nHorizons-1)*nFurther + 1
	lowerLevel, median, upperLevel = 2, 5, 8
	minIncrement                   = 1e-3 // least distance of two quantiles, in coordinates
)

// A distribution is what a model forecasts: the next value, as quantiles of its
// coordinate at levels and as a point, and those at the further horizons.
type distribution struct {
	coordinates [nLevels]float64                 // ascending, at least minIncrement apart
	further     [nHorizons - 1][nFurther]float64 // likewise
	point       float64                          // the coordinate that the next value is most often nearest to
	axis        axis                             // as of the event before
	// What the field's foresight adds:
	candidate candidate              // what forecasts the next value best
	expected  [nHorizons]expectation // of the next value, 1, 8 and 64 events before it, where known
}

// newDistribution reads a field's nOutputs model outputs. An output that is no finite
// number, which only a broken model gives, is an error.
func newDistribution(out []float32, a axis) (distribution, error) {
	for i, v := range out[:nOutputs] {
		if !(math.Abs(float64(v)) <= math.MaxFloat32) {
			return distribution{}, fmt.Errorf("model output %d is %v", i, v)
		}
	}
	d := distribution{axis: a, point: coordinateOf(out[nOutputs-1])}
	quantiles(d.coordinates[:], out)
	for k := range d.further {
		quantiles(d.further[k][:], out[nLevels+k*nFurther:])
	}
	return d, nil
}

// quantiles reads the outputs of one horizon into at: the middle one is the median's
// coordinate, the others are the distances from level to level outwards, through
// softplus, so that quantiles cannot cross.
func quantiles(at []float64, out []float32) {
	middle := len(at) / 2
	at[middle] = coordinateOf(out[middle])
	for i := middle + 1; i < len(at); i++ {
		at[i] = at[i-1] + increment(out[i])
	}
	for i := middle - 1; i >= 0; i-- {
		at[i] = at[i+1] - increment(out[i])
	}
}

// coordinateOf bounds an output that is a coordinate.
func coordinateOf(out float32) float64 {
	return min(max(float64(out), -maxCoordinate), maxCoordinate)
}

// expectations are the forecasts at each horizon in the field's unit.
func (d *distribution) expectations() [nHorizons]expectation {
	of := [nHorizons]expectation{d.expectation(d.coordinates[lowerLevel], d.coordinates[median], d.coordinates[upperLevel])}
	for k, at := range d.further {
		of[k+1] = d.expectation(at[0], at[1], at[2])
	}
	return of
}

func (d *distribution) expectation(lower, middle, upper float64) expectation {
	spread := d.axis.value(upper)/2 - d.axis.value(lower)/2
	return expectation{median: d.axis.value(middle), spread: max(spread, minSize)}
}

// increment is softplus of a model output plus minIncrement.
func increment(out float32) float64 {
	x := min(float64(out), maxCoordinate)
	if x > 20 {
		return x + minIncrement
	}
	return fmath.Log(1+fmath.Exp(max(x, -40))) + minIncrement
}

// forecast is the best candidate and the central 90% band in the field's unit.
func (d *distribution) forecast() Forecast {
	yhat := d.value(d.candidate)
	return Forecast{
		YHat:  yhat,
		Lower: min(d.axis.value(d.coordinates[lowerLevel]), yhat),
		Upper: max(d.axis.value(d.coordinates[upperLevel]), yhat),
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
	sudden := directed(x-d.value(theMedian), direction)
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
