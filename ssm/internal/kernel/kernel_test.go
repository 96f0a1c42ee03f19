package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// guard surrounds a slice with values that a kernel must leave alone.
const guard = 0x1.23456p7

type guarded struct {
	all, in []float32
	from    int // of in, within all
}

// newGuarded returns n zeros, shifted so that no vector is aligned to them.
func newGuarded(n, shift int) guarded {
	g := guarded{all: make([]float32, n+64), from: 16 + shift}
	for i := range g.all {
		g.all[i] = guard
	}
	g.in = g.all[g.from:][:n:n]
	clear(g.in)
	return g
}

func (g guarded) checkEnds(t testing.TB, what string) {
	t.Helper()
	for i, v := range g.all {
		if (i < g.from || i >= g.from+len(g.in)) && v != guard {
			t.Fatalf("%s: wrote outside, at %d of %d", what, i-g.from, len(g.in))
		}
	}
}

// same compares bits, and any NaN with any other.
func same(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || (a != a && b != b)
}

func requireSame(t testing.TB, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if !same(got[i], want[i]) {
			t.Fatalf("%s: index %d of %d is %x (%g), generic gives %x (%g)", what, i, len(want),
				math.Float32bits(got[i]), got[i], math.Float32bits(want[i]), want[i])
		}
	}
}

// A values fills slices; the kinds go from usual numbers to every bit pattern.
type values struct {
	rng  *rand.Rand
	kind int
}

const kinds = 3

func (v values) fill(s []float32, scale float64) []float32 {
	for i := range s {
		s[i] = float32(scale * v.rng.NormFloat64())
		switch {
		case v.kind == 1 && v.rng.IntN(8) == 0:
			s[i] = special[v.rng.IntN(len(special))]
		case v.kind == 2:
			s[i] = math.Float32frombits(v.rng.Uint32())
		}
	}
	return s
}

var special = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0x1p-149, -0x1p-149, 0x1p-126, -0x1p-130,
	math.MaxFloat32, -math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
	math.Float32frombits(0x7fc00001), 87, -87, 88, -88, 20, -104, 126, -126, -127, 1e6,
}

func eachImplementation(t *testing.T, test func(t *testing.T, impl implementation, v values)) {
	for _, impl := range supported() {
		for kind := range kinds {
			t.Run(fmt.Sprintf("%s/kind=%d", impl.name, kind), func(t *testing.T) {
				test(t, impl, values{rand.New(rand.NewPCG(7, uint64(kind))), kind})
			})
		}
	}
}

func TestGemmGivesTheGenericBits(t *testing.T) {
	eachImplementation(t, func(t *testing.T, impl implementation, v values) {
		for _, n := range []int{1, 15, 16, 17, 32, 33, 48, 49, 64, 65, 81, 97, 113, 128} {
			for _, m := range []int{1, 2, 3, 4, 5, 7, 8, 9, 15, 17} {
				checkGemm(t, impl, v, m, n, 1+v.rng.IntN(70))
			}
		}
	})
}

func checkGemm(t testing.TB, impl implementation, v values, m, n, k int) {
	t.Helper()
	lda, ldd := k+v.rng.IntN(5), Pad(n)+v.rng.IntN(5)
	w, bias := v.fill(make([]float32, n*k), 1), v.fill(make([]float32, n), 1)
	a := v.fill(make([]float32, (m-1)*lda+k), 1)
	p := Pack(w, bias, n, k)
	for _, add := range []bool{false, true} {
		got, want := newGuarded((m-1)*ldd+Pad(n), m%16), newGuarded((m-1)*ldd+Pad(n), 0)
		copy(want.in, v.fill(got.in, 1))
		impl.gemm(got.in, ldd, a, lda, m, p, add)
		gemmGeneric(want.in, ldd, a, lda, m, p, add)
		what := fmt.Sprintf("gemm m=%d n=%d k=%d add=%v", m, n, k, add)
		requireSame(t, what, got.in, want.in)
		got.checkEnds(t, what)
	}
}

// TestGemmIsItsDefinition holds the packed product against the loop over rows
// and columns that defines it.
func TestGemmIsItsDefinition(t *testing.T) {
	v := values{rand.New(rand.NewPCG(3, 4)), 0}
	const m, n, k = 3, 37, 29
	w, bias, a := v.fill(make([]float32, n*k), 1), v.fill(make([]float32, n), 1), v.fill(make([]float32, m*k), 1)
	dst := make([]float32, m*Pad(n))
	Gemm(dst, Pad(n), a, k, m, Pack(w, bias, n, k), false)
	for i := range m {
		for j := range n {
			acc := bias[j]
			for l := range k {
				acc = exactFMA(a[i*k+l], w[j*k+l], acc)
			}
			if got := dst[i*Pad(n)+j]; got != acc {
				t.Fatalf("row %d, column %d is %x, want %x", i, j, got, acc)
			}
		}
	}
}

func TestConvSiLUGivesTheGenericBits(t *testing.T) {
	eachImplementation(t, func(t *testing.T, impl implementation, v values) {
		for taps := 1; taps <= 9; taps++ {
			for blocks := 1; blocks <= 5; blocks++ {
				checkConv(t, impl, v, blocks, taps)
			}
		}
	})
}

func checkConv(t testing.TB, impl implementation, v values, blocks, taps int) {
	t.Helper()
	n := blocks * Lanes
	w, bias := v.fill(make([]float32, n*taps), 1), v.fill(make([]float32, n), 1)
	x, next := newGuarded(n, blocks), newGuarded(n*(taps-1), 0)
	conv := newGuarded(n*(taps-1), taps)
	xWant, convWant := make([]float32, n), make([]float32, n*(taps-1))
	copy(xWant, v.fill(x.in, 3))
	copy(convWant, v.fill(conv.in, 3))
	impl.convSiLU(x.in, x.in, conv.in, w, bias, taps, next.in)
	convSiLUGeneric(xWant, xWant, convWant, w, bias, taps, nil)
	what := fmt.Sprintf("conv blocks=%d taps=%d", blocks, taps)
	requireSame(t, what+" output", x.in, xWant)
	requireSame(t, what+" state", conv.in, convWant)
	for _, g := range []guarded{x, conv, next} {
		g.checkEnds(t, what)
	}
}

func TestScanStepGivesTheGenericBits(t *testing.T) {
	eachImplementation(t, func(t *testing.T, impl implementation, v values) {
		for _, dState := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 64} {
			for blocks := 1; blocks <= 4; blocks++ {
				checkScan(t, impl, v, blocks, dState)
			}
		}
	})
}

func checkScan(t testing.TB, impl implementation, v values, blocks, dState int) {
	t.Helper()
	n := blocks * Lanes
	x, z := v.fill(make([]float32, n), 2), v.fill(make([]float32, n), 5)
	b, c := v.fill(make([]float32, dState), 1), v.fill(make([]float32, dState), 1)
	a, d := v.fill(make([]float32, n*dState), 1), v.fill(make([]float32, n), 1)
	for i := range a {
		a[i] = -float32(math.Abs(float64(a[i]))) * 16
	}
	y, h := newGuarded(n, dState%16), newGuarded(n*dState, blocks)
	yWant, hWant := make([]float32, n), make([]float32, n*dState)
	copy(yWant, v.fill(y.in, 10)) // dt, overwritten by y
	copy(hWant, v.fill(h.in, 1))
	gap := float32(v.rng.ExpFloat64())
	zGot := newGuarded(n, 1)
	copy(zGot.in, z)
	impl.scanStep(y.in, h.in, y.in, x, zGot.in, b, c, a, d, gap, h.in)
	scanStepGeneric(yWant, hWant, yWant, x, z, b, c, a, d, gap, nil)
	what := fmt.Sprintf("scan blocks=%d d_state=%d", blocks, dState)
	requireSame(t, what+" state", h.in, hWant)
	requireSame(t, what+" output", y.in, yWant)
	for _, g := range []guarded{y, h, zGot} {
		g.checkEnds(t, what)
	}
}

func TestRMSNormGivesTheGenericBits(t *testing.T) {
	eachImplementation(t, func(t *testing.T, impl implementation, v values) {
		for dim := 1; dim <= 83; dim++ {
			checkNorm(t, impl, v, dim)
		}
	})
}

func checkNorm(t testing.TB, impl implementation, v values, dim int) {
	t.Helper()
	n := Pad(dim)
	x, w := newGuarded(n, dim%16), v.fill(make([]float32, n), 1)
	v.fill(x.in[:dim], 2)
	want := make([]float32, n)
	rmsNormGeneric(want, x.in, w, dim, 1e-5)
	impl.rmsNorm(x.in, x.in, w, dim, 1e-5)
	what := fmt.Sprintf("norm dim=%d", dim)
	requireSame(t, what, x.in, want)
	x.checkEnds(t, what)
}

func TestPaddedChannelsStayZero(t *testing.T) {
	v := values{rand.New(rand.NewPCG(5, 6)), 0}
	const used, dState, taps = 21, 3, 4
	wide := Pad(used)
	row := func(n, k int) []float32 { // [n/16][k][16], zero in the padding
		s := v.fill(make([]float32, Pad(n)*k), 1)
		for i := range s {
			if i/(k*Lanes)*Lanes+i%Lanes >= n {
				s[i] = 0
			}
		}
		return s
	}
	x, z, dt, d := row(used, 1), row(used, 1), row(used, 1), row(used, 1)
	conv, h := row(used, taps-1), row(used, dState)
	ConvSiLU(x, x, conv, row(used, taps), row(used, 1), taps, nil)
	ScanStep(dt, h, dt, x, z, v.fill(make([]float32, dState), 1), v.fill(make([]float32, dState), 1), row(used, dState), d, 1, nil)
	for c := used; c < wide; c++ {
		for n := range dState {
			if h[(c/Lanes*dState+n)*Lanes+c%Lanes] != 0 {
				t.Fatalf("channel %d has a state", c)
			}
		}
		if x[c] != 0 || dt[c] != 0 {
			t.Fatalf("channel %d: x %g, y %g", c, x[c], dt[c])
		}
	}
}

func FuzzImplementationsGiveTheGenericBits(f *testing.F) {
	f.Add(uint64(1), uint8(0), uint8(3), uint8(16), uint8(4))
	f.Add(uint64(2), uint8(2), uint8(17), uint8(33), uint8(1))
	f.Fuzz(func(t *testing.T, seed uint64, kind, m, n, k uint8) {
		for _, impl := range supported() {
			v := values{rand.New(rand.NewPCG(seed, 0)), int(kind) % kinds}
			checkGemm(t, impl, v, 1+int(m)%20, 1+int(n), 1+int(k))
			checkConv(t, impl, v, 1+int(m)%4, 1+int(k)%8)
			checkScan(t, impl, v, 1+int(m)%4, 1+int(n)%40)
			checkNorm(t, impl, v, 1+int(n))
		}
	})
}
