package train

import "github.com/weirstream/weir/ssm/internal/kernel"

// A matrix is the linear map y = x·Wᵀ + bias with W (n, k), packed for both
// passes. Rows of x and y may be wider than k and n: widths are padded to
// kernel.Lanes, and padding stays zero.
type matrix struct {
	n, k              int
	forward, backward *kernel.Panels
}

func newMatrix(w, bias []float32, n, k int) matrix {
	turned := make([]float32, n*k)
	transpose(turned, n, w, k, n, k)
	return matrix{n, k, kernel.Pack(w, bias, n, k), kernel.Pack(turned, nil, k, n)}
}

// apply computes y = x·Wᵀ + bias for rows, or with add, y += x·Wᵀ + bias.
func (m *matrix) apply(y []float32, ldy int, x []float32, ldx, rows int, add bool) {
	kernel.Gemm(y, ldy, x, ldx, rows, m.forward, add)
}

// pull computes the gradient of x from that of y: dx = dy·W, or with add, dx += dy·W.
func (m *matrix) pull(dx []float32, ldx int, dy []float32, ldy, rows int, add bool) {
	kernel.Gemm(dx, ldx, dy, ldy, rows, m.backward, add)
}

// transpose writes dst (cols, rows) from src (rows, cols), with rows of ldd and lds.
func transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	const tile = 16 // both sides of a tile stay in the cache
	for r0 := 0; r0 < rows; r0 += tile {
		for c0 := 0; c0 < cols; c0 += tile {
			for r := r0; r < min(r0+tile, rows); r++ {
				row := src[r*lds:]
				for c := c0; c < min(c0+tile, cols); c++ {
					dst[c*ldd+r] = row[c]
				}
			}
		}
	}
}

// An outer computes gradients of matrices; it holds the memory for that.
type outer struct{ dyT, xT, sum []float32 }

// add computes dw (n, k) += dyᵀ·x, the sum of the rows' outer products, and where
// dbias is not nil, dbias += the sum of dy's rows.
func (o *outer) add(dw, dbias []float32, dy []float32, ldy, n int, x []float32, ldx, k, rows int) {
	o.dyT = grow(o.dyT, n*rows)
	o.xT = grow(o.xT, k*rows)
	transpose(o.dyT, rows, dy, ldy, rows, n)
	transpose(o.xT, rows, x, ldx, rows, k)
	wide := kernel.Pad(k)
	o.sum = grow(o.sum, n*wide)
	kernel.Gemm(o.sum, wide, o.dyT, rows, n, kernel.Pack(o.xT, nil, k, rows), false)
	for i := range n {
		addTo(dw[i*k:][:k], o.sum[i*wide:])
	}
	if dbias == nil {
		return
	}
	for i := range n {
		var sum float32
		for _, v := range o.dyT[i*rows:][:rows] {
			sum += v
		}
		dbias[i] += sum
	}
}

// addTo adds src to dst.
func addTo(dst, src []float32) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] += v
	}
}

// grow returns a slice of length n, s itself where it is long enough. Its content
// is not defined.
func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}
