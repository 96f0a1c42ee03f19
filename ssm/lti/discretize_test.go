package lti

import (
	"math"
	"math/cmplx"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// Systems whose exponential is known in closed form, among them those that
// A⁻¹(Ā − I)B cannot do and those that make a matrix exponential lose its way.
func TestZOHAgreesWithClosedForms(t *testing.T) {
	const dt = 0.25
	e := math.Exp
	stiff := func(k float64) (a, ad, bd []float64) { // slow mode feeds a mode k times as fast
		r := k / (k - 1)
		a = []float64{-1, 0, k, -k}
		ad = []float64{e(-dt), 0, r * (e(-dt) - e(-k*dt)), e(-k * dt)}
		bd = []float64{-math.Expm1(-dt), 1 + (e(-k*dt)-k*e(-dt))/(k-1)}
		return a, ad, bd
	}
	a3, ad3, bd3 := stiff(1e3)
	a6, ad6, bd6 := stiff(1e6)
	a9, ad9, bd9 := stiff(1e9)
	tests := []struct {
		name         string
		a, b, ad, bd []float64
	}{
		{"one mode", []float64{-2}, []float64{3}, []float64{e(-0.5)}, []float64{1.5 * (1 - e(-0.5))}},
		{"integrator", []float64{0}, []float64{3}, []float64{1}, []float64{3 * dt}},
		{"double integrator", []float64{0, 1, 0, 0}, []float64{0, 1}, []float64{1, dt, 0, 1}, []float64{dt * dt / 2, dt}},
		{"no dynamics", make([]float64, 4), []float64{1, -2}, []float64{1, 0, 0, 1}, []float64{dt, -2 * dt}},
		{
			"rotation",
			[]float64{0, -40, 40, 0},
			[]float64{1, 0},
			[]float64{math.Cos(10), -math.Sin(10), math.Sin(10), math.Cos(10)},
			[]float64{math.Sin(10) / 40, (1 - math.Cos(10)) / 40},
		},
		{
			"defective",
			[]float64{-2, 1, 0, -2},
			[]float64{0, 1},
			[]float64{e(-0.5), dt * e(-0.5), 0, e(-0.5)},
			[]float64{(1 - 1.5*e(-0.5)) / 4, (1 - e(-0.5)) / 2},
		},
		{"stiff 1e3", a3, []float64{1, 0}, ad3, bd3},
		{"stiff 1e6", a6, []float64{1, 0}, ad6, bd6},
		{"stiff 1e9", a9, []float64{1, 0}, ad9, bd9},
		{
			"rates of 1 and 1e12",
			[]float64{-1, 0, 0, -1e12},
			[]float64{1, 1},
			[]float64{e(-dt), 0, 0, 0},
			[]float64{-math.Expm1(-dt), 1e-12},
		},
		{"huge input gain", []float64{-2}, []float64{1e200}, []float64{e(-0.5)}, []float64{-1e200 * math.Expm1(-0.5) / 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := len(tt.b)
			s := &System{A: mat.NewDense(n, n, tt.a), B: tt.b, C: make([]float64, n)}
			a, b, _, _ := discretize(t, s, ZOH, dt).Matrices()
			wantClose(t, "Ā", a.RawMatrix().Data, tt.ad, 1e-14)
			wantClose(t, "B̄", b, tt.bd, 1e-14)
		})
	}
}

func TestExpm1AgreesWithGonum(t *testing.T) {
	legs, _ := LegS(64)
	for _, m := range []*mat.Dense{
		randomSystem(newRand(1), 1).A, randomSystem(newRand(2), 17).A, randomSystem(newRand(3), 40).A, legs,
	} {
		for _, scale := range []float64{0, 1e-9, 0.1, 1, 3} {
			var arg, want mat.Dense
			arg.Scale(scale, m)
			want.Exp(&arg)
			got := expm1(&arg)
			addIdentity(got)
			wantClose(t, "exp", got.RawMatrix().Data, want.RawMatrix().Data, 1e-12)
		}
	}
}

// Order 2 in Δ for the bilinear rule, order 1 for Euler's B̄: halving the step
// divides the distance to ZOH by 4 and by 2 over the same time.
func TestRulesApproachZOHAtTheirOrder(t *testing.T) {
	s := randomSystem(newRand(3), 6)
	held := func(rule Rule, steps int) []float64 { // state after 1 time unit of x = 1
		d := discretize(t, s, rule, 1/float64(steps))
		st := d.NewState()
		for range steps {
			d.Step(st, 1)
		}
		return st.H
	}
	exact := held(ZOH, 1)
	wantClose(t, "ZOH with 64 steps", held(ZOH, 64), exact, 1e-12)
	for _, tt := range []struct {
		rule Rule
		want float64
	}{{Bilinear, 4}, {Euler, 2}} {
		ratio := relative(held(tt.rule, 64), exact) / relative(held(tt.rule, 128), exact)
		if math.Abs(ratio-tt.want) > 0.1 {
			t.Errorf("%v: error falls by %.3f with half the step, want %v", tt.rule, ratio, tt.want)
		}
	}
}

func TestDiagonalIsTheDenseSystemOfItsModes(t *testing.T) {
	for _, rule := range []Rule{ZOH, Bilinear, Euler} {
		s := randomDiagonal(newRand(4), 5, true)
		s.A[0], s.A[1] = 0, 1e-9i // A singular mode, and one near it.
		embedded := &System{A: mat.NewDense(10, 10, nil), B: realForm(s.B), C: make([]float64, 10), D: s.D}
		for i, a := range s.A {
			block := embedded.A.Slice(2*i, 2*i+2, 2*i, 2*i+2).(*mat.Dense)
			block.Copy(transition{diag: []complex128{a}}.matrix())
			// 2 Re(Ch) as a row over (Re h, Im h).
			c := 2 * cmplx.Conj(s.C[i])
			copy(embedded.C[2*i:], realForm([]complex128{c}))
		}
		got, want := discretize(t, s, rule, 0.3), discretize(t, embedded, rule, 0.3)
		ga, gb, gc, gd := got.Matrices()
		wa, wb, wc, wd := want.Matrices()
		wantClose(t, rule.String()+" Ā", ga.RawMatrix().Data, wa.RawMatrix().Data, 1e-14)
		wantClose(t, rule.String()+" B̄", gb, wb, 1e-14)
		wantClose(t, rule.String()+" C", gc, wc, 0)
		wantClose(t, rule.String()+" D", []float64{gd}, []float64{wd}, 0)
	}
}

// φ and φ′ against their series, term by term to the last, on both sides of the
// radius at which the code changes its formula.
func TestPhiHasNoCancellation(t *testing.T) {
	for _, r := range []float64{1e-300, 1e-12, 1e-8, 1e-4, 0.1, 0.999, 1.001, 2} {
		for _, angle := range []float64{0, 1, math.Pi / 2, 2, math.Pi} {
			z := cmplx.Rect(r, angle)
			var p, dp complex128
			term := complex(1, 0) // zᵏ/k!
			for k := range 60 {
				p += term / complex(float64(k+1), 0)
				dp += term / complex(float64(k+2), 0) // Σ zᵏ/(k!(k+2))
				term *= z / complex(float64(k+1), 0)
			}
			if e := cmplx.Abs(phi(z)-p) / cmplx.Abs(p); e > 1e-15 {
				t.Errorf("phi(%v): relative error %.1e", z, e)
			}
			if e := cmplx.Abs(dPhi(z)-dp) / cmplx.Abs(dp); e > 4e-15 {
				t.Errorf("dPhi(%v): relative error %.1e", z, e)
			}
		}
	}
}

func TestDiscretizeSaysWhatIsWrong(t *testing.T) {
	one := func(a, b float64) discretizer {
		return &System{A: mat.NewDense(1, 1, []float64{a}), B: []float64{b}, C: []float64{1}}
	}
	mode := func(a, b complex128) discretizer {
		return &Diagonal{A: []complex128{a}, B: []complex128{b}, C: []complex128{1}}
	}
	nan := math.NaN()
	tests := []struct {
		s    discretizer
		rule Rule
		dt   float64
		want string
	}{
		{one(-1, 1), ZOH, 0, "positive"},
		{one(-1, 1), Euler, -1, "positive"},
		{one(-1, 1), ZOH, nan, "positive"},
		{one(-1, 1), ZOH, math.Inf(1), "positive"},
		{one(nan, 1), ZOH, 1, "not finite"},
		{one(-1, math.Inf(-1)), Euler, 1, "not finite"},
		{one(2, 1), Bilinear, 1, "singular"},
		{one(1e4, 1), ZOH, 1, "overflows"},
		{one(1e4, 1), Euler, 1, "overflows"},
		{mode(-1, 1), ZOH, 0, "positive"},
		{mode(complex(0, nan), 1), ZOH, 1, "not finite"},
		{mode(2, 1), Bilinear, 1, "overflows"},
		{mode(1e4, 1), ZOH, 1, "overflows"},
	}
	for _, tt := range tests {
		d, err := tt.s.Discretize(tt.rule, tt.dt)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "discretize ") {
			t.Errorf("%+v by %v with step %v: %v, %v; want an error with %q", tt.s, tt.rule, tt.dt, d, err, tt.want)
		}
	}
}

// Whatever the parameters, a Discrete is finite or there is an error.
func FuzzDiscretizeIsFiniteOrFails(f *testing.F) {
	f.Add(uint8(ZOH), 0.1, -1.0, 0.0, 2.0, -3.0, 1.0, 1.0)
	f.Add(uint8(ZOH), 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1e300)
	f.Add(uint8(Euler), 1e-300, -1e300, 1e300, 1e-300, 0.0, 5e-324, 0.0)
	f.Add(uint8(Bilinear), 2.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0)
	f.Fuzz(func(t *testing.T, rule uint8, dt, a, b, c, d, in0, in1 float64) {
		r := Rule(rule % 3)
		dense := &System{A: mat.NewDense(2, 2, []float64{a, b, c, d}), B: []float64{in0, in1}, C: []float64{1, 1}}
		modes := &Diagonal{A: []complex128{complex(a, b), complex(c, d)}, B: []complex128{complex(in0, in1), 1}, C: []complex128{1, 1}}
		for _, s := range []discretizer{dense, modes} {
			got, err := s.Discretize(r, dt)
			if err != nil {
				continue
			}
			ad, bd, _, _ := got.Matrices()
			if !finite(ad.RawMatrix().Data) || !finite(bd) {
				t.Errorf("%v with step %v of %+v: Ā %v, B̄ %v", r, dt, s, ad.RawMatrix().Data, bd)
			}
		}
	})
}
