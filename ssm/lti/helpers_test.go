package lti

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// randomSystem returns a stable system of order n whose modes live between about
// 1 and 100 events at step 0.1.
func randomSystem(rng *rand.Rand, n int) *System {
	a := mat.NewDense(n, n, nil)
	for i := range n {
		for k := range n {
			a.Set(i, k, rng.NormFloat64()/math.Sqrt(float64(n)))
		}
	}
	// The spectral radius of the random part tends to 1: the shift makes it stable.
	var eig mat.Eigen
	if !eig.Factorize(a, mat.EigenNone) {
		panic("eigenvalues did not converge")
	}
	right := math.Inf(-1)
	for _, l := range eig.Values(nil) {
		right = math.Max(right, real(l))
	}
	for i := range n {
		a.Set(i, i, a.At(i, i)-right-0.1-rng.Float64())
	}
	return &System{A: a, B: normal(rng, n), C: normal(rng, n), D: rng.NormFloat64()}
}

// randomDiagonal returns a stable diagonal system of the given modes.
func randomDiagonal(rng *rand.Rand, modes int, pairs bool) *Diagonal {
	s := &Diagonal{D: rng.NormFloat64(), Pairs: pairs}
	draw := func() complex128 { return complex(rng.NormFloat64(), rng.NormFloat64()) }
	for range modes {
		a := complex(-0.05-rng.ExpFloat64(), 10*rng.NormFloat64())
		s.A, s.B, s.C = append(s.A, a), append(s.B, draw()), append(s.C, draw())
	}
	return s
}

func normal(rng *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

type discretizer interface {
	Discretize(rule Rule, dt float64) (*Discrete, error)
}

func discretize(t testing.TB, s discretizer, rule Rule, dt float64) *Discrete {
	t.Helper()
	d, err := s.Discretize(rule, dt)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// relative returns the greatest difference over the greatest magnitude of want.
func relative(got, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var diff, size float64
	for i, w := range want {
		diff = math.Max(diff, math.Abs(got[i]-w)) // NaN wins in math.Max
		size = math.Max(size, math.Abs(w))
	}
	if diff == 0 {
		return 0
	}
	return diff / size
}

func wantClose(t testing.TB, what string, got, want []float64, tol float64) {
	t.Helper()
	if e := relative(got, want); !(e <= tol) {
		t.Errorf("%s: relative error %.2e, want at most %.0e\n got %.6g…\nwant %.6g…",
			what, e, tol, got[:min(5, len(got))], want[:min(5, len(want))])
	}
}

type form struct {
	name string
	run  func(dst []float64, s *State, x []float64)
}

// forms are the ways to run a history; the first is the one that Step defines.
func forms(d *Discrete) []form {
	return []form{{"recur", d.Recur}, {"convolve", d.Convolve}, {"scan", d.Scan}, {"run", d.Run}}
}
