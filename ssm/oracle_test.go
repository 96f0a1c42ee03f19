package ssm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// oracle is the Mamba recurrence of the paper in plain float64, written from the
// equations and sharing nothing with the step but the parameters.
type oracle struct {
	m    *Model
	conv [][][]float64 // per layer: the last d_conv inputs, oldest first
	h    [][]float64   // per layer: (d_inner, d_state)
}

func newOracle(m *Model) *oracle {
	d := m.dims
	o := &oracle{m: m}
	for range d.NLayer {
		var past [][]float64
		for range d.DConv {
			past = append(past, make([]float64, d.DInner))
		}
		o.conv = append(o.conv, past)
		o.h = append(o.h, make([]float64, d.DInner*d.DState))
	}
	return o
}

// linear returns w·x + bias, w being (len(w)/len(x), len(x)).
func linear(w, bias []float32, x []float64) []float64 {
	y := make([]float64, len(w)/len(x))
	for j := range y {
		if bias != nil {
			y[j] = float64(bias[j])
		}
		for k, v := range x {
			y[j] += float64(w[j*len(x)+k]) * v
		}
	}
	return y
}

func (o *oracle) norm(x []float64, w []float32) []float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v / math.Sqrt(sum/float64(len(x))+o.m.dims.NormEps) * float64(w[i])
	}
	return y
}

func silu64(v float64) float64 { return v / (1 + math.Exp(-v)) }

func (o *oracle) step(x []float32, token int32, gap float64) []float64 {
	d, w := o.m.dims, &o.m.weights
	var u []float64
	if d.Vocab > 0 {
		for _, v := range w.embedding[int(token)*d.DModel:][:d.DModel] {
			u = append(u, float64(v))
		}
	} else {
		in := make([]float64, len(x))
		for i, v := range x {
			in[i] = float64(v)
		}
		u = linear(w.inputWeight, w.inputBias, in)
	}
	for i := range w.layers {
		for j, v := range o.block(i, o.norm(u, w.layers[i].norm), gap) {
			u[j] += v
		}
	}
	head := w.head
	return linear(head, w.headBias, o.norm(u, w.normF))
}

func (o *oracle) block(i int, u []float64, gap float64) []float64 {
	d, l := o.m.dims, &o.m.weights.layers[i]
	xz := linear(l.inProj, l.inBias, u)
	x, z := xz[:d.DInner], xz[d.DInner:]
	o.conv[i] = append(o.conv[i][1:], x)
	conv := make([]float64, d.DInner)
	for c := range conv {
		if l.convBias != nil {
			conv[c] = float64(l.convBias[c])
		}
		for j, past := range o.conv[i] {
			conv[c] += float64(l.convWeight[c*d.DConv+j]) * past[c]
		}
		conv[c] = silu64(conv[c])
	}
	dbc := linear(l.xProj, nil, conv)
	dt := linear(l.dtProj, l.dtBias, dbc[:d.DTRank])
	b, c := dbc[d.DTRank:][:d.DState], dbc[d.DTRank+d.DState:]
	y := make([]float64, d.DInner)
	for ch := range y {
		delta := math.Log1p(math.Exp(dt[ch])) * gap
		for n := range d.DState {
			at := ch*d.DState + n
			a := -math.Exp(float64(l.aLog[at]))
			o.h[i][at] = math.Exp(delta*a)*o.h[i][at] + delta*b[n]*conv[ch]
			y[ch] += c[n] * o.h[i][at]
		}
		y[ch] = (y[ch] + float64(l.skip[ch])*conv[ch]) * silu64(z[ch])
	}
	return linear(l.outProj, l.outBias, y)
}

func TestStepsAgreeWithTheEquations(t *testing.T) {
	eachVariant(t, func(t *testing.T, m *Model) {
		w := walk{m, rand.New(rand.NewPCG(8, 9))}
		o, st, states := newOracle(m), m.NewStepper(1), newStates(m, 1)
		worst := 0.0
		for range 60 {
			x, gap, tokens := w.events(1)
			token := int32(0)
			if tokens != nil {
				token, gap[0] = tokens[0], 1
			}
			want := o.step(x, token, float64(gap[0]))
			for j, got := range w.step(st, x, gap, tokens, states) {
				worst = max(worst, math.Abs(float64(got)-want[j])/(1+math.Abs(want[j])))
			}
		}
		for i := range m.dims.NLayer {
			_, h := m.layerState(states[0], i)
			for j, got := range unblocked(h, m.dims.DInner, m.dims.DState) {
				worst = max(worst, math.Abs(float64(got)-o.h[i][j])/(1+math.Abs(o.h[i][j])))
			}
		}
		t.Logf("greatest difference %.2g", worst)
		if !(worst <= 1e-5) {
			t.Errorf("greatest difference %g, want at most 1e-5", worst)
		}
	})
}
