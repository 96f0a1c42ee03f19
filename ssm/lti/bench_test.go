package lti

import (
	"fmt"
	"runtime"
	"testing"
)

// systems are what the forms are timed on: a dense and a diagonal system of 64
// states, the size of an S4 layer.
func systems(b *testing.B) []namedSystem {
	return []namedSystem{
		{"dense", discretize(b, randomSystem(newRand(1), 64), ZOH, 0.1)},
		{"diagonal", discretize(b, randomDiagonal(newRand(1), 32, true), ZOH, 0.1)},
	}
}

type namedSystem struct {
	name string
	*Discrete
}

// BenchmarkStep shows that the price of an event does not grow with the past.
func BenchmarkStep(b *testing.B) {
	for _, d := range systems(b) {
		for _, past := range []int{0, 1_000, 100_000} {
			b.Run(fmt.Sprintf("%s/past=%d", d.name, past), func(b *testing.B) {
				s, x := d.NewState(), normal(newRand(2), past)
				d.Run(make([]float64, past), s, x)
				b.ReportAllocs()
				for b.Loop() {
					d.Step(s, 0.5)
				}
			})
		}
	}
}

// BenchmarkForms compares the forms on one history: ns/event of each.
func BenchmarkForms(b *testing.B) {
	const l = 1 << 16
	x, y := normal(newRand(2), l), make([]float64, l)
	for _, d := range systems(b) {
		for _, f := range forms(d.Discrete) {
			b.Run(d.name+"/"+f.name, func(b *testing.B) {
				s := d.NewState()
				f.run(y[:1], s, x[:1])
				for b.Loop() {
					f.run(y, s, x)
				}
				perEvent(b, l)
			})
		}
	}
}

// BenchmarkCores reports how many times as fast two cores are as one.
func BenchmarkCores(b *testing.B) {
	const l = 1 << 17
	x, y := normal(newRand(2), l), make([]float64, l)
	for _, d := range systems(b) {
		for _, f := range forms(d.Discrete) {
			if f.name == "recur" || f.name == "run" {
				continue
			}
			b.Run(d.name+"/"+f.name, func(b *testing.B) {
				s := d.NewState()
				f.run(y[:1], s, x[:1])
				var spent [3]float64 // seconds, by cores
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
				for b.Loop() {
					for cores := 1; cores <= 2; cores++ {
						runtime.GOMAXPROCS(cores)
						before := b.Elapsed()
						f.run(y, s, x)
						spent[cores] += (b.Elapsed() - before).Seconds()
					}
				}
				b.ReportMetric(spent[1]/spent[2], "speedup-2-cores")
			})
		}
	}
}

// BenchmarkCausalConvolve shows L log L: the last metric is nearly constant.
func BenchmarkCausalConvolve(b *testing.B) {
	for bits := 8; bits <= 18; bits += 2 {
		l := 1 << bits
		b.Run(fmt.Sprintf("L=%d", l), func(b *testing.B) {
			k, x, y := normal(newRand(1), l), normal(newRand(2), l), make([]float64, l)
			for b.Loop() {
				CausalConvolve(y, k, x)
			}
			ns := perEvent(b, l)
			b.ReportMetric(ns/float64(bits+1), "ns/(L·log2(2L))")
		})
	}
}

// BenchmarkBackward times the gradient of a layer of 32 pairs.
func BenchmarkBackward(b *testing.B) {
	const l = 4096
	s := randomDiagonal(newRand(1), 32, true)
	d := discretize(b, s, ZOH, 0.1)
	x, gy := normal(newRand(2), l), normal(newRand(3), l)
	for b.Loop() {
		s.Backward(ZOH, 0.1, d.NewState(), x, gy)
	}
	perEvent(b, l)
}

// BenchmarkMemoryPush is one event of HiPPO-LegS.
func BenchmarkMemoryPush(b *testing.B) {
	m := NewMemory(64)
	b.ReportAllocs()
	for b.Loop() {
		m.Push(1)
	}
}

func perEvent(b *testing.B, l int) float64 {
	ns := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(l)
	b.ReportMetric(ns, "ns/event")
	return ns
}
