package operator

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func wildDistribution(t *rapid.T) distribution {
	var n normalizer
	for _, x := range wildStream().Draw(t, "values") {
		n.observe(x, 60)
	}
	out := make([]float32, nOutputs)
	for i := range out {
		out[i] = rapid.OneOf(rapid.Float32Range(-5, 5), rapid.Float32()).Draw(t, "out")
	}
	d, err := newDistribution(out, n.axis())
	if err != nil {
		t.Skip("model output not finite")
	}
	return d
}

func TestForecastsOfWildModelsAreOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := wildDistribution(t)
		if !slices.IsSorted(d.coordinates[:]) {
			t.Fatalf("quantiles cross: %v", d.coordinates)
		}
		f := d.forecast()
		if !(f.Lower <= f.YHat && f.YHat <= f.Upper && math.Abs(f.Lower) <= math.MaxFloat64 && math.Abs(f.Upper) <= math.MaxFloat64) {
			t.Fatalf("forecast %+v", f)
		}
	})
}

func TestSurpriseIsFiniteAndNotNegative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, x := wildDistribution(t), wildValue().Draw(t, "x")
		for _, direction := range []Direction{Both, Above, Below} {
			if e := d.surprise(x, direction); !(e >= 0 && e <= maxSurprise) {
				t.Fatalf("surprise %v", e)
			}
		}
	})
}

func TestDirectionChoosesTheSide(t *testing.T) {
	d, err := newDistribution(make([]float32, nOutputs), axis{unit: 1, spread: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		direction Direction
		x         float64
		surprised bool
	}{{Both, 1e6, true}, {Both, -1e6, true}, {Above, 1e6, true}, {Above, -1e6, false}, {Below, -1e6, true}, {Below, 1e6, false}} {
		if e := d.surprise(c.x, c.direction); (e > 3) != c.surprised {
			t.Errorf("surprise of %v in direction %d is %v", c.x, c.direction, e)
		}
	}
}

func TestBrokenModelOutputIsAnError(t *testing.T) {
	for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		out := make([]float32, nOutputs)
		out[7] = v
		if _, err := newDistribution(out, axis{unit: 1, spread: 1}); err == nil {
			t.Errorf("output %v accepted", v)
		}
	}
}

func TestSurpriseGrowsWithTheDistanceFromForecastAndCentre(t *testing.T) {
	d, err := newDistribution(make([]float32, nOutputs), axis{origin: 5, unit: 1, centre: 0, spread: 1})
	if err != nil {
		t.Fatal(err)
	}
	before := -1.0
	for _, x := range []float64{5, 6, 20, 1e3, 1e6, 1e12} {
		e := d.surprise(x, Both)
		if e <= before {
			t.Errorf("surprise of %v is %v, that of less %v", x, e, before)
		}
		before = e
	}
	if expected, unusual := d.surprise(5, Both), d.surprise(0, Both); math.Abs(expected-5) > 1e-9 || math.Abs(unusual-5) > 1e-9 {
		t.Errorf("as forecast, 5 from the centre: %v; at the centre, 5 from the forecast: %v; want 5", expected, unusual)
	}
}
