package detector

import (
	"math"
	"slices"
	"testing"
)

// medianError is what a baseline's forecasts are off by on the last half of a series.
func medianError(b Baseline, values []float64) float64 {
	next := b.Forecast()
	var errors []float64
	for i, x := range values {
		expected := next(int64(i)*step, x)
		if math.IsNaN(expected) != (i == 0) {
			return math.NaN()
		}
		if i >= len(values)/2 {
			errors = append(errors, math.Abs(x-expected))
		}
	}
	slices.Sort(errors)
	return errors[len(errors)/2]
}

// A random walk is best forecast by its last value, what returns each day by the day
// before, and an oscillation by a linear function of the past.
func TestEachForecasterIsBestAtWhatItKnows(t *testing.T) {
	makers := map[string]Baseline{}
	for _, b := range Baselines {
		if b.Forecast != nil {
			makers[b.Name] = b
		}
	}
	rows := noise(2000, 1, 4)
	walk, daily, wave := make([]float64, 2000), make([]float64, 2000), make([]float64, 2000)
	for i := range walk {
		step := rows[i][0] - math.Sin(2*math.Pi*float64(i)/144)
		walk[i] = walk[max(i-1, 0)] + step
		daily[i] = 100*float64(i*i%144*7919%97) + step
		wave[i] = 10*math.Sin(float64(i)) + step
	}
	for best, values := range map[string][]float64{"last value": walk, "seasonal naive": daily, "online AR": wave} {
		least := medianError(makers[best], values)
		for name, b := range makers {
			if e := medianError(b, values); !(least <= e) {
				t.Errorf("%s is off by %v where %s is by %v", name, e, best, least)
			}
		}
	}
}

func TestForecastsDoNotKnowTheValueTheyAreOf(t *testing.T) {
	for _, b := range Baselines {
		if b.Forecast == nil {
			continue
		}
		one, other := b.Forecast(), b.Forecast()
		for i, row := range noise(300, 1, 5) {
			x := row[0]
			if i == 299 {
				x = 1e9
			}
			if a, b := one(int64(i)*step, row[0]), other(int64(i)*step, x); a != b && i > 0 {
				t.Fatalf("event %d: %v or %v", i, a, b)
			}
		}
	}
}
