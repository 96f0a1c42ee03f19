package train

import "github.com/weirstream/weir/ssm"

// An Optimizer is AdamW as a Trainer uses it, for other models than those of package
// ssm: what Mamba is compared with is to be trained the same way.
type Optimizer struct {
	options Options
	adam    adamW
	taken   int
}

// NewOptimizer returns an Optimizer of n parameters.
func NewOptimizer(n int, o Options) *Optimizer {
	return &Optimizer{options: o, adam: adamW{make([]float32, n), make([]float32, n)}}
}

// Step moves the parameters along grad, which holds a number for each in the order of
// the tensors.
func (o *Optimizer) Step(tensors []ssm.Tensor, grad []float32) {
	o.adam.step(tensors, grad, &o.options, o.taken)
	o.taken++
}
