package ssm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// oracle is the recurrence of Mamba's and Mamba-2's papers in plain float64, written from the
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
			past = append(past, make([]float64, d.convDim()))
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

// convolve takes x through layer i's convolution and SiLU.
func (o *oracle) convolve(i int, x []float64) []float64 {
	d, l := o.m.dims, &o.m.weights.layers[i]
	o.conv[i] = append(o.conv[i][1:], x)
	conv := make([]float64, len(x))
	for c := range conv {
		if l.convBias != nil {
			conv[c] = float64(l.convBias[c])
		}
		for j, past := range o.conv[i] {
			conv[c] += float64(l.convWeight[c*d.DConv+j]) * past[c]
		}
		conv[c] = silu64(conv[c])
	}
	return conv
}

// block2 is a block of Mamba-2.
func (o *oracle) block2(i int, u []float64, gap float64) []float64 {
	d, l := o.m.dims, &o.m.weights.layers[i]
	in := linear(l.inProj, l.inBias, u)
	z, dt := in[:d.DInner], in[len(in)-d.NHead:]
	conv := o.convolve(i, in[d.DInner:len(in)-d.NHead])
	x, bs, cs := conv[:d.DInner], conv[d.DInner:][:d.NGroup*d.DState], conv[d.DInner+d.NGroup*d.DState:]
	dim, size := d.DInner/d.NHead, d.DInner/d.NGroup
	y := make([]float64, d.DInner)
	for ch := range y {
		head := ch / dim
		group := head / (d.NHead / d.NGroup)
		delta := math.Log1p(math.Exp(dt[head] + float64(l.dtBias[head])))
		delta = min(max(delta, d.DTMin), d.DTMax) * gap
		decay := math.Exp(-delta * math.Exp(float64(l.aLog[head])))
		for n := range d.DState {
			at := ch*d.DState + n
			o.h[i][at] = decay*o.h[i][at] + delta*bs[group*d.DState+n]*x[ch]
			y[ch] += cs[group*d.DState+n] * o.h[i][at]
		}
		y[ch] = (y[ch] + float64(l.skip[head])*x[ch]) * silu64(z[ch])
	}
	var normed []float64
	for from := 0; from < len(y); from += size {
		normed = append(normed, o.norm(y[from:][:size], l.gatedNorm[from:])...)
	}
	return linear(l.outProj, l.outBias, normed)
}

func (o *oracle) block(i int, u []float64, gap float64) []float64 {
	d, l := o.m.dims, &o.m.weights.layers[i]
	if d.NHead > 0 {
		return o.block2(i, u, gap)
	}
	xz := linear(l.inProj, l.inBias, u)
	z := xz[d.DInner:]
	conv := o.convolve(i, xz[:d.DInner])
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
			rows := unblocked(h, m.dims.scanWidth(), m.dims.DState)
			for j, want := range o.h[i] {
				got := rows[m.dims.place(j/m.dims.DState)*m.dims.DState+j%m.dims.DState]
				worst = max(worst, math.Abs(float64(got)-want)/(1+math.Abs(want)))
			}
		}
		t.Logf("greatest difference %.2g", worst)
		if !(worst <= 1e-5) {
			t.Errorf("greatest difference %g, want at most 1e-5", worst)
		}
	})
}
