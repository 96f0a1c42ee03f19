package kernel

// SetRows makes p the matrix W (n, k) that rows holds the other way round: row i
// begins at rows[i·ld] and holds w[j][i] of all n columns j. With scale, row i
// is multiplied by scale[i]. There is no bias. The memory of p is used again.
func (p *Panels) SetRows(rows []float32, ld, n, k int, scale []float32) {
	p.K, p.N = k, n
	if need := Pad(n) * (k + 1); cap(p.data) < need {
		p.data = make([]float32, need)
	} else {
		p.data = p.data[:need]
	}
	for j := 0; j < n; j += panelWidth {
		panel, width := p.panel(j)
		clear(panel[:width])
		for i := range k {
			to, from := panel[(i+1)*width:][:width], rows[i*ld+j:][:min(width, n-j)]
			clear(to[copy(to, from):])
			if scale == nil {
				continue
			}
			for l, v := range to {
				to[l] = v * scale[i]
			}
		}
	}
}
