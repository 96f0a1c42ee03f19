package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSetRowsIsPackOfTheTranspose(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var p Panels
	for _, size := range [][2]int{{16, 5}, {48, 9}, {33, 1}, {7, 3}, {64, 64}, {16, 2}} { // greater and smaller than before
		n, k := size[0], size[1]
		ld := n + 3
		rows, scale, w := make([]float32, k*ld), make([]float32, k), make([]float32, n*k)
		for i := range rows {
			rows[i] = rng.Float32()
		}
		for i := range scale {
			scale[i] = rng.Float32()
		}
		for _, scale := range [][]float32{nil, scale} {
			for i := range k {
				for j := range n {
					w[j*k+i] = rows[i*ld+j]
					if scale != nil {
						w[j*k+i] *= scale[i]
					}
				}
			}
			p.SetRows(rows, ld, n, k, scale)
			want := Pack(w, nil, n, k)
			if p.N != want.N || p.K != want.K || !slices.Equal(p.data, want.data) {
				t.Errorf("(%d, %d), scaled %v: other panels than Pack's", n, k, scale != nil)
			}
		}
	}
}
