package lti

// Scan is Recur on all cores, by a parallel scan over chunks ([Blelloch90],
// reduce then scan). An event is the element (Ā, B̄x_k), and elements combine by
// the associative (a, b) ∘ (a', b') = (a'a, a'b + b'):
//
//  1. all chunks at once: reduce the chunk to its element (Ā^chunk, b)
//  2. in order: apply the elements, which gives the state before each chunk
//  3. all chunks at once: recur from that state
//
// The first step costs 2n operations an event where the third costs 2n² (dense)
// or 8n (n/2 complex modes), so two cores come near to half the time.
// dst may be x.
func (d *Discrete) Scan(dst []float64, s *State, x []float64) {
	d.check(dst, s, x)
	waves(dst, x, func(dst, x []float64) { d.scanWave(dst, s, x) })
}

func (d *Discrete) scanWave(dst []float64, s *State, x []float64) {
	p, n, blocks := d.plan(), d.Order(), chunks(len(x))
	elements := p.elements(x[:(blocks-1)*chunk], n)
	starts := p.starts(s, elements, len(x))
	var last *State
	each(blocks, func() func(int) {
		return func(i int) {
			own := &State{H: starts[i*n : (i+1)*n], next: make([]float64, n)}
			in, out := part(x, i), part(dst, i)
			for k, v := range in {
				out[k] = d.step(own, v)
			}
			if i == blocks-1 {
				last = own
			}
		}
	})
	copy(s.H, last.H)
}

// elements returns the b (n) of each chunk of x, one after the other.
func (p *plan) elements(x []float64, n int) []float64 {
	b := make([]float64, chunks(len(x))*n)
	each(chunks(len(x)), func() func(int) {
		reversed := make([]float64, chunk)
		return func(i int) { p.reduce(b[i*n:(i+1)*n], part(x, i), reversed) }
	})
	return b
}

// starts returns the state (n) before each chunk of l events and, where there is
// an element for every chunk, the state after the last.
func (p *plan) starts(s *State, elements []float64, l int) []float64 {
	n := len(s.H)
	h := make([]float64, n+len(elements))
	copy(h, s.H)
	for at := 0; at < len(elements); at += n {
		q := min(chunk, l-at/n*chunk)
		p.advance(h[at+n:at+2*n], h[at:at+n], elements[at:at+n], s.next, q)
	}
	return h
}
