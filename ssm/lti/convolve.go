package lti

import (
	"math/bits"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Convolve is Recur by convolution with the kernel, chunk by chunk through the
// FFT, on all cores. In overlap-save a chunk is convolved together with as much
// of the past as the kernel is long; here the state before the chunk stands for
// the whole past, however long, so nothing is cut off and the memory is
// bounded:
//
//	y  = K * x (within the chunk) + observeᵀ h + D x
//	h' = Ā^chunk h + reach x
//
// dst may be x.
func (d *Discrete) Convolve(dst []float64, s *State, x []float64) {
	d.check(dst, s, x)
	waves(dst, x, func(dst, x []float64) { d.convolveWave(dst, s, x) })
}

func (d *Discrete) convolveWave(dst []float64, s *State, x []float64) {
	p, n, blocks := d.plan(), d.Order(), chunks(len(x))
	elements := p.elements(x, n) // before dst, which may be x, is written
	starts := p.starts(s, elements, len(x))
	each(blocks, func() func(int) {
		conv := newConvolver(2 * chunk)
		return func(i int) {
			in, out := part(x, i), part(dst, i)
			conv.run(p.spectrum, in)
			for k, v := range in {
				out[k] = conv.seq[k] + d.d*v
			}
			p.respond(out, starts[i*n:(i+1)*n])
		}
	})
	copy(s.H, starts[blocks*n:])
}

// A convolver holds one goroutine's FFT of one length.
type convolver struct {
	fft   *fourier.FFT
	seq   []float64
	coeff []complex128
}

func newConvolver(size int) *convolver {
	return &convolver{fft: fourier.NewFFT(size), seq: make([]float64, size), coeff: make([]complex128, size/2+1)}
}

// run leaves in seq the circular convolution of x with the kernel whose
// coefficients spectrum has.
func (c *convolver) run(spectrum []complex128, x []float64) {
	clear(c.seq[copy(c.seq, x):])
	c.fft.Coefficients(c.coeff, c.seq)
	scale := complex(1/float64(len(c.seq)), 0) // the transform pair is not normalised
	for i, k := range spectrum {
		c.coeff[i] *= k * scale
	}
	c.fft.Sequence(c.seq, c.coeff)
}

// CausalConvolve writes dst[k] = Σ_{j≤k} kernel[j] x[k−j] by one FFT over the whole
// length L: O(L log L) time and O(L) memory. It is the form for training, where
// the sequence is whole and no state is carried. The kernel must be at least
// as long as x. dst may be x.
func CausalConvolve(dst, kernel, x []float64) {
	switch {
	case len(dst) != len(x):
		panic(badDst)
	case len(kernel) < len(x):
		panic(badK)
	case len(x) == 0:
		return
	}
	size := 2 << bits.Len(uint(len(x)-1)) // the power of two at or above 2L, so nothing wraps
	conv := newConvolver(size)
	copy(conv.seq, kernel[:len(x)])
	spectrum := conv.fft.Coefficients(nil, conv.seq)
	conv.run(spectrum, x)
	copy(dst, conv.seq)
}
