// Package layer holds the parts that trained layers are made of, forward and
// backward, in float32: linear maps on the kernels that serve, RMSNorm's way back,
// and exponentials with their slopes.
//
// Everything is in rows, one an event. Rows may be wider than what they hold: widths
// are padded to kernel.Lanes, and padding stays zero.
package layer

import "github.com/weirstream/weir/ssm/internal/kernel"

// A Matrix is the linear map y = x·Wᵀ + bias with W (N, K), packed for both passes.
type Matrix struct {
	N, K              int
	forward, backward *kernel.Panels
}

// NewMatrix packs w (n, k) and bias (n), which may be nil. It copies both.
func NewMatrix(w, bias []float32, n, k int) Matrix {
	turned := make([]float32, n*k)
	Transpose(turned, n, w, k, n, k)
	return Matrix{n, k, kernel.Pack(w, bias, n, k), kernel.Pack(turned, nil, k, n)}
}

// Apply computes y = x·Wᵀ + bias for rows, or with add, y += x·Wᵀ + bias. It writes
// rows of N padded.
func (m *Matrix) Apply(y []float32, ldy int, x []float32, ldx, rows int, add bool) {
	kernel.Gemm(y, ldy, x, ldx, rows, m.forward, add)
}

// Pull computes the gradient of x from that of y: dx = dy·W, or with add, dx += dy·W.
// It writes rows of K padded.
func (m *Matrix) Pull(dx []float32, ldx int, dy []float32, ldy, rows int, add bool) {
	kernel.Gemm(dx, ldx, dy, ldy, rows, m.backward, add)
}

// Transpose writes dst (cols, rows) from src (rows, cols), with rows of ldd and lds.
func Transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
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

// An Outer computes gradients of matrices; it holds the memory for that.
type Outer struct {
	dyT, sum []float32
	x        kernel.Panels
}

// Add computes dw (n, k) += dyᵀ·x, the sum of the rows' outer products, and where
// dbias is not nil, dbias += the sum of dy's rows.
func (o *Outer) Add(dw, dbias []float32, dy []float32, ldy, n int, x []float32, ldx, k, rows int) {
	ld := rows + kernel.Lanes // no power of two, which columns of a cache would fall together at
	o.dyT = Grow(o.dyT, n*ld)
	Transpose(o.dyT, ld, dy, ldy, rows, n)
	o.x.SetRows(x, ldx, k, rows, nil)
	wide := kernel.Pad(k)
	o.sum = Grow(o.sum, n*wide)
	kernel.Gemm(o.sum, wide, o.dyT, ld, n, &o.x, false)
	for i := range n {
		AddTo(dw[i*k:][:k], o.sum[i*wide:])
	}
	if dbias == nil {
		return
	}
	for i := range n {
		var sum float32
		for _, v := range o.dyT[i*ld:][:rows] {
			sum += v
		}
		dbias[i] += sum
	}
}

// AddTo adds src to dst.
func AddTo(dst, src []float32) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] += v
	}
}

// Grow returns a slice of length n, s itself where it is long enough. Its content
// is not defined.
func Grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// Padded returns a copy of row, padded with zeros.
func Padded(row []float32) []float32 {
	p := make([]float32, kernel.Pad(len(row)))
	copy(p, row)
	return p
}
