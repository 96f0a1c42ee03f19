// Package detector holds the detectors that the operator is compared with: trivial ones,
// which are hard to beat, and two forests of random trees.
//
// All are strictly online: the score of an event is computed from it and the events
// before it, with memory that does not grow. None knows a file's length, range or
// season, and there is one configuration for everything.
//
// A detector's own numbers mean something else for each, so [Judge] turns them into
// p-values under the stream's own past, as the operator does with its surprises.
package detector

import (
	"math"
	"slices"
)

// A Detector says how surprising an event of its stream is, in units of its own, at
// least 0. Events come in time order, t in Unix milliseconds; x holds one value for each
// field, NaN where it is missing.
type Detector func(t int64, x []float64) float64

// A Baseline is a kind of detector.
type Baseline struct {
	Name string
	// New returns a detector for a stream of the given number of fields.
	New func(fields int) Detector
	// Forecast returns what it forecasts a stream of one field with; nil where it makes
	// no forecasts.
	Forecast func() Forecaster
}

// Baselines are all, the simplest first.
var Baselines = []Baseline{
	{"last value", each(func() fieldDetector { return new(lastValue).score }), forecastLast},
	{"seasonal naive", each(func() fieldDetector { return new(seasonal).score }), forecastSeason},
	{"EWMA z", each(func() fieldDetector { return new(ewma).score }), nil},
	{"Gaussian z", each(func() fieldDetector { return new(gaussian).score }), nil},
	{"online AR", each(func() fieldDetector { return newAutoregression().score }), forecastLinear},
	{"half-space trees", func(fields int) Detector { return newHalfSpace(newShingle(fields, true)).score }, nil},
	// Its cuts need a common unit only where there are several.
	{"random cut forest", func(fields int) Detector { return newForest(newShingle(fields, fields > 1)).score }, nil},
}

// A fieldDetector is a detector of a single value, which is there.
type fieldDetector func(t int64, x float64) float64

const (
	// maxField bounds one field's surprise, so that one cannot drown the others.
	maxField = 20
	// loudest is how many fields count: an incident shows in few of many.
	loudest = 5
	// smoothed is how many events' surprises are averaged where there are many fields.
	smoothed = 10
)

// each makes a detector of one field a detector of several, each watched by its own. The
// event's surprise is the mean of the greatest, averaged over the last events.
func each(newField func() fieldDetector) func(fields int) Detector {
	return func(fields int) Detector {
		watch := make([]fieldDetector, fields)
		for i := range watch {
			watch[i] = newField()
		}
		if fields == 1 {
			return func(t int64, x []float64) float64 { return present(watch[0], t, x[0]) }
		}
		all := make([]float64, fields)
		var recent [smoothed]float64
		n := 0
		return func(t int64, x []float64) float64 {
			for i := range all {
				all[i] = min(present(watch[i], t, x[i]), maxField)
			}
			slices.Sort(all)
			recent[n%smoothed] = mean(all[max(fields-loudest, 0):])
			n++
			return mean(recent[:min(n, smoothed)])
		}
	}
}

// present is the surprise of a value, 0 if it is missing.
func present(d fieldDetector, t int64, x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return d(t, x)
}

func mean(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}

// A running is an exponentially weighted mean, the plain mean at first.
type running struct {
	mean float64
	n    float64
}

// add moves the mean towards x at the given rate.
func (r *running) add(x, rate float64) {
	r.n++
	r.mean += (x - r.mean) * max(rate, 1/r.n)
}

// A scale is the long-run size of deviations. One outlier moves it little.
type scale struct{ size running }

// longRate is a half-life of 1000 events.
const longRate = math.Ln2 / 1000

// surprise is a deviation in units of the scale before it, which then learns it.
func (s *scale) surprise(deviation float64) float64 {
	deviation = math.Abs(deviation)
	before := s.size.mean
	seen := deviation
	if before > 0 {
		seen = min(seen, 10*before)
	}
	s.size.add(seen, longRate)
	switch {
	case deviation == 0:
		return 0
	case before == 0:
		return maxField
	}
	return min(deviation/before, 1e9)
}
