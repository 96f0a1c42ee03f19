package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// Every version of the scan computes what the Go loops do, but for rounding.
func TestVectorScansAreTheGenericScan(t *testing.T) {
	for _, impl := range supportedScans() {
		for _, size := range []struct{ dState, rows int }{{1, 1}, {3, chunk}, {16, 5}, {17, chunk - 1}} {
			t.Run(fmt.Sprintf("%s/%d states, %d rows", impl.name, size.dState, size.rows), func(t *testing.T) {
				want, got := scanResults(genericScan, size.dState, size.rows), scanResults(impl, size.dState, size.rows)
				for name := range want {
					for i, v := range want[name] {
						if diff := math.Abs(float64(got[name][i] - v)); !(diff <= 1e-5*(1+math.Abs(float64(v)))) {
							t.Fatalf("%s: number %d is %v, want %v", name, i, got[name][i], v)
						}
					}
				}
			})
		}
	}
}

func TestSoftplusAndItsSlope(t *testing.T) {
	for v := float32(-80); v < 90; v += 0.37 {
		y, slope := softplusSlope(v)
		wantY, want := math.Log1p(math.Exp(float64(v))), 1/(1+math.Exp(-float64(v)))
		if math.Abs(float64(y)/wantY-1) > 1e-5 || math.Abs(float64(slope)/want-1) > 1e-5 {
			t.Errorf("softplus(%v) is %v with slope %v, want %v and %v", v, y, slope, wantY, want)
		}
	}
}

// scanResults runs one chunk forward and back on numbers drawn from a fixed seed,
// with what must not be touched around what is computed.
func scanResults(impl scanImpl, dState, rows int) map[string][]float32 {
	rng := rand.New(rand.NewPCG(7, 7))
	random := func(n int, scale float64) []lane {
		ls := make([]lane, n)
		for i := range ls {
			for l := range ls[i] {
				ls[i][l] = float32(scale * rng.NormFloat64())
			}
		}
		return ls
	}
	s := newBlockScan(dState)
	copy(s.h, random(dState, 1))
	a := random(dState, 1)
	for i := range a {
		for l, v := range a[i] {
			a[i][l] = -v * v
		}
	}
	a[0][3] = -1e6 // forgets at once
	for t, dy := range random(rows, 1) {
		s.events[t].dy, s.events[t].u = dy, random(1, 1)[0]
		for l := range lanes {
			s.events[t].delta[l] = float32(rng.ExpFloat64())
		}
	}
	ld := 2*dState + 3
	bc := make([]float32, rows*ld)
	for i := range bc {
		bc[i] = float32(rng.NormFloat64())
	}
	g, da, dbc := random(dState, 1), random(dState, 1), make([][2]lane, chunk*dState)
	impl.run(s, a, bc, bc[dState:], ld, rows)
	impl.back(s, g, da, dbc, a, bc, bc[dState:], ld, rows)
	results := map[string][]float32{"h": flat(s.h), "decay": flat(s.decay), "g": flat(g), "da": flat(da)}
	for _, both := range dbc {
		results["dbc"] = append(results["dbc"], flat(both[:])...)
	}
	for _, ev := range s.events {
		results["y"] = append(results["y"], ev.y[:]...)
		results["du"] = append(results["du"], ev.du[:]...)
		results["ddecay"] = append(results["ddecay"], ev.ddecay[:]...)
	}
	return results
}

func flat(ls []lane) []float32 {
	var f []float32
	for i := range ls {
		f = append(f, ls[i][:]...)
	}
	return f
}
