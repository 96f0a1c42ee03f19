package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/weirstream/weir/ssm"
)

// An oracle is the Mamba stack in float64, written plainly from the paper
// (Gu and Dao 2023, algorithm 2), to differentiate numerically.
type oracle struct {
	d ssm.Dims
	p map[string][]float64
}

func (o *oracle) lossSum(w *Window, f *Forecasts) float64 {
	rows := o.outputs(w)
	total := 0.0
	for t, row := range rows {
		if o.d.Vocab > 0 {
			if t+1 < len(w.Tokens) {
				sum := 0.0
				for _, v := range row {
					sum += math.Exp(v)
				}
				total += math.Log(sum) - row[w.Tokens[t+1]]
			}
			continue
		}
		if w.Counts == nil || w.Counts[t] {
			total += oracleForecasts(row, w, t, f)
		}
	}
	return total
}

func oracleForecasts(out []float64, w *Window, t int, f *Forecasts) float64 {
	target := min(max(float64(w.Targets[t]), -f.TargetBound), f.TargetBound)
	loss := f.PointWeight * f.PointScale * math.Log1p(math.Abs(target-out[len(out)-1])/f.PointScale)
	for k := range f.Horizons {
		q := &f.Horizons[k]
		if k > 0 {
			target = min(max(float64(w.Further[k-1][t]), -f.TargetBound), f.TargetBound)
		}
		if !math.IsNaN(target) {
			loss += oraclePinball(out, target, q, f.MinIncrement)
		}
		out = out[len(q.Levels):]
	}
	return loss
}

func oraclePinball(out []float64, target float64, q *Quantiles, least float64) float64 {
	loss, median := 0.0, len(q.Levels)/2
	for i, level := range q.Levels {
		at := out[median]
		for j := median + 1; j <= i; j++ {
			at += math.Log1p(math.Exp(out[j])) + least
		}
		for j := i; j < median; j++ {
			at -= math.Log1p(math.Exp(out[j])) + least
		}
		loss += q.Weights[i] * max(level*(target-at), (level-1)*(target-at))
	}
	return loss
}

func (o *oracle) outputs(w *Window) [][]float64 {
	d := o.d
	var rows [][]float64
	for t := range w.len() {
		if d.Vocab > 0 {
			rows = append(rows, append([]float64{}, o.p["backbone.embeddings.weight"][int(w.Tokens[t])*d.DModel:][:d.DModel]...))
			continue
		}
		x := make([]float64, d.NInput)
		for i := range x {
			x[i] = float64(w.Inputs[t*d.NInput+i])
		}
		rows = append(rows, affine(o.p["weir.input.weight"], o.p["weir.input.bias"], x))
	}
	for i := range d.NLayer {
		o.layer(fmt.Sprintf("backbone.layers.%d.", i), rows, w.Gaps)
	}
	head, bias := o.p["weir.head.weight"], o.p["weir.head.bias"]
	if d.Vocab > 0 {
		head = o.p["lm_head.weight"]
		if d.TieHead {
			head = o.p["backbone.embeddings.weight"]
		}
	}
	for t, row := range rows {
		rows[t] = affine(head, bias, o.norm(row, o.p["backbone.norm_f.weight"]))
	}
	return rows
}

// affine is w·x + bias; bias may be nil.
func affine(w, bias, x []float64) []float64 {
	y := make([]float64, len(w)/len(x))
	for i := range y {
		if bias != nil {
			y[i] = bias[i]
		}
		for j, v := range x {
			y[i] += w[i*len(x)+j] * v
		}
	}
	return y
}

func (o *oracle) norm(x, w []float64) []float64 {
	squares := 0.0
	for _, v := range x {
		squares += v * v
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = w[i] * v / math.Sqrt(squares/float64(len(x))+float64(float32(o.d.NormEps)))
	}
	return y
}

func (o *oracle) layer(name string, rows [][]float64, gaps []float32) {
	d, mixer := o.d, name+"mixer."
	h := make([]float64, d.DInner*d.DState)
	var past [][]float64
	for t, residual := range rows {
		xz := affine(o.p[mixer+"in_proj.weight"], o.p[mixer+"in_proj.bias"], o.norm(residual, o.p[name+"norm.weight"]))
		z := xz[d.DInner:]
		past = append(past, xz[:d.DInner])
		x := make([]float64, d.DInner)
		for c := range x {
			if bias := o.p[mixer+"conv1d.bias"]; bias != nil {
				x[c] = bias[c]
			}
			for j := range min(d.DConv, t+1) {
				x[c] += o.p[mixer+"conv1d.weight"][c*d.DConv+d.DConv-1-j] * past[t-j][c]
			}
			x[c] /= 1 + math.Exp(-x[c])
		}
		dtBC := affine(o.p[mixer+"x_proj.weight"], nil, x)
		delta := affine(o.p[mixer+"dt_proj.weight"], o.p[mixer+"dt_proj.bias"], dtBC[:d.DTRank])
		b, c := dtBC[d.DTRank:][:d.DState], dtBC[d.DTRank+d.DState:]
		y := make([]float64, d.DInner)
		for i := range y {
			delta[i] = math.Log1p(math.Exp(delta[i]))
			if gaps != nil {
				delta[i] *= float64(gaps[t])
			}
			for n := range d.DState {
				s := &h[i*d.DState+n]
				*s = math.Exp(-delta[i]*math.Exp(o.p[mixer+"A_log"][i*d.DState+n]))**s + delta[i]*b[n]*x[i]
				y[i] += c[n] * *s
			}
			y[i] = (y[i] + o.p[mixer+"D"][i]*x[i]) * z[i] / (1 + math.Exp(-z[i]))
		}
		for i, v := range affine(o.p[mixer+"out_proj.weight"], o.p[mixer+"out_proj.bias"], y) {
			residual[i] += v
		}
	}
}

// variants are small models of every kind.
func variants() map[string]ssm.Dims {
	event := ssm.Dims{
		DModel: 5, DInner: 18, DState: 3, DConv: 4, DTRank: 2, NLayer: 2,
		NInput: 4, NOutput: 9, UseConvBias: true, NormEps: 1e-5,
	}
	token := event
	token.NInput, token.NOutput, token.Vocab, token.TieHead = 0, 0, 11, true
	untied := token
	untied.TieHead, untied.UseBias, untied.UseConvBias = false, true, false
	oneTap := event
	oneTap.DConv, oneTap.UseBias, oneTap.NLayer = 1, true, 1
	wide := event
	wide.DModel, wide.DInner, wide.DState, wide.DTRank = 17, 3, 17, 17
	return map[string]ssm.Dims{"event": event, "token": token, "untied": untied, "one tap": oneTap, "wide rank": wide}
}

// testForecasts are of 9 outputs at two horizons.
var testForecasts = &Forecasts{
	Horizons: []Quantiles{
		{Levels: []float64{0.05, 0.25, 0.5, 0.75, 0.95}, Weights: []float64{0.1, 0.2, 0.4, 0.2, 0.1}},
		{Levels: []float64{0.1, 0.5, 0.9}, Weights: []float64{0.1, 0.2, 0.1}},
	},
	PointScale: 0.5, PointWeight: 0.3, MinIncrement: 1e-3, TargetBound: 2,
}

// randomWindow makes n rows; a few do not count, some targets lie beyond the bound, some
// further ones are not known.
func randomWindow(d ssm.Dims, n int, rng *rand.Rand) *Window {
	w := &Window{Further: make([][]float32, 1)}
	for t := range n {
		if d.Vocab > 0 {
			w.Tokens = append(w.Tokens, int32(rng.IntN(d.Vocab)))
			continue
		}
		for range d.NInput {
			w.Inputs = append(w.Inputs, float32(rng.NormFloat64()))
		}
		w.Gaps = append(w.Gaps, float32(rng.ExpFloat64()))
		w.Targets = append(w.Targets, float32(rng.NormFloat64()))
		further := rng.NormFloat64()
		if t%5 == 0 {
			further = math.NaN()
		}
		w.Further[0] = append(w.Further[0], float32(further))
		w.Counts = append(w.Counts, t > 3)
	}
	return w
}

func randomModel(t testing.TB, d ssm.Dims, seed uint64) *ssm.Model {
	t.Helper()
	m, err := ssm.New(d, Initial(d, seed), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGradientsAreThoseOfFiniteDifferences(t *testing.T) {
	for name, d := range variants() {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			m := randomModel(t, d, 3)
			p := paramsOf(m)
			o := &oracle{d, map[string][]float64{}}
			for _, tensor := range p.tensors {
				for i := range tensor.Data {
					tensor.Data[i] += float32(0.2 * rng.NormFloat64()) // away from where many are alike
					o.p[tensor.Name] = append(o.p[tensor.Name], float64(tensor.Data[i]))
				}
			}
			loss := testForecasts.loss()
			if d.Vocab > 0 {
				loss = CrossEntropy(d.Vocab)
			}
			w := randomWindow(d, chunk+7, rng)
			grad := newParams(d, p.tensors)
			got := new(pass).run(newNetwork(d, p, loss), grad, w, 1)
			if want := o.lossSum(w, testForecasts); math.Abs(got/want-1) > 1e-5 {
				t.Errorf("the loss is %v, want %v", got, want)
			}
			for _, tensor := range grad.tensors {
				for range 3 {
					o.checkDirection(t, tensor, w, rng)
				}
			}
		})
	}
}

// checkDirection compares a random directional derivative with the central difference.
func (o *oracle) checkDirection(t *testing.T, grad ssm.Tensor, w *Window, rng *rand.Rand) {
	t.Helper()
	const step = 1e-5
	at := o.p[grad.Name]
	kept := append([]float64{}, at...)
	direction := make([]float64, len(at))
	var got, norm float64
	for i, g := range grad.Data {
		direction[i] = rng.NormFloat64()
		got += float64(g) * direction[i]
		norm += float64(g) * float64(g)
	}
	moved := func(by float64) float64 {
		for i := range at {
			at[i] = kept[i] + by*direction[i]
		}
		return o.lossSum(w, testForecasts)
	}
	want := (moved(step) - moved(-step)) / (2 * step)
	copy(at, kept)
	if math.Abs(got-want) > 1e-3*math.Sqrt(norm)+1e-6 {
		t.Errorf("%s: derivative %v, want %v, with a gradient of norm %v", grad.Name, got, want, math.Sqrt(norm))
	}
}
