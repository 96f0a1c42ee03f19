package lti

import (
	"encoding/json"
	"os"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// A golden is a system of testdata/lti.json: HiPPO-LegS with a random read-out,
// discretised, unrolled and run by SciPy in float64.
type golden struct {
	N      int
	L      int
	Dt     float64
	A      [][]float64
	B, C   []float64
	D      float64
	Ad     [][]float64
	Bd     []float64
	Kernel []float64
	X, Y   []float64
}

func loadGolden(t *testing.T) []golden {
	t.Helper()
	raw, err := os.ReadFile("testdata/lti.json")
	if err != nil {
		t.Fatal(err)
	}
	var g []golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	if len(g) != 3 {
		t.Fatalf("%d systems in testdata/lti.json, want 3", len(g))
	}
	return g
}

func dense(rows [][]float64) *mat.Dense {
	m := mat.NewDense(len(rows), len(rows[0]), nil)
	for i, r := range rows {
		m.SetRow(i, r)
	}
	return m
}

func TestLegSIsSciPysInput(t *testing.T) {
	for _, g := range loadGolden(t) {
		a, b := LegS(g.N)
		wantClose(t, "A", a.RawMatrix().Data, dense(g.A).RawMatrix().Data, 1e-15)
		wantClose(t, "B", b, g.B, 1e-15)
	}
}

func TestZOHAgreesWithSciPy(t *testing.T) {
	for _, g := range loadGolden(t) {
		s := &System{A: dense(g.A), B: g.B, C: g.C, D: g.D}
		a, b, _, _ := discretize(t, s, ZOH, g.Dt).Matrices()
		wantClose(t, "Ad", a.RawMatrix().Data, dense(g.Ad).RawMatrix().Data, 1e-13)
		wantClose(t, "Bd", b, g.Bd, 1e-13)
	}
}

func TestKernelAndOutputAgreeWithSciPy(t *testing.T) {
	for _, g := range loadGolden(t) {
		d := discretize(t, &System{A: dense(g.A), B: g.B, C: g.C, D: g.D}, ZOH, g.Dt)
		wantClose(t, "kernel", d.Kernel(g.L), g.Kernel, 1e-13)
		for _, f := range forms(d) {
			y := make([]float64, g.L)
			f.run(y, d.NewState(), g.X)
			wantClose(t, f.name, y, g.Y, 1e-13)
		}
	}
}
