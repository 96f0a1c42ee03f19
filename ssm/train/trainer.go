package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/internal/layer"
)

// ErrDiverged is wrapped by the error of a step whose loss or gradient is not
// finite. The parameters are those before that step.
var ErrDiverged = errors.New("training diverged")

// shards is the number of gradients that a batch is summed up in: window i goes to
// shard i mod shards, and the shards are added in their order, on any number of
// cores.
const shards = 32

// A Trainer fits the parameters of one model. It belongs to one goroutine; within
// a call it uses all cores.
type Trainer struct {
	dims    ssm.Dims
	extra   json.RawMessage
	options Options
	loss    LossFunc
	params  *params
	adam    adamW
	step    int

	net    *network
	passes []*pass   // one a core
	grads  []*params // one a shard
}

// NewTrainer returns a Trainer that starts from m's parameters. f is what an event
// model's outputs mean; a token model has none. An f that does not fit the model, or
// a model of Mamba-2, gives an error that wraps ssm.ErrModel.
func NewTrainer(m *ssm.Model, f *Forecasts, o Options) (*Trainer, error) {
	d := m.Dims()
	if d.NHead > 0 {
		return nil, fmt.Errorf("%w: its blocks are those of Mamba-2, which Weir serves but does not train", ssm.ErrModel)
	}
	t := &Trainer{dims: d, extra: m.Extra(), options: o, params: newParams(d, m.Tensors())}
	for i, tensor := range m.Tensors() {
		copy(t.params.tensors[i].Data, tensor.Data)
	}
	n := len(t.params.slab)
	t.adam = adamW{make([]float32, n), make([]float32, n)}
	if d.Vocab > 0 {
		t.loss = CrossEntropy(d.Vocab)
	} else {
		if f == nil || f.outputs() != d.NOutput {
			return nil, fmt.Errorf("%w: it has %d outputs, which are not the forecasts to be trained", ssm.ErrModel, d.NOutput)
		}
		t.loss = f.loss()
	}
	t.net = newNetwork(d, t.params, t.loss)
	return t, nil
}

// Steps is the number of steps taken.
func (t *Trainer) Steps() int { return t.step }

// Step moves the parameters down the gradient of the batch's mean loss, which it
// returns: over all rows that count, before the move.
func (t *Trainer) Step(batch []Window) (float64, error) {
	loss, err := t.gradient(batch)
	if err != nil {
		return loss, err
	}
	t.adam.step(t.params.tensors, t.grads[0].slab, &t.options, t.step)
	t.step++
	t.net = newNetwork(t.dims, t.params, t.loss)
	return loss, nil
}

// gradient leaves the gradient of the batch's mean loss in t.grads[0].
func (t *Trainer) gradient(batch []Window) (float64, error) {
	targets := t.targets(batch)
	n := min(len(batch), shards)
	for len(t.grads) < n {
		t.grads = append(t.grads, newParams(t.dims, t.params.tensors))
	}
	scale := 1 / float32(targets)
	losses := make([]float64, len(batch))
	t.parallel(n, func(ps *pass, shard int) {
		clear(t.grads[shard].slab)
		for i := shard; i < len(batch); i += shards {
			losses[i] = ps.run(t.net, t.grads[shard], &batch[i], scale)
		}
	})
	for _, shard := range t.grads[1:n] {
		layer.AddTo(t.grads[0].slab, shard.slab)
	}
	loss := sum(losses) / float64(targets)
	if size := loss + norm(t.grads[0].slab); math.IsNaN(size) || math.IsInf(size, 0) {
		return loss, fmt.Errorf("%w at step %d: loss %v; try a lower learning rate", ErrDiverged, t.step, loss)
	}
	return loss, nil
}

// Loss returns the mean loss of the windows' rows that count.
func (t *Trainer) Loss(windows []Window) float64 { return t.lossOf(t.params.slab, windows) }

// lossOf is Loss with the parameters in slab.
func (t *Trainer) lossOf(slab []float32, windows []Window) float64 {
	p := newParams(t.dims, t.params.tensors)
	copy(p.slab, slab)
	net := newNetwork(t.dims, p, t.loss)
	targets := t.targets(windows)
	losses := make([]float64, len(windows))
	t.parallel(len(windows), func(ps *pass, i int) {
		losses[i] = ps.run(net, nil, &windows[i], 0)
	})
	return sum(losses) / float64(targets)
}

// Model returns a model of the present parameters.
func (t *Trainer) Model() (*ssm.Model, error) { return t.modelOf(t.params.slab) }

// modelOf returns a model of a copy of the parameters in slab.
func (t *Trainer) modelOf(slab []float32) (*ssm.Model, error) {
	p := newParams(t.dims, t.params.tensors)
	copy(p.slab, slab)
	return ssm.New(t.dims, p.tensors, t.extra)
}

func (t *Trainer) targets(windows []Window) int {
	n := 0
	for i := range windows {
		windows[i].check(&t.dims)
		n += windows[i].NumTargets()
	}
	return max(n, 1)
}

// parallel calls do for 0 … n-1, on all cores, and waits. Which core takes which
// is left open; so do must write only what belongs to its number.
func (t *Trainer) parallel(n int, do func(ps *pass, i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	for len(t.passes) < workers {
		t.passes = append(t.passes, &pass{})
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for _, ps := range t.passes[:workers] {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(ps, i)
			}
		})
	}
	group.Wait()
}

func sum(x []float64) float64 {
	total := 0.0
	for _, v := range x {
		total += v
	}
	return total
}
