package eval

import "math"

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
		}
	}
	k.N += n
	if naive > 0 {
		k.Loss += float64(n) * loss / naive
		k.Scaled += n
	}
}

// place counts x between the quantiles.
func (k *Skill) place(f Forecast, x float64) {
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
