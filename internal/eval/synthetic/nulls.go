// Package synthetic makes streams of which everything is known: nulls, in which nothing
// ever happens, so that every alarm is a false one, and anomalies of a known kind, size
// and onset to put into a stream.
//
// All is drawn from seeds: the same seed gives the same stream.
package synthetic

import (
	"math"
	"math/rand/v2"
	"time"
)

// Start is the time of the first event, in Unix milliseconds: a Thursday, midnight UTC.
var Start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// A Null is a kind of stream in which nothing ever happens.
type Null struct {
	Name string
	// Irregular streams have exponentially distributed gaps.
	Irregular bool
	daily     bool
	// value returns a stream's values, to be asked for in time order.
	value func(rng *rand.Rand) func(t int64) float64
}

// Nulls are all kinds. Each stream draws its own level, unit and parameters.
var Nulls = []Null{
	{Name: "white noise", value: white},
	{Name: "autoregression", value: autoregression},
	{Name: "random walk with drift", value: walk},
	{Name: "daily and weekly seasons", daily: true, value: seasons},
	{Name: "heavy tails (Student t, 3)", value: heavy},
	{Name: "quantised", value: quantised},
	{Name: "sparse", value: sparse},
	{Name: "bursty", value: bursty},
	{Name: "counter", value: counter},
	{Name: "irregular gaps", Irregular: true, value: relaxing},
}

// Stream returns the events of a stream one by one; the gap is the mean time between two.
func (n Null) Stream(seed uint64, gap time.Duration) func() (t int64, x float64) {
	rng := rand.New(rand.NewPCG(seed, hash(n.Name)))
	level, unit := 3*rng.NormFloat64(), math.Pow(10, 4*rng.Float64()-2)
	value := n.value(rng)
	t := float64(Start)
	return func() (int64, float64) {
		at := int64(t)
		x := unit * (level + value(at))
		step := float64(gap.Milliseconds())
		if n.Irregular {
			step = max(step*rng.ExpFloat64(), 1)
		}
		t += step
		return at, x
	}
}

// hash keeps the kinds' draws apart (FNV-1a).
func hash(name string) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range []byte(name) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func white(rng *rand.Rand) func(int64) float64 {
	return func(int64) float64 { return rng.NormFloat64() }
}

// ar1 is an autoregression of the first order with variance 1.
func ar1(rng *rand.Rand, keep float64) func() float64 {
	x, fresh := rng.NormFloat64(), math.Sqrt(1-keep*keep)
	return func() float64 {
		x = keep*x + fresh*rng.NormFloat64()
		return x
	}
}

func autoregression(rng *rand.Rand) func(int64) float64 {
	next := ar1(rng, 0.5+0.48*rng.Float64())
	return func(int64) float64 { return next() }
}

func walk(rng *rand.Rand) func(int64) float64 {
	x, drift := 0.0, 0.1*(rng.Float64()-0.5)
	return func(int64) float64 {
		x += drift + rng.NormFloat64()
		return x
	}
}

// pattern is a daily shape of three harmonics, its size about 1, weaker on weekends.
func pattern(rng *rand.Rand) func(t int64) float64 {
	const day = 24 * 3600 * 1000
	var size, phase [3]float64
	for h := range size {
		size[h], phase[h] = (0.5+rng.Float64())/float64(h+1), 2*math.Pi*rng.Float64()
	}
	weekend := 0.4 + 0.6*rng.Float64()
	return func(t int64) float64 {
		x := 0.0
		for h := range size {
			x += size[h] * math.Sin(2*math.Pi*float64(h+1)*float64(t%day)/day+phase[h])
		}
		if weekday := time.UnixMilli(t).UTC().Weekday(); weekday == time.Saturday || weekday == time.Sunday {
			x *= weekend
		}
		return x
	}
}

func seasons(rng *rand.Rand) func(int64) float64 {
	shape, noise, size := pattern(rng), ar1(rng, 0.5), 2+6*rng.Float64()
	return func(t int64) float64 { return size*shape(t) + noise() }
}

func heavy(rng *rand.Rand) func(int64) float64 {
	return func(int64) float64 {
		square := 0.0
		for range 3 {
			z := rng.NormFloat64()
			square += z * z
		}
		return rng.NormFloat64() / math.Sqrt(square/3)
	}
}

func quantised(rng *rand.Rand) func(int64) float64 {
	next, step := ar1(rng, 0.9*rng.Float64()), 0.3+1.2*rng.Float64()
	return func(int64) float64 { return step * math.Round(next()/step) }
}

// sparse is 0 but for one event in ten to a hundred.
func sparse(rng *rand.Rand) func(int64) float64 {
	rate := math.Pow(10, -1-rng.Float64())
	return func(int64) float64 {
		if rng.Float64() >= rate {
			return 0
		}
		return 1 + math.Floor(3*rng.ExpFloat64())
	}
}

// bursty is quiet for a hundred events, then loud for five, in the mean.
func bursty(rng *rand.Rand) func(int64) float64 {
	size, loud := 3+7*rng.Float64(), false
	return func(int64) float64 {
		leave := 1.0 / 100
		if loud {
			leave = 1.0 / 5
		}
		if rng.Float64() < leave {
			loud = !loud
		}
		if loud {
			return size * (1 + 0.3*rng.NormFloat64())
		}
		return 0.5 * rng.NormFloat64()
	}
}

// counter grows by what a day's pattern of requests brings.
func counter(rng *rand.Rand) func(int64) float64 {
	shape, x, busy := pattern(rng), 0.0, 10+90*rng.Float64()
	return func(t int64) float64 {
		mean := busy * (1.2 + 0.4*shape(t))
		mean = max(mean, 1)
		x += math.Round(max(mean+math.Sqrt(mean)*rng.NormFloat64(), 0))
		return x
	}
}

// relaxing is an Ornstein-Uhlenbeck process: an autoregression in continuous time.
func relaxing(rng *rand.Rand) func(int64) float64 {
	last, x := int64(0), rng.NormFloat64()
	memory := float64(time.Hour.Milliseconds()) * (0.2 + 2*rng.Float64())
	return func(t int64) float64 {
		keep := math.Exp(-float64(t-last) / memory)
		last = t
		x = keep*x + math.Sqrt(1-keep*keep)*rng.NormFloat64()
		return x
	}
}
