package operator

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

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
	const warm, length = 5000, 400_000
	for name, source := range surpriseStreams() {
		t.Run(name, func(t *testing.T) {
			next := source(rand.New(rand.NewPCG(1, 2)))
			var c calibrator
			counts := map[float64]float64{0.5: 0, 0.1: 0, 0.01: 0, 0.001: 0}
			for i := range warm + length {
				e := next()
				if i >= warm {
					got := c.pvalue(e)
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

// Values that are few and repeat, as of a quantised stream, need not have uniform
// p-values; they must not be taken for rarer than they are.
func TestPValuesOfFewDistinctValuesAreConservative(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var c calibrator
	rare := 0
	const length = 200_000
	for range length {
		e := [4]float64{0.1, 0.1, 0.4, 1.7}[r.IntN(4)]
		if c.pvalue(e) < 1.0/100 {
			rare++
		}
		c.observe(e)
	}
	if rare > length/80 {
		t.Errorf("%d of %d events rarer than one in a hundred", rare, length)
	}
}

// Spikes of any size, one event in three hundred, fit no tail of a past that is 0.
func TestWhatComesSeldomButAgainAndAgainIsNotRarerThanThat(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	var c calibrator
	rare := 0
	const length, share = 100_000, 300
	for range length {
		e := 0.0
		if r.IntN(share) == 0 {
			e = 5 + 40*r.Float64()
		}
		if c.pvalue(e) < 1.0/(10*share) {
			rare++
		}
		c.observe(e)
	}
	if most := length / (5 * share); rare > most {
		t.Errorf("%d of %d events rarer than one in %d, want at most %d", rare, length, 10*share, most)
	}
}

func TestPValueFallsWithTheValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		var c calibrator
		spread := rapid.Float64Range(0.01, 100).Draw(t, "spread")
		for range rapid.IntRange(0, 12000).Draw(t, "events") {
			c.observe(min(math.Abs(r.NormFloat64())*spread, 300))
		}
		before := 1.0
		for e := 0.0; e <= 300; e += 0.01 + e/50 {
			got := c.pvalue(e)
			if !(got > 0 && got <= before) {
				t.Fatalf("p-value %v of %v, %v just below", got, e, before)
			}
			before = got
		}
	})
}

func TestTheStartOfAnIncidentDoesNotHideItsPeak(t *testing.T) {
	var c calibrator
	r := rand.New(rand.NewPCG(9, 10))
	for range 160 * block {
		c.observe(r.ExpFloat64())
	}
	first := c.pvalue(20)
	for range block - 1 {
		c.observe(20)
	}
	if c.pvalue(20) != first {
		t.Errorf("p-value %v at first, %v within its block", first, c.pvalue(20))
	}
	c.observe(20)
	if c.pvalue(20) < 100*first {
		t.Errorf("p-value %v at first, still %v when it was learnt", first, c.pvalue(20))
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
		if c.above[0] > calibrated+block {
			t.Fatalf("%v values counted after %d events", c.above[0], c.n)
		}
	}
}

func FuzzCalibratorDecode(f *testing.F) {
	f.Add(make([]byte, calibratorSize), 1.0)
	var c calibrator
	for i := range 1000 {
		c.observe(float64(i%97) / 7)
	}
	f.Add(c.appendBinary(nil), 7.0)
	f.Fuzz(func(t *testing.T, b []byte, e float64) {
		var c calibrator
		if err := c.decode(b); err != nil || !(e >= 0 && e <= maxSurprise) {
			return
		}
		if p := c.pvalue(e); !(p > 0 && p <= 1) {
			t.Fatalf("p-value %v", p)
		}
		for range block {
			c.observe(e)
		}
		if p := c.pvalue(e); !(p > 0 && p <= 1) {
			t.Fatalf("p-value %v of what was learnt", p)
		}
	})
}

func BenchmarkCalibrate(b *testing.B) {
	var c calibrator
	r := rand.New(rand.NewPCG(5, 6))
	b.ReportAllocs()
	for b.Loop() {
		e := r.ExpFloat64() / 2
		c.pvalue(e)
		c.observe(e)
	}
}
