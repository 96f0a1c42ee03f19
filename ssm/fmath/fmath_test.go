package fmath

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// The oracles work in 300-bit arithmetic from the definitions.

const prec = 300

func wide(x float64) *big.Float { return new(big.Float).SetPrec(prec).SetFloat64(x) }

func bigOf() *big.Float { return new(big.Float).SetPrec(prec) }

// bigExp sums the series of e^(x/2^40) and squares forty times.
func bigExp(x *big.Float) *big.Float {
	const halvings = 40
	r := bigOf().SetMantExp(x, -halvings)
	sum, term := wide(1), wide(1)
	for n := 1; n < 12; n++ {
		term = bigOf().Quo(bigOf().Mul(term, r), wide(float64(n)))
		sum = bigOf().Add(sum, term)
	}
	for range halvings {
		sum = bigOf().Mul(sum, sum)
	}
	return sum
}

// bigLog improves math's logarithm by two steps of Halley's method, each of
// which triples the digits: y + 2·(x - e^y)/(x + e^y).
func bigLog(x *big.Float) *big.Float {
	mant := bigOf()
	exp := x.MantExp(mant)
	approx, _ := mant.Float64()
	y := wide(math.Log(approx) + float64(exp)*math.Ln2)
	for range 2 {
		e := bigExp(y)
		step := bigOf().Quo(bigOf().Sub(x, e), bigOf().Add(x, e))
		y = bigOf().Add(y, step.Mul(step, wide(2)))
	}
	return y
}

func bigSinh(x *big.Float) *big.Float {
	e := bigExp(x)
	return bigOf().Quo(bigOf().Sub(e, bigOf().Quo(wide(1), e)), wide(2))
}

func bigAsinh(x *big.Float) *big.Float {
	a := bigOf().Abs(x)
	root := bigOf().Sqrt(bigOf().Add(bigOf().Mul(a, a), wide(1)))
	y := bigLog(bigOf().Add(a, root))
	if x.Sign() < 0 {
		y.Neg(y)
	}
	return y
}

// ulps returns |got - want| in units of the last place of want.
func ulps(got float64, want *big.Float) float64 {
	if want.Sign() == 0 {
		return math.Abs(got) / 0x1p-1074
	}
	exp := max(want.MantExp(nil)-53, -1074)
	diff := bigOf().Sub(wide(got), want)
	e, _ := bigOf().SetMantExp(diff, -exp).Float64()
	return math.Abs(e)
}

func TestErrorsStayBelowTheStatedUlp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	tiny := func() float64 { return math.Ldexp(1+rng.Float64(), -rng.IntN(60)) }
	signed := func(x float64) float64 { return math.Copysign(x, rng.Float64()-0.5) }
	for _, f := range []struct {
		name   string
		got    func(float64) float64
		want   func(*big.Float) *big.Float
		bound  float64
		sample []func() float64
	}{
		{"Exp", Exp, bigExp, 1, []func() float64{
			func() float64 { return rng.Float64()*1400 - 700 }, func() float64 { return signed(tiny()) }, func() float64 { return -700 - 45*rng.Float64() },
			func() float64 { return (float64(rng.IntN(2000)-1000) + 0.5) * math.Ln2 },
		}},
		{"Log", Log, bigLog, 1, []func() float64{
			func() float64 { return 1 + signed(tiny())/4 }, func() float64 { return math.Ldexp(1+rng.Float64(), rng.IntN(2000)-1000) },
			func() float64 { return rng.Float64() * 3 }, func() float64 { return rng.Float64() * 0x1p-1030 },
		}},
		{"Sinh", Sinh, bigSinh, 2, []func() float64{
			func() float64 { return signed(tiny()) }, func() float64 { return rng.Float64()*1420 - 710 }, func() float64 { return rng.Float64()*4 - 2 },
		}},
		{"Asinh", Asinh, bigAsinh, 2, []func() float64{
			func() float64 { return signed(tiny()) }, func() float64 { return signed(math.Ldexp(1+rng.Float64(), rng.IntN(1000))) },
			func() float64 { return rng.Float64()*8 - 4 },
		}},
	} {
		worst, at := 0.0, 0.0
		for range 1500 {
			for _, draw := range f.sample {
				x := draw()
				if e := ulps(f.got(x), f.want(wide(x))); !(e <= worst) {
					worst, at = e, x
				}
			}
		}
		t.Logf("%-5s %.3f ulp at %v", f.name, worst, at)
		if !(worst <= f.bound) {
			t.Errorf("%s is off by %.3f ulp at %v, want at most %v", f.name, worst, at, f.bound)
		}
	}
}

func TestEnds(t *testing.T) {
	inf, zero := math.Inf(1), math.Copysign(0, -1)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"Exp(0)", Exp(0), 1},
		{"Exp(Inf)", Exp(inf), inf},
		{"Exp(-Inf)", Exp(-inf), 0},
		{"Exp(710)", Exp(710), inf},
		{"Exp(-746)", Exp(-746), 0},
		{"Log(0)", Log(0), -inf},
		{"Log(1)", Log(1), 0},
		{"Log(Inf)", Log(inf), inf},
		{"Log(2)", Log(2), math.Ln2},
		{"Sinh(-0)", Sinh(zero), zero},
		{"Sinh(-Inf)", Sinh(-inf), -inf},
		{"Asinh(-0)", Asinh(zero), zero},
		{"Asinh(-Inf)", Asinh(-inf), -inf},
		{"Asinh(1e-300)", Asinh(1e-300), 1e-300},
	} {
		if math.Float64bits(c.got) != math.Float64bits(c.want) {
			t.Errorf("%s = %v, want %v", c.name, c.got, c.want)
		}
	}
	nan := math.NaN()
	for name, v := range map[string]float64{"Exp": Exp(nan), "Log": Log(nan), "Log(-1)": Log(-1), "Sinh": Sinh(nan), "Asinh": Asinh(nan)} {
		if v == v {
			t.Errorf("%s of NaN is %v", name, v)
		}
	}
}

// TestBitsAreFixed pins results computed by these functions: the same on every
// architecture, and from one version to the next.
func TestBitsAreFixed(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	var sum uint64
	for range 10_000 {
		x := (2*rng.Float64() - 1) * math.Ldexp(1, rng.IntN(20)-10)
		for _, v := range []float64{Exp(x), Log(math.Abs(x)), Sinh(x), Asinh(x)} {
			sum = sum*1099511628211 + math.Float64bits(v)
		}
	}
	const want = 0x5eee2f612167e30a
	if sum != want {
		t.Errorf("checksum %#x, want %#x", sum, uint64(want))
	}
}

func BenchmarkExp(b *testing.B) {
	sum := 0.0
	for b.Loop() {
		sum += Exp(1.25)
	}
	_ = sum
}

func BenchmarkLog(b *testing.B) {
	sum := 0.0
	for b.Loop() {
		sum += Log(1.25)
	}
	_ = sum
}
