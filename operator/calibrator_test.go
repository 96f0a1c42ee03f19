package operator

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func plainPrior(tb testing.TB) *prior {
	p, err := newPrior(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// surpriseStreams are sources of surprises that a model with a wrong idea of its
// own errors gives, independent or with memory.
func surpriseStreams() map[string]func(*rand.Rand) func() float64 {
	return map[string]func(*rand.Rand) func() float64{
		"well calibrated": func(r *rand.Rand) func() float64 {
			return func() float64 { return -math.Log10(1 - r.Float64()) }
		},
		"overconfident": func(r *rand.Rand) func() float64 {
			return func() float64 { return -5 * math.Log10(1-r.Float64()) }
		},
		"heavy tail": func(r *rand.Rand) func() float64 {
			return func() float64 { return min(0.3*math.Exp(1.2*r.NormFloat64()), 300) }
		},
		"light tail": func(r *rand.Rand) func() float64 {
			return func() float64 { return math.Abs(r.NormFloat64()) }
		},
		"autoregressive": func(r *rand.Rand) func() float64 {
			x := 0.0
			return func() float64 {
				x = 0.9*x + r.NormFloat64()
				return x * x / 4
			}
		},
	}
}

func TestPValuesAreUniformUnderTheStreamsOwnPast(t *testing.T) {
	const warm, length = 2000, 400_000
	for name, source := range surpriseStreams() {
		t.Run(name, func(t *testing.T) {
			next := source(rand.New(rand.NewPCG(1, 2)))
			var c calibrator
			p := plainPrior(t)
			counts := map[float64]float64{0.5: 0, 0.1: 0, 0.01: 0, 0.001: 0}
			for i := range warm + length {
				e := next()
				if i >= warm {
					got := c.pvalue(e, p)
					for level := range counts {
						if got < level {
							counts[level]++
						}
					}
				}
				c.observe(e)
			}
			for level, count := range counts {
				ratio := count / length / level
				t.Logf("P(p < %v) = %v × %v", level, ratio, level)
				tolerance := 1.15
				if level <= 0.001 {
					tolerance = 2
				}
				if ratio > tolerance || ratio < 1/tolerance {
					t.Errorf("P(p < %v) is %v times what it should be", level, ratio)
				}
			}
		})
	}
}

// Surprises that take few values, as of a quantised stream, need not have uniform
// p-values; they must not raise more alarms than the level promises.
func TestPValuesOfFewDistinctSurprisesAreConservative(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var c calibrator
	p := plainPrior(t)
	alarms := 0
	const length = 200_000
	for range length {
		e := [4]float64{0.1, 0.1, 0.4, 1.7}[r.IntN(4)]
		if c.pvalue(e, p) < 0.01 {
			alarms++
		}
		c.observe(e)
	}
	if alarms > length/80 {
		t.Errorf("%d of %d p-values below 0.01", alarms, length)
	}
}

func TestPValueFallsWithSurprise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		weights := make([]float64, nBins)
		for i := range weights {
			weights[i] = r.ExpFloat64() * float64(r.IntN(2))
		}
		weights[0] = 1
		p, err := newPrior(weights)
		if err != nil {
			t.Fatal(err)
		}
		var c calibrator
		spread := rapid.Float64Range(0.01, 100).Draw(t, "spread")
		for range rapid.IntRange(0, 3000).Draw(t, "events") {
			c.observe(min(math.Abs(r.NormFloat64())*spread, 300))
		}
		before := 1.0
		for e := 0.0; e <= 300; e += 0.01 + e/50 {
			got := c.pvalue(e, p)
			if !(got > 0 && got <= before) {
				t.Fatalf("p-value %v at surprise %v, %v just below", got, e, before)
			}
			before = got
		}
	})
}

func TestAYoungStreamIsMeasuredAgainstThePrior(t *testing.T) {
	var c calibrator
	p := plainPrior(t)
	for _, e := range []float64{0.1, 1, 4} {
		want := math.Exp(-e / 2)
		if got := c.pvalue(e, p); math.Abs(got/want-1) > 0.2 {
			t.Errorf("p-value %v at surprise %v before any event, want about %v", got, e, want)
		}
	}
}

func TestALastingIncidentIsMoreSurprisingThanItsFirstEvent(t *testing.T) {
	var c calibrator
	p := plainPrior(t)
	r := rand.New(rand.NewPCG(9, 10))
	for range 5000 {
		c.observe(r.ExpFloat64())
	}
	first := c.pvalue(6, p)
	for range 4 {
		c.observe(6)
	}
	if fifth := c.pvalue(6, p); fifth > first/10 {
		t.Errorf("p-value %v at first, %v at the fifth", first, fifth)
	}
}

func TestCalibratorStaysItsSizeAndComesBack(t *testing.T) {
	var c calibrator
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 60_000 {
		c.observe(r.ExpFloat64())
		if i%9973 != 0 {
			continue
		}
		b := c.appendBinary(nil)
		var back calibrator
		if err := back.decode(b); err != nil || back != c || len(b) != calibratorSize {
			t.Fatalf("%d bytes, decode: %v", len(b), err)
		}
		sum := 0.0
		for _, w := range c.bins {
			sum += float64(w)
		}
		if sum != c.weight() {
			t.Fatalf("bins sum to %v after %d events, weight %v", sum, c.n, c.weight())
		}
	}
}

func TestPriorRefusesNonsense(t *testing.T) {
	bad := make([]float64, nBins)
	for _, weights := range [][]float64{{1}, bad, append([]float64{math.NaN()}, bad[1:]...), append([]float64{-1}, bad[1:]...)} {
		if _, err := newPrior(weights); err == nil {
			t.Errorf("prior %v accepted", weights)
		}
	}
}

func FuzzCalibratorDecode(f *testing.F) {
	f.Add(make([]byte, calibratorSize), 1.0)
	f.Add(append([]byte{0, 0, 0, 1}, make([]byte, calibratorSize-4)...), 7.0) // many surprises, none in a bin
	f.Fuzz(func(t *testing.T, b []byte, e float64) {
		var c calibrator
		if err := c.decode(b); err != nil || !(e >= 0 && e <= maxSurprise) {
			return
		}
		if p := c.pvalue(e, plainPrior(t)); !(p > 0 && p <= 1) {
			t.Fatalf("p-value %v", p)
		}
		c.observe(e)
	})
}

func BenchmarkCalibrate(b *testing.B) {
	var c calibrator
	p := plainPrior(b)
	r := rand.New(rand.NewPCG(5, 6))
	b.ReportAllocs()
	for b.Loop() {
		e := r.ExpFloat64() / 2
		c.pvalue(e, p)
		c.observe(e)
	}
}
