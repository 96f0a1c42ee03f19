package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactFMA rounds the exact a·b + c once, in arbitrary precision.
func exactFMA(a, b, c float32) float32 {
	f := func(v float32) *big.Float { return new(big.Float).SetPrec(1000).SetFloat64(float64(v)) }
	sum := f(a)
	sum.Mul(sum, f(b)).Add(sum, f(c))
	r, _ := sum.Float32()
	return r
}

func TestFMAIsRoundedOnce(t *testing.T) {
	witness := [][3]float32{
		{8384513 * 0x1p-23, 8392705 * 0x1p-47, 1},  // float32(math.FMA(…)) gives 1
		{8384513 * 0x1p-23, -8392705 * 0x1p-47, 1}, // and from below
		{1 + 0x1p-20, 0x1p-150 * (1 << 24), 0x1p-127},
		{0x1.00001p-75, 0x1.00001p-75, 0x1p-127}, // the sum is denormal, the product half its last bit and a little
		{-0x1.00001p-75, 0x1.00001p-75, 0x1p-127},
		{0x1p-100, 0x1p-100, 1},
		{0, 1, 0},
		{0x1.fffffep127, 2, 0},
		{0x1.fffffep127, 0x1.fffffep127, -0x1.fffffep127},
	}
	for _, w := range witness {
		checkFMA(t, w[0], w[1], w[2])
	}
	if got := fma32(8384513*0x1p-23, 8392705*0x1p-47, 1); math.Float32bits(got) != 0x3f800001 {
		t.Errorf("the witness of double rounding gives %x, want 3f800001", math.Float32bits(got))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		a, b := any32(rng), any32(rng)
		checkFMA(t, a, b, any32(rng))
		// Sums near a midpoint: c far above the product, whose tail decides.
		checkFMA(t, a, b, float32(math.Ldexp(float64(float32(a*b)), rng.IntN(50))))
	}
}

func checkFMA(t *testing.T, a, b, c float32) {
	t.Helper()
	if anyNonFinite(a, b, c) {
		return
	}
	got, want := fma32(a, b, c), exactFMA(a, b, c)
	if got != want {
		t.Fatalf("fma32(%x, %x, %x) = %x, want %x", a, b, c, got, want)
	}
}

func anyNonFinite(vs ...float32) bool {
	for _, v := range vs {
		if v-v != 0 {
			return true
		}
	}
	return false
}

// any32 returns a number of few significant bits and any exponent, or any bits.
func any32(rng *rand.Rand) float32 {
	switch rng.IntN(3) {
	case 0:
		return math.Float32frombits(rng.Uint32())
	case 1:
		return math.Float32frombits(rng.Uint32() & rng.Uint32() & rng.Uint32())
	}
	return float32(rng.NormFloat64())
}

// ulps returns |got - want| in units of the last place of want as a float32.
func ulps(got float32, want float64) float64 {
	_, exp := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(exp-24, -149))
}

// TestFunctionsKeepTheirUlp walks every 997th float32. Every second and every
// third one, which takes minutes, give at most 1.06, 0.95, 1.97 and 2.12 ulp.
func TestFunctionsKeepTheirUlp(t *testing.T) {
	functions := []struct {
		name     string
		got      func(float32) float32
		want     func(float64) float64
		from, to float32
		ulp      float64
	}{
		{"exp", exp, math.Exp, -87, 87, 1.1},
		{"exp2", exp2Neg, math.Exp2, -126, 0, 1},
		{"softplus", softplus, func(v float64) float64 { return math.Max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) }, -87, 1e6, 2},
		{"silu", silu, func(v float64) float64 { return v / (1 + math.Exp(-v)) }, -87, 1e6, 2.2},
	}
	for _, f := range functions {
		worst, at := 0.0, float32(0)
		const step = 997
		walk := func(from, to uint32, sign float32) {
			for bits := from; bits <= to; bits += step {
				x := sign * math.Float32frombits(bits)
				if e := ulps(f.got(x), f.want(float64(x))); !(e <= worst) {
					worst, at = e, x
				}
			}
		}
		walk(0, math.Float32bits(f.to), 1)
		walk(0, math.Float32bits(-f.from), -1)
		t.Logf("%-8s %.3f ulp at %g", f.name, worst, at)
		if !(worst <= f.ulp) {
			t.Errorf("%s is off by %.3f ulp at %g, want at most %g", f.name, worst, at, f.ulp)
		}
	}
}

func TestFunctionsAtTheEnds(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		name      string
		got, want float32
	}{
		{"exp(0)", exp(0), 1},
		{"exp2(0)", exp2Neg(0), 1},
		{"exp2(-0)", exp2Neg(float32(math.Copysign(0, -1))), 1},
		{"exp2(-Inf)", exp2Neg(-inf), 0x1p-126},
		{"exp2(-1000)", exp2Neg(-1000), 0x1p-126},
		{"softplus(20)", softplus(20), 20},
		{"softplus(89)", softplus(89), 89},
		{"softplus(Inf)", softplus(inf), inf},
		{"softplus(-Inf)", softplus(-inf), exp(-87)},
		{"silu(0)", silu(0), 0},
		{"silu(100)", silu(100), 100},
		{"silu(Inf)", silu(inf), inf},
		{"silu(-Inf)", silu(-inf), silu(-87)},
	} {
		if c.got != c.want {
			t.Errorf("%s = %g, want %g", c.name, c.got, c.want)
		}
	}
	if s := silu(float32(math.Copysign(0, -1))); math.Float32bits(s) != 1<<31 {
		t.Errorf("silu(-0) = %g, want -0", s)
	}
	payload := math.Float32frombits(0x7fc00001)
	for _, v := range []float32{nan, -nan, payload} {
		if s, g := softplus(v), silu(v); s == s || g == g {
			t.Errorf("softplus and silu of NaN %x are %g and %g", math.Float32bits(v), s, g)
		}
	}
}
