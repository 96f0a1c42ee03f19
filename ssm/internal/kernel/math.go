package kernel

import "math"

// fma32 returns a·b + c rounded once to float32.
//
// The product is exact in float64, so it does not matter whether the compiler
// fuses the sum. Rounding that to float32 is a second rounding, which is wrong
// only if the sum was inexact and came to lie on the midpoint of two float32:
// then its low 28 bits are zero. The witness a = 8384513·2⁻²³,
// b = 8392705·2⁻⁴⁷, c = 1 is in the tests.
func fma32(a, b, c float32) float32 {
	s := float64(a)*float64(b) + float64(c)
	if math.Float64bits(s)<<36 != 0 {
		return float32(s)
	}
	return fma32Odd(a, b, c)
}

// fma32Odd rounds the float64 sum to odd, after which rounding to float32 gives
// the correctly rounded result (Boldo and Melquiond, "Emulation of FMA and
// correctly rounded sums: proved algorithms using rounding to odd").
func fma32Odd(a, b, c float32) float32 {
	p, z := float64(float64(a)*float64(b)), float64(c)
	s := p + z
	t := s - p
	err := (p - (s - t)) + (z - t) // s + err is the exact sum (Knuth's TwoSum)
	if err == 0 || err != err {
		return float32(s)
	}
	bits := math.Float64bits(s)
	if bits&1 == 0 {
		if (err > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
	}
	return float32(math.Float64frombits(bits))
}

const (
	// magic is 1.5·2²³ + 127: adding it rounds to an integer n (ties to even)
	// and leaves n + 127, the exponent field of 2ⁿ, in the low bits.
	magic = 1.5*(1<<23) + 127

	log2e = 1.4426950216293335
	ln2Hi = 0.6931471824645996 // float32(log 2)
	ln2Lo = -1.904654212125934e-9

	expMin  = -87 // exp's argument is clamped here: e⁻⁸⁷ = 1.6e-38, a normal number
	exp2Min = -126
)

// exp2Poly is the minimax polynomial of 2^r on |r| <= 1/2 in relative error
// (1.9e-9, Remez), lowest degree first. Its constant is exactly 1, so that
// exp(0) = 1.
var exp2Poly = [...]float32{
	1, 0.6931471824645996, 0.24022646248340607, 0.05550328642129898,
	0.009618489071726799, 0.0013399930903688073, 0.0001534581242594868,
}

// expPoly is the minimax polynomial of e^r on |r| <= log(2)/2, as exp2Poly is.
var expPoly = [...]float32{
	1, 1, 0.49999991059303284, 0.16666419804096222,
	0.04166822507977486, 0.008374816738069057, 0.001383684459142387,
}

// log1pPoly is (P(e)-1)/e, where P is the minimax polynomial of log(1+e)/e on
// 0 <= e <= 1 in relative error (4.7e-9, Remez), lowest degree first. P's own
// constant is 1 in float32, so log(1+e) = e + e²·log1pPoly(e).
var log1pPoly = [...]float32{
	-0.4999990165233612, 0.3332996368408203, -0.24954134225845337, 0.1967593878507614,
	-0.15305592119693756, 0.10603654384613037, -0.05695953220129013, 0.019851459190249443,
	-0.003244024468585849,
}

// horner evaluates c[0] + c[1]·x + … with fused multiply-adds.
func horner(c []float32, x float32) float32 {
	p := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		p = fma32(p, x, c[i])
	}
	return p
}

// maxf returns the greater; if either is NaN or both are zero, x. This is what
// VMAXPS does with x as its second source.
func maxf(c, x float32) float32 {
	if c > x {
		return c
	}
	return x
}

// minf returns the smaller; if either is NaN, x.
func minf(c, x float32) float32 {
	if c < x {
		return c
	}
	return x
}

// exp2Neg returns 2^y for y <= 0, with y below -126 taken as -126. At most 1 ulp.
func exp2Neg(y float32) float32 {
	y = maxf(exp2Min, y)
	t := y + magic
	r := y - (t - magic)
	return float32(horner(exp2Poly[:], r) * math.Float32frombits(math.Float32bits(t)<<23))
}

// reduce returns r and 2ⁿ with x = r + n·log(2) and |r| <= log(2)/2, for
// |x| <= 87. The first subtraction of x - n·ln2Hi - n·ln2Lo is exact.
func reduce(x float32) (r, scale float32) {
	t := fma32(x, log2e, magic)
	n := t - magic
	r = fma32(n, -ln2Lo, fma32(n, -ln2Hi, x))
	return r, math.Float32frombits(math.Float32bits(t) << 23)
}

// exp returns e^x for |x| <= 87, or NaN for NaN. At most 1.1 ulp.
func exp(x float32) float32 {
	r, scale := reduce(x)
	return float32(horner(expPoly[:], r) * scale)
}

// softplus returns log(1 + e^v) = max(v, 0) + log1p(e^-|v|). From v = 20 on the
// second term is below half a unit in the last place, so the result is v itself.
// Below v = -87 it stays at e⁻⁸⁷. At most 2 ulp for v >= -87.
func softplus(v float32) float32 {
	e := exp(maxf(expMin, math.Float32frombits(math.Float32bits(v)|1<<31)))
	return fma32(float32(e*e), horner(log1pPoly[:], e), maxf(0, v)) + e
}

// silu returns v / (1 + e^-v), with v below -87 taken as -87, where the result
// is -1.4e-36. With e^-v = 2ⁿ·(1 + w), the divisor is (1 + 2ⁿ·w) + 2ⁿ, which
// spares the rounding of 1 + w. At most 2.2 ulp for v >= -87.
func silu(v float32) float32 {
	v = maxf(expMin, v)
	r, scale := reduce(-minf(-expMin, v))
	w := float32(r * horner(expPoly[1:], r))
	return v / (fma32(w, scale, 1) + scale)
}
