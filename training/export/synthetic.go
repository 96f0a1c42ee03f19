package main

import (
	"math"
	"math/rand/v2"
)

// A process makes the next value of a synthetic stream; i counts the seconds of
// the stream in units of its usual interval.
type process func(i float64) float64

// synthesize makes one stream: the sum of one to three processes, then faults of
// measurement (rounding, clipping, missing events), then an arbitrary unit.
func synthesize(name string, r *rand.Rand) series {
	s := series{name: name, source: sourceSynthetic}
	length := 300 + r.IntN(2200)
	kinds := []func(*rand.Rand) process{
		autoregressive, autoregressive, seasonal, seasonal, shifting, shifting, bursts, counter,
		poisson, telegraph, ramps, constant, multiplicative, randomWalk, sparse,
	}
	var parts []process
	for range 1 + r.IntN(2) + r.IntN(2) {
		parts = append(parts, kinds[r.IntN(len(kinds))](r))
	}
	wait := waiting(r)
	interval := math.Exp(r.Float64()*8 + 5) // milliseconds: 0.15 s … 7 minutes
	at := 0.0
	for range length {
		at += wait()
		v := 0.0
		for _, p := range parts {
			v += p(at)
		}
		s.times = append(s.times, int64(at*interval))
		s.values = append(s.values, v)
	}
	measured(s.values, r)
	return s
}

// measured rounds, clips and rescales the values as instruments do.
func measured(values []float64, r *rand.Rand) {
	size := 0.0
	for _, v := range values {
		size += math.Abs(v-values[0]) / float64(len(values))
	}
	grid, ceiling := 0.0, math.Inf(1)
	if r.IntN(2) == 0 {
		grid = size * math.Exp(-4*r.Float64())
	}
	if r.IntN(8) == 0 {
		ceiling = values[0] + size*r.Float64()*2
	}
	floored := r.IntN(5) == 0
	unit, offset := math.Exp(r.NormFloat64()*6), 0.0
	if r.IntN(3) == 0 {
		offset = r.NormFloat64() * size * 100
	}
	for i, v := range values {
		if grid > 0 {
			v = math.Round(v/grid) * grid
		}
		v = min(v, ceiling)
		if floored {
			v = max(v, values[0])
		}
		values[i] = (v + offset) * unit
	}
}

// waiting draws the gaps between events, in usual intervals.
func waiting(r *rand.Rand) func() float64 {
	outages := r.Float64() * 0.01 * float64(r.IntN(2))
	kind := r.IntN(6)
	return func() float64 {
		gap := 1.0
		switch kind {
		case 0:
			gap = r.ExpFloat64()
		case 1:
			gap = 1 + 0.1*r.NormFloat64()
		case 2:
			gap = float64(1 + r.IntN(2)*r.IntN(4))
		}
		if r.Float64() < outages {
			gap += 100 * r.ExpFloat64()
		}
		return max(gap, 1e-3)
	}
}

// noise draws independent numbers of about unit size, light- or heavy-tailed.
func noise(r *rand.Rand) func() float64 {
	switch r.IntN(4) {
	case 0:
		return func() float64 { return r.ExpFloat64() * float64(1-2*r.IntN(2)) }
	case 1:
		return func() float64 { return r.NormFloat64() / math.Sqrt(0.2+r.ExpFloat64()) }
	case 2:
		return func() float64 { return 2*r.Float64() - 1 }
	}
	return r.NormFloat64
}

func autoregressive(r *rand.Rand) process {
	halfLife, draw := math.Exp(r.Float64()*6-2), noise(r)
	level, before := 0.0, 0.0
	white := r.Float64() * float64(r.IntN(2))
	return func(i float64) float64 {
		keep := math.Exp2(-(i - before) / halfLife)
		before = i
		level = keep*level + math.Sqrt(1-keep*keep)*draw()
		return level + white*draw()
	}
}

func randomWalk(r *rand.Rand) process {
	draw, level, drift := noise(r), 0.0, 0.3*r.NormFloat64()*float64(r.IntN(2))
	return func(float64) float64 {
		level += draw() + drift
		return level
	}
}

func seasonal(r *rand.Rand) process {
	period, rough, draw := math.Exp(2+r.Float64()*5.5), math.Exp(-4*r.Float64()), noise(r)
	var size, phase [4]float64
	for k := range size {
		size[k], phase[k] = r.NormFloat64()/float64(k+1), r.Float64()*2*math.Pi
	}
	square := r.IntN(4) == 0
	return func(i float64) float64 {
		v := 0.0
		for k := range size {
			v += size[k] * math.Sin(2*math.Pi*float64(k+1)*i/period+phase[k])
		}
		if square {
			v = math.Copysign(1, v)
		}
		return 2*v + rough*draw()
	}
}

func shifting(r *rand.Rand) process {
	rate, rough, draw := math.Exp(-3-r.Float64()*4), math.Exp(-5*r.Float64()), noise(r)
	level := 0.0
	return func(float64) float64 {
		if r.Float64() < rate {
			level = 3 * draw()
		}
		return level + rough*draw()
	}
}

func bursts(r *rand.Rand) process {
	rate, decay := math.Exp(-2-r.Float64()*4), r.Float64()*0.95
	rough, draw, height := math.Exp(-6*r.Float64()), noise(r), 0.0
	return func(float64) float64 {
		height *= decay
		if r.Float64() < rate {
			height += math.Exp(1.5 * r.NormFloat64())
		}
		return 3*height + rough*draw()
	}
}

func counter(r *rand.Rand) process {
	mean, spread, reset, total := r.ExpFloat64(), 0.5*r.Float64(), math.Exp(-5-r.Float64()*4), 0.0
	whole := r.IntN(2) == 0
	return func(float64) float64 {
		step := mean * math.Exp(spread*r.NormFloat64())
		if whole {
			step = math.Round(3 * step)
		}
		total += step
		if r.Float64() < reset {
			total = 0
		}
		return total
	}
}

func poisson(r *rand.Rand) process {
	period, mean := math.Exp(3+r.Float64()*4), math.Exp(r.NormFloat64()*1.5)
	swing := r.Float64() * float64(r.IntN(2))
	return func(i float64) float64 {
		rate := mean * (1 + swing*math.Sin(2*math.Pi*i/period))
		if rate > 50 {
			return math.Max(0, math.Round(rate+math.Sqrt(rate)*r.NormFloat64()))
		}
		count, product := 0.0, r.Float64()
		for product > math.Exp(-rate) {
			count++
			product *= r.Float64()
		}
		return count
	}
}

func telegraph(r *rand.Rand) process {
	up, down, high := math.Exp(-1-r.Float64()*5), math.Exp(-1-r.Float64()*4), false
	rough, draw := math.Exp(-3-5*r.Float64())*float64(r.IntN(2)), noise(r)
	return func(float64) float64 {
		if high && r.Float64() < down || !high && r.Float64() < up {
			high = !high
		}
		v := rough * draw()
		if high {
			v++
		}
		return v
	}
}

func ramps(r *rand.Rand) process {
	slope, drop, rough, level := math.Exp(-4*r.Float64()), math.Exp(-2-r.Float64()*4), math.Exp(-1-3*r.Float64()), 0.0
	draw := noise(r)
	return func(float64) float64 {
		level += slope
		if r.Float64() < drop {
			level *= r.Float64() * 0.3
		}
		return level + rough*slope*draw()
	}
}

func constant(r *rand.Rand) process {
	level, rate := math.Round(r.NormFloat64()*10), math.Exp(-4-r.Float64()*6)*float64(r.IntN(2))
	return func(float64) float64 {
		if r.Float64() < rate {
			level += math.Round(r.NormFloat64() * 3)
		}
		return level
	}
}

func multiplicative(r *rand.Rand) process {
	inner, size := autoregressive(r), 0.3+r.Float64()
	return func(i float64) float64 { return math.Exp(size * inner(i)) }
}

func sparse(r *rand.Rand) process {
	rate, draw := math.Exp(-1-r.Float64()*5), noise(r)
	return func(float64) float64 {
		if r.Float64() < rate {
			return 1 + math.Abs(draw())
		}
		return 0
	}
}
