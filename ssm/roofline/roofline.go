// Package roofline says how fast a processor could advance a model at best, from
// what it measurably does at best: fused multiply-adds and memory traffic. It is
// the scale that [github.com/weirstream/weir/ssm]'s speed is read on; a roofline
// is a bound, so nothing reaches all of it.
package roofline

import (
	"math"
	"time"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/internal/kernel"
)

// Peaks are the best rates of one core that were seen.
type Peaks struct {
	Kernel string  // the instructions in use: generic, avx2 or avx512
	FMA    float64 // floating-point operations a second, two a fused multiply-add
	Exp    float64 // exponentials a second, as the scan computes them
	Memory float64 // bytes a second, read and written both counted, main memory updated in place
}

// A Meter measures peaks. Each call of Measure takes another sample of some
// milliseconds and keeps the best: on a shared machine only the best says what the
// processor can do.
type Meter struct {
	peaks Peaks
	slab  []float32
	at    int // in slab
}

// memoryBytes is far beyond a processor's caches; a sample updates partBytes of it,
// which takes less than a millisecond, the next sample what lies behind.
const memoryBytes, partBytes = 256 << 20, 16 << 20

// NewMeter returns a Meter that has not measured yet. It holds 256 MiB.
func NewMeter() *Meter {
	m := &Meter{peaks: Peaks{Kernel: kernel.Name()}, slab: kernel.NewSlab(memoryBytes / 4)}
	kernel.Update(m.slab) // so that every page is there
	return m
}

// Measure takes one sample of each peak.
func (m *Meter) Measure() {
	const sample = time.Millisecond / 2
	keep(&m.peaks.FMA, rate(sample, func() float64 { return kernel.PeakFMA(1000) }))
	keep(&m.peaks.Exp, rate(sample, func() float64 { return kernel.PeakExp(500) }))
	for range 4 {
		part := m.slab[m.at:][:partBytes/4]
		keep(&m.peaks.Memory, rate(0, func() float64 { return kernel.Update(part) }))
		m.at = (m.at + len(part)) % len(m.slab)
	}
}

// Peaks returns the best of all samples.
func (m *Meter) Peaks() Peaks { return m.peaks }

func keep(best *float64, v float64) { *best = math.Max(*best, v) }

// rate calls work, which returns how much it did, until at least d has passed.
func rate(d time.Duration, work func() float64) float64 {
	began, done := time.Now(), 0.0
	for {
		done += work()
		if took := time.Since(began); took >= d {
			return done / took.Seconds()
		}
	}
}

// Work is what one step of one stream costs at least.
type Work struct {
	GEMM       float64 // floating-point operations of the matrix products
	Scan       float64 // of the state update, exponentials included
	Activation float64 // of softplus, SiLU, convolution and the rest once a channel
	State      float64 // bytes of the stream's state, read and written
}

// Of returns the work of one step of a Mamba model of dims.
//
// Counted is what must go through a processor's multiply-add units: per state number
// ten operations (Δ·A, a polynomial of degree six, its scale, h and y), per channel
// and layer forty-four. Sums, comparisons, divisions, u·B, integer operations and
// loads are taken to be hidden beside them.
func Of(d ssm.Dims) Work {
	const (
		flops      = 2 // an operation counts as a multiply-add
		perState   = 10
		perChannel = 44
	)
	products := float64(d.NInput*d.DModel + d.DModel*d.NOutput)
	layer := d.DModel*2*d.DInner + d.DInner*(d.DTRank+2*d.DState) + d.DTRank*d.DInner + d.DInner*d.DModel
	layers := float64(d.NLayer)
	return Work{
		GEMM:       flops * (products + layers*float64(layer)),
		Scan:       flops * layers * float64(d.DInner*d.DState*perState),
		Activation: flops * layers * float64(d.DInner*perChannel),
		State:      2 * 4 * layers * float64(d.DInner*(d.DState+d.DConv-1)),
	}
}

// Limit returns the most steps a second of one core: arithmetic and memory traffic
// go on side by side, so the slower of them decides. Where hot, states are in a
// cache, and their traffic is hidden.
func (w Work) Limit(p Peaks, hot bool) float64 {
	seconds := (w.GEMM + w.Scan + w.Activation) / p.FMA
	if !hot {
		seconds = math.Max(seconds, w.State/p.Memory)
	}
	return 1 / seconds
}
