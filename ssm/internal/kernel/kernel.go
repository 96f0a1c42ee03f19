// Package kernel holds the arithmetic of a Mamba step: matrix products, the
// causal convolution, the state update and RMSNorm, on one row per stream.
//
// # The contract
//
// Each kernel is defined by its Go loop (the generic functions of this package,
// always compiled), down to the last bit of every finite result and every
// infinity; the vector versions are other ways to compute the same bits. Three
// rules make that possible and keep a stream's result independent of the batch
// it was computed in:
//
//   - A sum over k is one chain of correctly rounded float32 fused
//     multiply-adds, k ascending. Vector lanes run along outputs, never along k.
//   - The one reduction across lanes, in RMSNorm, is defined as sixteen partial
//     sums folded in a fixed order.
//   - exp, softplus and SiLU are polynomials of this package (see math.go);
//     division and square root are correctly rounded by IEEE 754.
//
// Where a result is not a number it is so in every version, but sign and
// payload of the NaN are not defined.
//
// # Layout
//
// Channels are padded to a multiple of Lanes. A row over channels (x, z, dt) is
// plain: channel c at index c. What has a second axis is blocked so that the
// sixteen channels of a block lie beside each other:
//
//	h, A      [d_inner/16][d_state][16]
//	conv      [d_inner/16][d_conv-1][16]   oldest input first
//	conv w    [d_inner/16][d_conv][16]     the newest input's tap last
//
// A padded channel has zero weights everywhere; its x, y and state stay zero.
package kernel

// Lanes is the number of channels of a block and the multiple to which the
// width of every row is padded.
const Lanes = 16

// Pad returns n rounded up to a multiple of Lanes.
func Pad(n int) int { return (n + Lanes - 1) &^ (Lanes - 1) }

// An implementation is one way to compute the kernels.
type implementation struct {
	name     string
	gemm     func(dst []float32, ldd int, a []float32, lda, m int, p *Panels, add bool)
	convSiLU func(dst, x, conv, w, bias []float32, taps int, next []float32)
	scanStep func(y, h, dt, x, z, b, c, a, d []float32, gap float32, next []float32)
	rmsNorm  func(dst, x, w []float32, dim int, eps float32)
	peaks    peaks
}

var generic = implementation{"generic", gemmGeneric, convSiLUGeneric, scanStepGeneric, rmsNormGeneric, peaksGeneric}

// active is chosen once, by what the processor can do.
var active = supported()[0]

// Name says which implementation runs: generic, avx2 or avx512.
func Name() string { return active.name }

// Gemm computes m rows of dst = a·Wᵀ + bias, or with add, dst += a·Wᵀ + bias.
// Row i of a starts at a[i·lda] and holds p.K values; row i of dst starts at
// dst[i·ldd] and receives p.Width() values, the padding's among them.
//
//	acc = bias[j]
//	for k := range K { acc = fma(a[i][k], w[j][k], acc) }
//	dst[i][j] = acc                 // or dst[i][j] + acc
func Gemm(dst []float32, ldd int, a []float32, lda, m int, p *Panels, add bool) {
	if m == 0 {
		return
	}
	_ = dst[(m-1)*ldd+p.Width()-1]
	_ = a[(m-1)*lda+p.K-1]
	active.gemm(dst, ldd, a, lda, m, p, add)
}

// ConvSiLU advances the causal depthwise convolution of one stream by one input
// and applies SiLU. Per channel, with the taps-1 earlier inputs in conv:
//
//	acc = bias
//	for j := range taps-1 { acc = fma(w[j], conv[j], acc) }
//	acc = fma(w[taps-1], x, acc)
//	conv = conv[1:], x
//	dst = silu(acc)
//
// dst may be x. next, where not nil, is the conv state that the following call
// will need; it is fetched into the cache meanwhile.
func ConvSiLU(dst, x, conv, w, bias []float32, taps int, next []float32) {
	n := len(x)
	if n%Lanes != 0 || len(dst) != n || len(bias) != n || len(conv) != n*(taps-1) || len(w) != n*taps {
		panic("kernel: ConvSiLU: lengths do not match")
	}
	if len(next) != len(conv) {
		next = conv
	}
	if n > 0 {
		active.convSiLU(dst, x, conv, w, bias, taps, next)
	}
}

// ScanStep advances the state h of one stream by one input, discretized with
// the input's own Δ, and gates the output. Per channel, with A' = A·log2(e):
//
//	Δ = softplus(dt) · gap
//	u = Δ · x
//	y = 0
//	for n := range d_state {
//		h[n] = fma(h[n], exp2(Δ·A'[n]), u·B[n])     // Ā zero-order hold, B̄ = Δ·B
//		y = fma(h[n], C[n], y)
//	}
//	y = fma(D, x, y) · silu(z)
//
// The lengths of b and c are d_state. What dt and z hold afterwards is not
// defined; y may be any of dt, x and z. next, where not nil, is the state that
// the following call will need; it is fetched into the cache meanwhile.
func ScanStep(y, h, dt, x, z, b, c, a, d []float32, gap float32, next []float32) {
	n, dState := len(x), len(b)
	if n%Lanes != 0 || len(y) != n || len(dt) != n || len(z) != n || len(d) != n ||
		len(c) != dState || dState == 0 || len(h) != n*dState || len(a) != n*dState {
		panic("kernel: ScanStep: lengths do not match")
	}
	if len(next) != len(h) {
		next = h
	}
	if n > 0 {
		active.scanStep(y, h, dt, x, z, b, c, a, d, gap, next)
	}
}

// RMSNorm computes dst = w · x / sqrt(mean(x²) + eps), the mean taken over dim
// values; x beyond dim is zero padding. Lane l of the sum of squares runs over
// x[l], x[l+16], …; the lanes are folded 8, 4, 2 and 1 apart.
//
// dst may be x.
func RMSNorm(dst, x, w []float32, dim int, eps float32) {
	n := len(x)
	if n%Lanes != 0 || n == 0 || len(dst) != n || len(w) != n {
		panic("kernel: RMSNorm: lengths do not match")
	}
	active.rmsNorm(dst, x, w, dim, eps)
}
