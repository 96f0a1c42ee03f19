package detector

import "math"

// A Forecaster returns what it expected of a stream's next value, and then learns it. The
// first value is expected to be NaN.
type Forecaster func(t int64, x float64) (expected float64)

// forecastLast expects the last value.
func forecastLast() Forecaster {
	last := math.NaN()
	return func(_ int64, x float64) float64 {
		expected := last
		last = x
		return expected
	}
}

// forecastSeason expects the value of the same minute a day before.
func forecastSeason() Forecaster {
	d := new(seasonal)
	return func(t int64, x float64) float64 {
		expected := d.expect(t)
		if d.n == 0 {
			expected = math.NaN()
		}
		d.score(t, x)
		return expected
	}
}

// forecastLinear expects what the autoregression does; the last value as long as that
// has seen too little.
func forecastLinear() Forecaster {
	d, last := newAutoregression(), math.NaN()
	return func(t int64, x float64) float64 {
		expected := last
		if d.n > 2*lags {
			expected = d.centre.mean + d.size.mean*d.forecast()
		}
		d.score(t, x)
		last = x
		return expected
	}
}
