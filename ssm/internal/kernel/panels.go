package kernel

// panelWidth is the number of columns of a full panel.
const panelWidth = 32

// Panels is a weight matrix W (N, K) packed for Gemm: panels of 32 output
// columns, the last one of 16 where that is enough. Row 0 of a panel is the
// bias, row k+1 holds w[j][k] of its columns j.
type Panels struct {
	K, N int
	data []float32
}

// Width is N padded to a multiple of Lanes: the columns that Gemm writes.
func (p *Panels) Width() int { return Pad(p.N) }

// Pack packs w (n, k), row-major, and its bias (n), which may be nil for zeros.
func Pack(w, bias []float32, n, k int) *Panels {
	p := &Panels{K: k, N: n, data: make([]float32, Pad(n)*(k+1))}
	for j := range n {
		col, width := p.panel(j - j%panelWidth)
		at := j % panelWidth
		if bias != nil {
			col[at] = bias[j]
		}
		for i := range k {
			col[(i+1)*width+at] = w[j*k+i]
		}
	}
	return p
}

// panel returns the panel that begins at column j, and its width.
func (p *Panels) panel(j int) (data []float32, width int) {
	width = min(panelWidth, p.Width()-j)
	return p.data[j*(p.K+1):][:width*(p.K+1)], width
}
