package ssm

import "github.com/weirstream/weir/ssm/internal/kernel"

// An ssd computes a chunk of a Mamba-2 layer as products of matrices (Dao and Gu
// 2024, section 6). With Δ and α = exp(ΔA) of each event of a head, and h the
// state at the chunk's start,
//
//	y_t = Σ_{s≤t} (C_t·B_s) (α_{s+1} … α_t) Δ_s x_s  +  (α_1 … α_t) C_t h
//	h'  = Σ_s (α_{s+1} … α_T) Δ_s B_s x_sᵀ           +  (α_1 … α_T) h
//
// so an event costs three products of one row instead of d_state exponentials a
// channel. The products of α are running ones: there is nothing to overflow.
type ssd struct {
	ld           int       // Pad(chunk), the width of the rows below
	dt, pairs    []float32 // of the heads; [n_head/16][2][16]
	b, c         []float32 // (1, 0) and zeros
	delta, alpha []float32 // (n_head, chunk)
	bt           []float32 // (d_state, chunk): B of a group, transposed
	scores       []float32 // (chunk, chunk): C·Bᵀ of a group
	mix          []float32 // (chunk, chunk): the factor of x_s in y_t, of a head
	factors      []float32 // (chunk)
	panels       kernel.Panels
}

func newSSD(d *Dims, chunk int) *ssd {
	ld, heads := kernel.Pad(chunk), kernel.Pad(d.NHead)
	rows := func(n int) []float32 { return make([]float32, n*ld) }
	return &ssd{
		ld: ld, dt: make([]float32, heads), pairs: make([]float32, 2*heads), b: []float32{1, 0}, c: make([]float32, 2),
		delta: rows(heads), alpha: rows(heads), bt: rows(d.DState), scores: rows(ld), mix: rows(ld), factors: rows(1),
	}
}

// discretize computes Δ and α of n rows. One step of a state of two numbers from
// (0, 1), with A = (0, A), B = (1, 0) and x = 1, leaves (Δ, α).
func (s *ssd) discretize(w *chunkWorker, st *Stepper, layer int, gap []float32, n int) {
	p := st.m.layers[layer].heads
	wide := len(s.dt)
	for i := range n {
		copy(s.dt, st.headRow(layer, i))
		for at := 0; at < len(s.pairs); at += 2 * kernel.Lanes {
			clear(s.pairs[at:][:kernel.Lanes])
			copy(s.pairs[at+kernel.Lanes:][:kernel.Lanes], w.ones)
		}
		kernel.ScanStep(s.dt, s.pairs, s.dt, w.ones[:wide], w.gate[:wide], s.b, s.c, p.rates, w.zeros[:wide], gapOf(gap, i), nil)
		for h := range st.m.dims.NHead {
			at := h/kernel.Lanes*2*kernel.Lanes + h%kernel.Lanes
			s.delta[h*s.ld+i], s.alpha[h*s.ld+i] = s.pairs[at], s.pairs[at+kernel.Lanes]
		}
	}
}

// reduce is Stepper.reduce, with a of each head itself instead of ΣΔ.
func (s *ssd) reduce(w *chunkWorker, st *Stepper, layer int, gap, end, decays []float32, n int) {
	d := &st.m.dims
	s.discretize(w, st, layer, gap, n)
	clear(end)
	for h := range d.NHead {
		if h%(d.NHead/d.NGroup) == 0 {
			s.transpose(st, layer, h/(d.NHead/d.NGroup), n)
		}
		decays[h] = s.addState(st, layer, h, end, n)
	}
}

// transpose sets s.bt to B of n rows and a group.
func (s *ssd) transpose(st *Stepper, layer, group, n int) {
	for i := range n {
		b, _ := st.bc(layer, i, group)
		for k, v := range b {
			s.bt[k*s.ld+i] = v
		}
	}
}

// addState adds Σ_s (α_{s+1} … α_T) Δ_s B_s x_sᵀ of a head to its part of state,
// and returns α_1 … α_T.
func (s *ssd) addState(st *Stepper, layer, h int, state []float32, n int) (left float32) {
	d, p := &st.m.dims, &st.m.layers[layer]
	left = 1 // of what an event wrote, at the chunk's end
	for i := n - 1; i >= 0; i-- {
		s.factors[i] = s.delta[h*s.ld+i] * left
		left *= s.alpha[h*s.ld+i]
	}
	wide := len(p.skip) / d.NHead
	for c := h * wide; c < (h+1)*wide; c += kernel.Lanes {
		s.panels.SetRows(st.xz[c:], p.inProj.Width(), kernel.Lanes, n, s.factors)
		kernel.Gemm(state[c*d.DState:][:kernel.Lanes*d.DState], kernel.Lanes, s.bt, s.ld, d.DState, &s.panels, true)
	}
	return left
}

// finish is Stepper.finish. Only with keep is state the one at the chunk's end
// afterwards; else it is that at the start.
func (s *ssd) finish(w *chunkWorker, st *Stepper, layer int, gap, state []float32, n int, keep bool) {
	d, p := &st.m.dims, &st.m.layers[layer]
	s.discretize(w, st, layer, gap, n)
	perGroup := d.NHead / d.NGroup
	for h := range d.NHead {
		c := st.xz[len(p.skip)+(d.NGroup+h/perGroup)*d.DState:] // C of the first row
		if h%perGroup == 0 {
			s.transpose(st, layer, h/perGroup, n)
			s.panels.SetRows(s.bt, s.ld, n, d.DState, nil)
			kernel.Gemm(s.scores, s.ld, c, p.inProj.Width(), n, &s.panels, false)
		}
		left := s.fromStart(st, layer, h, c, state, n)
		s.fromChunk(st, layer, h, n)
		if !keep {
			continue
		}
		part := len(state) / d.NHead
		for i, v := range state[h*part:][:part] {
			state[h*part+i] = v * left
		}
		s.addState(st, layer, h, state, n)
	}
	for i := range n {
		st.gate(w, layer, i)
		st.gatedNorm(layer, st.dtRow(layer, i))
	}
}

// fromStart sets y_t of a head to (α_1 … α_t) C_t h, and returns α_1 … α_T.
func (s *ssd) fromStart(st *Stepper, layer, h int, c, state []float32, n int) (left float32) {
	d, p := &st.m.dims, &st.m.layers[layer]
	wide := len(p.skip) / d.NHead
	for at := h * wide; at < (h+1)*wide; at += kernel.Lanes {
		s.panels.SetRows(state[at*d.DState:], kernel.Lanes, kernel.Lanes, d.DState, nil)
		kernel.Gemm(st.dt[at:], len(p.skip), c, p.inProj.Width(), n, &s.panels, false)
	}
	left = 1
	for i := range n {
		left *= s.alpha[h*s.ld+i]
		y := st.dtRow(layer, i)[h*wide:][:wide]
		for j, v := range y {
			y[j] = v * left
		}
	}
	return left
}

// fromChunk adds what the chunk's own events contribute to y of a head, D·x
// among it.
func (s *ssd) fromChunk(st *Stepper, layer, h, n int) {
	d, p := &st.m.dims, &st.m.layers[layer]
	skip := st.m.weights.layers[layer].skip[h]
	factors := s.factors[:0]
	for t := range n {
		alpha := s.alpha[h*s.ld+t]
		for i, v := range factors {
			factors[i] = v * alpha
		}
		factors = append(factors, s.delta[h*s.ld+t])
		scores, mix := s.scores[t*s.ld:][:t+1], s.mix[t*s.ld:][:t+1]
		for i, v := range factors {
			mix[i] = scores[i] * v
		}
		mix[t] += skip
	}
	wide := len(p.skip) / d.NHead
	s.panels.SetRows(st.xz[h*wide:], p.inProj.Width(), wide, n, nil)
	kernel.Gemm(st.dt[h*wide:], len(p.skip), s.mix, s.ld, n, &s.panels, true)
}

// gate multiplies y of row i by SiLU(z).
func (st *Stepper) gate(w *chunkWorker, layer, i int) {
	y, z := st.dtRow(layer, i), st.gateRow(layer, i)
	kernel.ConvSiLU(z, z, nil, w.ones, w.zeros[:len(z)], 1, nil) // of one tap that is 1
	for c, v := range z {
		y[c] *= v
	}
}
