package baseline

import (
	"fmt"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/internal/kernel"
)

// params are a model's parameters, or numbers that belong to them one to one, all in
// one slab.
type params struct {
	slab      []float32
	tensors   []ssm.Tensor // their Data are parts of slab
	embedding []float32    // (vocab, d_model)
	blocks    []blockParams
	normF     []float32 // (d_model)
	head      []float32 // (vocab, d_model)
}

// blockParams are one block's: the norm and those of the one mixer that it has.
type blockParams struct {
	norm []float32 // (d_model)
	gru  gruParams
	attn attentionParams
	mlp  mlpParams
	s4d  s4dParams
}

// A binder cuts a slab into tensors. Without a slab it only counts.
type binder struct {
	slab    []float32
	used    int
	tensors []ssm.Tensor
}

func (b *binder) take(name string, shape ...int) []float32 {
	n := 1
	for _, size := range shape {
		n *= size
	}
	from := b.used
	b.used += n
	if b.slab == nil {
		return nil
	}
	data := b.slab[from:b.used:b.used]
	b.tensors = append(b.tensors, ssm.Tensor{Name: name, Shape: shape, Data: data})
	return data
}

// newParams returns zeros in the shape of c.
func newParams(c Config) *params {
	count := &binder{}
	bind(count, c)
	b := &binder{slab: make([]float32, count.used)}
	p := bind(b, c)
	p.slab, p.tensors = b.slab, b.tensors
	return p
}

func bind(b *binder, c Config) *params {
	p := &params{embedding: b.take("embedding", c.Vocab, c.DModel)}
	for i := range c.NLayer {
		name := fmt.Sprintf("layers.%d.", i)
		block := blockParams{norm: b.take(name+"norm", c.DModel)}
		switch c.Kind {
		case GRU:
			block.gru = bindGRU(b, name, c.DModel)
		case S4D:
			block.s4d = bindS4D(b, name, c.DModel, c.DState/2)
		case Attention:
			block.attn = bindAttention(b, name, c.DModel)
			p.blocks = append(p.blocks, block)
			block = blockParams{norm: b.take(name+"mlp.norm", c.DModel), mlp: bindMLP(b, name, c.DModel)}
		}
		p.blocks = append(p.blocks, block)
	}
	p.normF = b.take("norm_f", c.DModel)
	p.head = b.take("head", c.Vocab, c.DModel)
	return p
}

// padRows copies w (parts·n, k) so that each part of n rows begins at a multiple of
// kernel.Lanes: a product's parts are then rows of their own.
func padRows(w []float32, parts, n, k int) []float32 {
	wide := kernel.Pad(n)
	padded := make([]float32, parts*wide*k)
	for i := range parts {
		copy(padded[i*wide*k:], w[i*n*k:][:n*k])
	}
	return padded
}

// addUnpadded adds to w (parts·n, k) its gradient in the form of padRows.
func addUnpadded(w, padded []float32, parts, n, k int) {
	wide := kernel.Pad(n)
	for i := range parts {
		for j, v := range padded[i*wide*k:][:n*k] {
			w[i*n*k+j] += v
		}
	}
}
