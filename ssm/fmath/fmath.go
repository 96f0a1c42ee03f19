// Package fmath offers float64 exp, log, sinh and asinh that give the same bits
// on every architecture.
//
// Package math promises that for none of them: it has assembly versions of some
// on some architectures, and a compiler may fuse x*y + z into one rounding where
// the processor can. Every product here is rounded explicitly, which forbids
// that. Only operations that IEEE 754 rounds correctly are used.
//
// Errors, measured against 200-bit arithmetic (see the tests): at most 1 unit in
// the last place for Exp and Log, 2 for Sinh and Asinh.
package fmath

import "math"

const (
	ln2Hi = 0x1.62e42feep-1 // log 2 to 32 bits: k·ln2Hi is exact for every exponent k
	ln2Lo = 0x1.a39ef35793c76p-33
)

// Exp returns e^x: 0 below -745.13, denormal below -708.39, +Inf above 709.78.
func Exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > 709.782712893384:
		return math.Inf(1)
	case x < -745.1332191019412:
		return 0
	}
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	hi := x - float64(k*ln2Hi)
	r := hi - float64(k*ln2Lo) // |r| <= log(2)/2
	// e^r = 1 + r + r²·(1/2 + r/6 + …), Taylor up to r¹³/13!: the rest is below 2⁻⁵⁸.
	p := 1.0 / 6227020800
	for _, c := range expCoef {
		p = float64(p*r) + c
	}
	// What the subtraction lost of r is added last.
	lost := (hi - r) - float64(k*ln2Lo)
	return scale(1+(r+(float64(float64(r*r)*p)+lost)), int(k))
}

// expCoef holds 1/n! for n = 12 down to 2.
var expCoef = [...]float64{
	1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
	1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2,
}

// scale returns v·2^k for v near 1 and -1075 <= k <= 1024; the product is exact
// unless it is denormal.
func scale(v float64, k int) float64 {
	switch {
	case k > 1023:
		return v * 2 * math.Float64frombits(uint64(k-1+1023)<<52)
	case k < -1022:
		return v * math.Float64frombits(uint64(k+54+1023)<<52) * 0x1p-54
	}
	return v * math.Float64frombits(uint64(k+1023)<<52)
}

// Log returns the natural logarithm: -Inf for 0, NaN for a negative x.
func Log(x float64) float64 {
	switch {
	case x != x || x > math.MaxFloat64:
		return x
	case x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	}
	return log1p(x, 0)
}

// log1p returns log(x + c) for a normal or denormal x > 0 and |c| below half a
// unit in the last place of x.
func log1p(x, c float64) float64 {
	k := 0
	if x < 0x1p-1022 {
		x *= 0x1p54
		k = -54
	}
	bits := math.Float64bits(x)
	k += int(bits>>52) - 1023
	m := math.Float64frombits(bits&(1<<52-1) | 1023<<52)
	if m > math.Sqrt2 {
		m /= 2
		k++
	}
	// log(1+f) = f - s·(f - R) with s = f/(2+f) and
	// R = 2/3·s² + 2/5·s⁴ + …, from log((1+s)/(1-s)) = 2·(s + s³/3 + s⁵/5 + …).
	f := m - 1
	s := f / (2 + f)
	z := float64(s * s)
	r := 2.0 / 23
	for _, c := range logCoef {
		r = float64(r*z) + c
	}
	r = float64(r * z)
	tail := float64(s * (f - r))
	if k == 0 {
		return f - (tail - c/x)
	}
	n := float64(k)
	return float64(n*ln2Hi) - ((tail - (float64(n*ln2Lo) + c/x)) - f)
}

// logCoef holds 2/(2n+1) for n = 10 down to 1.
var logCoef = [...]float64{
	2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13, 2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3,
}

// Sinh returns the hyperbolic sine.
func Sinh(x float64) float64 {
	a := math.Abs(x)
	switch {
	case a < 1: // Taylor up to x¹⁹/19!
		z := float64(x * x)
		p := 1.0 / 121645100408832000
		for _, c := range sinhCoef {
			p = float64(p*z) + c
		}
		return x + float64(float64(x*z)*p)
	case a < 709:
		e := Exp(a)
		return math.Copysign((e-1/e)/2, x)
	}
	e := Exp(a / 2)
	return math.Copysign(float64(float64(e/2)*e), x)
}

// sinhCoef holds 1/n! for n = 17, 15, … 3.
var sinhCoef = [...]float64{
	1.0 / 355687428096000, 1.0 / 1307674368000, 1.0 / 6227020800, 1.0 / 39916800,
	1.0 / 362880, 1.0 / 5040, 1.0 / 120, 1.0 / 6,
}

// Asinh returns the inverse hyperbolic sine, to full relative precision near 0.
func Asinh(x float64) float64 {
	a := math.Abs(x)
	switch {
	case !(a < 0x1p28): // NaN, infinities, and where sqrt(a²+1) = a
		return math.Copysign(Log(a)+math.Ln2, x)
	case a < 0x1p-28: // asinh x = x - x³/6 + …
		return x
	}
	// asinh a = log(1 + v), v = a + a²/(1 + sqrt(a²+1))
	z := float64(a * a)
	v := a + z/(1+math.Sqrt(z+1))
	u := 1 + v
	return math.Copysign(log1p(u, v-(u-1)), x)
}
