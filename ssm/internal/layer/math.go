package layer

import "math"

// float32 exponentials for training, within 3 units in the last place, without the
// emulated fused multiply-adds of package kernel, which only serving needs.

const (
	// magic rounds to an integer n and leaves n + 127, the exponent field of 2ⁿ,
	// in the low bits.
	magic = 1.5*(1<<23) + 127
	log2e = float32(math.Log2E)
)

// Exp2 returns 2^y for -126 <= y <= 127; y outside is taken as the nearest.
func Exp2(y float32) float32 {
	y = min(max(y, -126), 127)
	t := y + magic
	r := y - (t - magic)
	p := float32(0.0001534581242594868)
	p = p*r + 0.0013399930903688073
	p = p*r + 0.009618489071726799
	p = p*r + 0.05550328642129898
	p = p*r + 0.24022646248340607
	p = p*r + 0.6931471824645996
	p = p*r + 1
	return p * math.Float32frombits(math.Float32bits(t)<<23)
}

// Exp is e^v, with the bounds of Exp2. Its relative error is that of v·log2(e), which
// grows with v to 1e-5.
func Exp(v float32) float32 { return Exp2(v * log2e) }

// Sigmoid is 1/(1 + e^-v).
func Sigmoid(v float32) float32 { return 1 / (1 + Exp2(-v*log2e)) }

// SiLUSlope returns silu(v) = v·sigmoid(v) and its derivative.
func SiLUSlope(v float32) (y, slope float32) {
	s := Sigmoid(v)
	y = v * s
	return y, s + y*(1-s)
}
