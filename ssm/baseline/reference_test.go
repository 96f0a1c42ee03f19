package baseline

import (
	"fmt"
	"math"
	"math/cmplx"

	"github.com/weirstream/weir/ssm/lti"
	"github.com/weirstream/weir/ssm/train"
)

// A reference computes a model in float64 from its formulas, event by event and with
// loops alone; S4D's systems are those of package lti. It shares no code with the
// model but the parameters' names.
type reference struct {
	c    Config
	slab []float64
	at   map[string]int // where a tensor begins
}

func newReference(m *Model) *reference {
	r := &reference{c: m.config, at: map[string]int{}}
	for _, t := range m.Tensors() {
		r.at[t.Name] = len(r.slab)
		for _, v := range t.Data {
			r.slab = append(r.slab, float64(v))
		}
	}
	return r
}

// p is a tensor from its beginning.
func (r *reference) p(name string) []float64 {
	at, ok := r.at[name]
	if !ok {
		panic("no tensor " + name)
	}
	return r.slab[at:]
}

// of is a tensor of layer l.
func (r *reference) of(l int, name string) []float64 {
	return r.p(fmt.Sprintf("layers.%d.%s", l, name))
}

// slope is the loss's derivative with respect to parameter i.
func (r *reference) slope(w *train.Window, i int) float64 {
	const h = 1e-5
	v := r.slab[i]
	r.slab[i] = v + h
	up := r.loss(w)
	r.slab[i] = v - h
	down := r.loss(w)
	r.slab[i] = v
	return (up - down) / (2 * h)
}

func (r *reference) loss(w *train.Window) float64 {
	total := 0.0
	logits := r.logits(w.Tokens)
	for t, label := range w.Labels {
		if label < 0 {
			continue
		}
		row, sum := logits[t*r.c.Vocab:][:r.c.Vocab], 0.0
		for _, v := range row {
			sum += math.Exp(v)
		}
		total += math.Log(sum) - row[label]
	}
	return total
}

func (r *reference) logits(tokens []int32) []float64 {
	d := r.c.DModel
	x := make([][]float64, len(tokens))
	for t, id := range tokens {
		x[t] = append([]float64(nil), r.p("embedding")[int(id)*d:][:d]...)
	}
	for l := range r.c.NLayer {
		u := normAll(x, r.of(l, "norm"), d)
		switch r.c.Kind {
		case GRU:
			add(x, r.gru(l, u))
		case S4D:
			add(x, r.s4d(l, u))
		case Attention:
			add(x, r.attention(l, u))
			add(x, r.mlp(l, normAll(x, r.of(l, "mlp.norm"), d)))
		}
	}
	var out []float64
	for _, row := range normAll(x, r.p("norm_f"), d) {
		out = append(out, linear(row, r.p("head"), nil, r.c.Vocab)...)
	}
	return out
}

func add(x, y [][]float64) {
	for t := range x {
		for i := range x[t] {
			x[t][i] += y[t][i]
		}
	}
}

func normAll(x [][]float64, w []float64, d int) [][]float64 {
	out := make([][]float64, len(x))
	for t, row := range x {
		squares := 0.0
		for _, v := range row {
			squares += v * v
		}
		rms := math.Sqrt(squares/float64(d) + normEps)
		out[t] = make([]float64, d)
		for i, v := range row {
			out[t][i] = w[i] * v / rms
		}
	}
	return out
}

// linear is W x + b with W (n, len(x)).
func linear(x, w, b []float64, n int) []float64 {
	y := make([]float64, n)
	for i := range y {
		if b != nil {
			y[i] = b[i]
		}
		for j, v := range x {
			y[i] += w[i*len(x)+j] * v
		}
	}
	return y
}

func logistic(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

func (r *reference) gru(l int, u [][]float64) [][]float64 {
	d, h := r.c.DModel, make([]float64, r.c.DModel)
	newBias := r.of(l, "gru.new_bias")
	y := make([][]float64, len(u))
	for t, x := range u {
		in := linear(x, r.of(l, "gru.input"), r.of(l, "gru.input_bias"), 3*d)
		re := linear(h, r.of(l, "gru.state"), nil, 3*d)
		next := make([]float64, d)
		for i := range next {
			reset, z := logistic(in[i]+re[i]), logistic(in[d+i]+re[d+i])
			n := math.Tanh(in[2*d+i] + reset*(re[2*d+i]+newBias[i]))
			next[i] = (1-z)*n + z*h[i]
		}
		h, y[t] = next, next
	}
	return y
}

func (r *reference) attention(l int, u [][]float64) [][]float64 {
	d, size := r.c.DModel, r.c.DModel/r.c.NHead
	q, k, v := make([][]float64, len(u)), make([][]float64, len(u)), make([][]float64, len(u))
	y := make([][]float64, len(u))
	for t, x := range u {
		qkv := linear(x, r.of(l, "attention.qkv"), nil, 3*d)
		q[t], k[t], v[t] = rotate(qkv[:d], t, size), rotate(qkv[d:2*d], t, size), qkv[2*d:]
		mix := make([]float64, d)
		for h := 0; h < d; h += size {
			attendTo(mix[h:h+size], q[t][h:], k[:t+1], v[:t+1], h)
		}
		y[t] = linear(mix, r.of(l, "attention.out"), nil, d)
	}
	return y
}

func rotate(x []float64, pos, size int) []float64 {
	y := make([]float64, len(x))
	for i := 0; i < len(x); i += 2 {
		turn := cmplx.Exp(complex(0, float64(pos)*math.Pow(10000, -float64(i%size)/float64(size))))
		z := complex(x[i], x[i+1]) * turn
		y[i], y[i+1] = real(z), imag(z)
	}
	return y
}

func attendTo(out, q []float64, k, v [][]float64, from int) {
	weights, sum := make([]float64, len(k)), 0.0
	for s := range k {
		score := 0.0
		for i := range out {
			score += q[i] * k[s][from+i]
		}
		weights[s] = math.Exp(score / math.Sqrt(float64(len(out))))
		sum += weights[s]
	}
	for s, w := range weights {
		for i := range out {
			out[i] += w / sum * v[s][from+i]
		}
	}
}

func (r *reference) mlp(l int, u [][]float64) [][]float64 {
	y := make([][]float64, len(u))
	for t, x := range u {
		up := linear(x, r.of(l, "mlp.up"), nil, 2*r.c.DModel)
		for i, v := range up {
			up[i] = v * logistic(v)
		}
		y[t] = linear(up, r.of(l, "mlp.down"), nil, r.c.DModel)
	}
	return y
}

func (r *reference) s4d(l int, u [][]float64) [][]float64 {
	d, modes := r.c.DModel, r.c.DState/2
	aLog, aImag, cReal, cImag := r.of(l, "s4d.A_log"), r.of(l, "s4d.A_imag"), r.of(l, "s4d.C_real"), r.of(l, "s4d.C_imag")
	logDt, skip := r.of(l, "s4d.log_dt"), r.of(l, "s4d.D")
	y := make([][]float64, len(u))
	for t := range y {
		y[t] = make([]float64, d)
	}
	x := make([]float64, len(u))
	for c := range d {
		s := &lti.Diagonal{D: skip[c], Pairs: true}
		for i := c * modes; i < (c+1)*modes; i++ {
			s.A = append(s.A, complex(-math.Exp(aLog[i]), aImag[i]))
			s.B = append(s.B, 1)
			s.C = append(s.C, complex(cReal[i], cImag[i]))
		}
		dis, err := s.Discretize(lti.ZOH, math.Exp(logDt[c]))
		if err != nil {
			panic(err)
		}
		for t := range u {
			x[t] = u[t][c]
		}
		dis.Recur(x, dis.NewState(), x)
		for t, v := range x {
			y[t][c] = v * logistic(v)
		}
	}
	out, bias := r.of(l, "s4d.out"), r.of(l, "s4d.out_bias")
	for t := range y {
		lin := linear(y[t], out, bias, 2*d)
		for i := range y[t] {
			y[t][i] = lin[i] * logistic(lin[d+i])
		}
	}
	return y
}
