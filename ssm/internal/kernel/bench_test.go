package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// The sizes are those of a block with d_model 64, d_inner 128, d_state 16.

func benchmarkEach(b *testing.B, bench func(b *testing.B, impl implementation, v values)) {
	for _, impl := range supported() {
		b.Run(impl.name, func(b *testing.B) { bench(b, impl, values{rand.New(rand.NewPCG(1, 1)), 0}) })
	}
}

func BenchmarkGemm(b *testing.B) {
	const n, k = 256, 64
	for _, m := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("rows=%d", m), func(b *testing.B) {
			benchmarkEach(b, func(b *testing.B, impl implementation, v values) {
				p := Pack(v.fill(make([]float32, n*k), 1), nil, n, k)
				a, dst := v.fill(make([]float32, m*k), 1), make([]float32, m*n)
				for b.Loop() {
					impl.gemm(dst, n, a, k, m, p, false)
				}
				b.ReportMetric(2*float64(m*n*k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOPS")
			})
		})
	}
}

func BenchmarkScanStep(b *testing.B) {
	const n, dState = 128, 16
	benchmarkEach(b, func(b *testing.B, impl implementation, v values) {
		x, z, dt, y := v.fill(make([]float32, n), 1), v.fill(make([]float32, n), 1), make([]float32, n), make([]float32, n)
		bc, d := v.fill(make([]float32, dState), 1), v.fill(make([]float32, n), 1)
		a, h := make([]float32, n*dState), make([]float32, n*dState)
		for i := range a {
			a[i] = -1
		}
		for b.Loop() {
			clear(dt) // it holds Δ after a call
			impl.scanStep(y, h, dt, x, z, bc, bc, a, d, 1, h)
		}
	})
}

func BenchmarkConvSiLU(b *testing.B) {
	const n, taps = 128, 4
	benchmarkEach(b, func(b *testing.B, impl implementation, v values) {
		x, dst, w := v.fill(make([]float32, n), 1), make([]float32, n), v.fill(make([]float32, n*taps), 1)
		conv := make([]float32, n*(taps-1))
		for b.Loop() {
			impl.convSiLU(dst, x, conv, w, x, taps, conv)
		}
	})
}

func BenchmarkRMSNorm(b *testing.B) {
	const n = 64
	benchmarkEach(b, func(b *testing.B, impl implementation, v values) {
		x, dst := v.fill(make([]float32, n), 1), make([]float32, n)
		for b.Loop() {
			impl.rmsNorm(dst, x, x, n, 1e-5)
		}
	})
}

func BenchmarkPeaks(b *testing.B) {
	b.Run("fma", func(b *testing.B) {
		flops := 0.0
		for b.Loop() {
			flops += PeakFMA(10_000)
		}
		b.ReportMetric(flops/float64(b.Elapsed().Nanoseconds()), "GFLOPS")
	})
	b.Run("exp", func(b *testing.B) {
		exps := 0.0
		for b.Loop() {
			exps += PeakExp(10_000)
		}
		b.ReportMetric(exps/float64(b.Elapsed().Nanoseconds()), "Gexp/s")
	})
	b.Run("update", func(b *testing.B) {
		p, bytes := make([]float32, 64<<20), 0.0
		for b.Loop() {
			bytes += Update(p)
		}
		b.ReportMetric(bytes/float64(b.Elapsed().Nanoseconds()), "GB/s")
	})
}
