package operator

import (
	"math"
	"testing"
)

// told is a distribution whose forecasts at the three horizons are the given number, more
// and much more.
func told(t *testing.T, v float64) *distribution {
	t.Helper()
	out := make([]float32, nOutputs)
	out[nLevels+1] = 1
	out[nLevels+nFurther+1] = 2
	d, err := newDistribution(out, axis{origin: v, unit: 1, spread: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

func TestEachValueMeetsItsForecastsOf1And8And64EventsBefore(t *testing.T) {
	var f foresight
	for n := uint64(1); n < 300; n++ {
		d := told(t, float64(n))
		f.recall(d, n)
		for k, h := range horizons {
			made := float64(n) - float64(h) + 1 // the row that forecast it
			got, known := d.expected[k], made >= 1
			if got.known() != known {
				t.Fatalf("value %d, horizon %d: known %v, want %v", n, h, got.known(), known)
			}
			if want := made + math.Sinh(float64(k)); known && math.Abs(got.median-want) > 1e-9 {
				t.Fatalf("value %d, horizon %d: %v was forecast, want %v", n, h, got.median, want)
			}
		}
		f.learn(d, float64(n), n)
	}
}

func TestForecastsAheadAreUnknownToAYoungStreamAndAfterABrokenModel(t *testing.T) {
	var f foresight
	d := told(t, 1)
	f.recall(d, 70)
	if !d.expected[0].known() || d.expected[1].known() || d.expected[2].known() {
		t.Errorf("expected %v", d.expected)
	}
}

func TestEachStreamIsForecastByWhatForecastsItBest(t *testing.T) {
	out := make([]float32, nOutputs)
	out[median], out[nOutputs-1] = 1, 2
	for _, best := range []candidate{thePoint, theMedian, theLast} {
		var f foresight
		last := 0.0
		for n := uint64(1); n < 100; n++ {
			d, err := newDistribution(out, axis{origin: last, unit: 1, spread: 1})
			if err != nil {
				t.Fatal(err)
			}
			f.recall(&d, n)
			x := d.value(best)
			if n%10 == 0 {
				x += 1e6 // a rare leap decides nothing
			}
			if got := d.forecast(); n > 20 && got.YHat != d.value(best) {
				t.Fatalf("candidate %d is right, but value %d is forecast by %d", best, n, d.candidate)
			} else if !(got.Lower <= got.YHat && got.YHat <= got.Upper) {
				t.Fatalf("forecast %+v", got)
			}
			f.learn(&d, x, n)
			last = x
		}
	}
}
