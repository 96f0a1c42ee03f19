package kernel

import "math"

// peaks are the loops that show what the processor can do at most with the
// instructions of an implementation, for comparison with what the kernels do.
type peaks struct {
	fma    func(rounds int) // 12 vectors of fused multiply-adds a round
	exp    func(rounds int) // exp2Neg of 4 vectors a round
	update func(p []float32)
	lanes  int // of a vector
}

var peaksGeneric = peaks{peakFMAGeneric, peakExpGeneric, updateGeneric, 1}

// PeakFMA does nothing but fused multiply-adds in registers and returns how many
// floating-point operations they were, two each.
func PeakFMA(rounds int) (flops float64) {
	active.peaks.fma(rounds)
	return float64(rounds) * 2 * 12 * float64(active.peaks.lanes)
}

// PeakExp does nothing but the scan's exponentials in registers and returns how
// many they were.
func PeakExp(rounds int) (exps float64) {
	active.peaks.exp(rounds)
	return float64(rounds) * 4 * float64(active.peaks.lanes)
}

// Update reads and writes every number of p, of whole blocks, once and in order:
// what a scan does to a state, without its arithmetic. It returns the bytes that
// were read and written.
func Update(p []float32) (bytes float64) {
	if len(p)%Lanes != 0 || len(p) == 0 {
		panic("kernel: Update: not whole blocks")
	}
	active.peaks.update(p)
	return 8 * float64(len(p))
}

// peakSink keeps the compiler from leaving out what nobody reads.
var peakSink float32

// peakFMAGeneric uses the language's own fused multiply-add, on float64: nothing that
// the generic kernels could use is faster.
func peakFMAGeneric(rounds int) {
	var sums [12]float64
	for range rounds {
		for i := range sums {
			sums[i] = math.FMA(sums[i], 0.5, 0.5)
		}
	}
	peakSink = float32(sums[0])
}

func peakExpGeneric(rounds int) {
	for range rounds {
		for i := range 4 {
			peakSink = exp2Neg(-float32(i))
		}
	}
}

func updateGeneric(p []float32) {
	for i := range p {
		p[i] *= 1
	}
}
