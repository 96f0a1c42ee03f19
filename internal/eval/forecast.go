package eval

import (
	"math"
	"slices"
)

// A Forecast is what was expected of a value before it was seen: the quantiles 5%, 50%
// and 95%. All are NaN where there was no forecast.
type Forecast struct{ Lower, Median, Upper float64 }

// NoForecast is the forecast of a value that is missing.
var NoForecast = Forecast{math.NaN(), math.NaN(), math.NaN()}

// levels are the probabilities of a Forecast's quantiles.
var levels = [3]float64{0.05, 0.5, 0.95}

// A Skill measures forecasts of the next event. Its zero value has seen none.
type Skill struct {
	// N counts the values that were forecast.
	N int
	// Between counts the values below, between and above the three quantiles, from the
	// lowest up: the histogram of the probability integral transform. A calibrated
	// forecast has shares of 5, 45, 45 and 5%; a value equal to a quantile, as repeated
	// values are, counts half on each side of it.
	Between [4]float64
	// Inside counts the values inside the band or on its edge.
	Inside int
	// Loss is the sum, over fields, of the pinball loss in units of the last value's,
	// times the field's number of values: Loss / N is 1 for the forecast "as before".
	// Fields that never change are left out of it and of Scaled.
	Loss float64
	// Scaled counts the values that Loss sums over.
	Scaled int
	// Banded counts the forecasts that say more than a point.
	Banded int
	// Medians are, of each field that moves, the median absolute error of the median in
	// units of the last value's. A field moves if at least half of its values differ from
	// the one before: of others the last value's median error is 0.
	Medians []float64
	// errors are the absolute errors of the moving fields, each in units of the distance
	// between its field's quantiles 5% and 95%.
	errors []float32
}

// pinball is the loss of a quantile forecast q of the given level, x being seen.
func pinball(level, q, x float64) float64 {
	if x >= q {
		return level * (x - q)
	}
	return (1 - level) * (q - x)
}

// loss is the mean pinball loss of a forecast's three quantiles.
func (f Forecast) loss(x float64) float64 {
	return (pinball(levels[0], f.Lower, x) + pinball(levels[1], f.Median, x) + pinball(levels[2], f.Upper, x)) / 3
}

// Add measures the forecasts of one field's values, both in time order. The first value,
// and those missing, count for nothing.
func (k *Skill) Add(values []float64, forecasts []Forecast) {
	n, loss, naive, last := 0, 0.0, 0.0, math.NaN()
	var errors, changes []float64
	for i, x := range values {
		if math.IsNaN(x) {
			continue
		}
		before := last
		last = x
		if f := forecasts[i]; !math.IsNaN(f.Median) && !math.IsNaN(before) {
			n++
			loss += f.loss(x)
			naive += Forecast{before, before, before}.loss(x)
			k.place(f, x)
			errors, changes = append(errors, math.Abs(x-f.Median)), append(changes, math.Abs(x-before))
		}
	}
	k.N += n
	if naive > 0 {
		k.Loss += float64(n) * loss / naive
		k.Scaled += n
	}
	if naive := median(changes); naive > 0 { // NaN is not
		k.Medians = append(k.Medians, median(errors)/naive)
		unit := spread(values)
		for _, e := range errors {
			k.errors = append(k.errors, float32(e/unit))
		}
	}
}

// spread is the distance between the quantiles 5% and 95% of the values that are there,
// their whole range where that is 0.
func spread(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	first, _ := slices.BinarySearch(sorted, math.Inf(-1)) // NaN comes first
	sorted = sorted[first:]
	if d := sorted[len(sorted)*95/100] - sorted[len(sorted)*5/100]; d > 0 {
		return d
	}
	return sorted[len(sorted)-1] - sorted[0]
}

// place counts x between the quantiles.
func (k *Skill) place(f Forecast, x float64) {
	if f.Upper > f.Lower {
		k.Banded++
	}
	if x >= f.Lower && x <= f.Upper {
		k.Inside++
	}
	below, notAbove := 0, 0
	for _, q := range [3]float64{f.Lower, f.Median, f.Upper} {
		if q < x {
			below++
		}
		if q <= x {
			notAbove++
		}
	}
	k.Between[below] += 0.5
	k.Between[notAbove] += 0.5
}

// Join adds what was measured of another series.
func (k *Skill) Join(o Skill) {
	k.N += o.N
	for i := range k.Between {
		k.Between[i] += o.Between[i]
	}
	k.Inside += o.Inside
	k.Loss += o.Loss
	k.Scaled += o.Scaled
	k.Banded += o.Banded
	k.Medians = append(k.Medians, o.Medians...)
	k.errors = append(k.errors, o.errors...)
}

// MedianError is the median absolute error over all values of moving fields, in units of
// their fields' spreads; NaN if there are none.
func (k *Skill) MedianError() float64 {
	wide := make([]float64, len(k.errors))
	for i, e := range k.errors {
		wide[i] = float64(e)
	}
	return median(wide)
}

// ByField is the mean of Medians, NaN if there are none.
func (k *Skill) ByField() float64 {
	sum := 0.0
	for _, m := range k.Medians {
		sum += m
	}
	return sum / float64(len(k.Medians))
}

// Coverage is the share of values inside the 90% band.
func (k *Skill) Coverage() float64 { return float64(k.Inside) / float64(k.N) }

// Relative is the pinball loss in units of the last value's: below 1 is better.
func (k *Skill) Relative() float64 { return k.Loss / float64(k.Scaled) }

// PIT returns the shares of Between.
func (k *Skill) PIT() [4]float64 {
	p := k.Between
	for i := range p {
		p[i] /= float64(k.N)
	}
	return p
}
