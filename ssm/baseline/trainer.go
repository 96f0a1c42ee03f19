package baseline

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/weirstream/weir/ssm/internal/layer"
	"github.com/weirstream/weir/ssm/train"
)

// shards is the number of gradients that a batch is summed up in: window i goes to
// shard i mod shards, and the shards are added in their order, on any number of cores.
const shards = 32

// A Trainer fits the parameters of one model, in place. It belongs to one goroutine;
// within a call it uses all cores.
type Trainer struct {
	m         *Model
	optimizer *train.Optimizer
	steps     int
	passes    []*pass   // one a core
	grads     []*params // one a shard
}

// NewTrainer returns a Trainer of m, which nothing else may use meanwhile.
func NewTrainer(m *Model, o train.Options) *Trainer {
	return &Trainer{m: m, optimizer: train.NewOptimizer(m.NumParams(), o)}
}

// Step moves the parameters down the gradient of the batch's mean loss, which it
// returns: over all labels, before the move. An error wraps train.ErrDiverged and
// leaves the parameters as they were. Step panics on a token outside the vocabulary.
func (t *Trainer) Step(batch []train.Window) (float64, error) {
	grad, loss := t.gradient(batch)
	size := loss
	for _, v := range grad.slab {
		size += math.Abs(float64(v))
	}
	if math.IsNaN(size) || math.IsInf(size, 0) {
		return loss, fmt.Errorf("%w at step %d: loss %v; try a lower learning rate", train.ErrDiverged, t.steps, loss)
	}
	t.optimizer.Step(t.m.params.tensors, grad.slab)
	t.m.weights.repack(t.m.config, t.m.params)
	t.steps++
	return loss, nil
}

// gradient returns that of the batch's mean loss, and the loss.
func (t *Trainer) gradient(batch []train.Window) (*params, float64) {
	targets := 0
	for i := range batch {
		targets += batch[i].NumTargets()
	}
	n := min(len(batch), shards)
	for len(t.grads) < n {
		t.grads = append(t.grads, newParams(t.m.config))
	}
	losses := make([]float64, len(batch))
	t.parallel(n, func(ps *pass, shard int) {
		clear(t.grads[shard].slab)
		for i := shard; i < len(batch); i += shards {
			losses[i] = ps.run(t.grads[shard], &batch[i], 1/float32(targets))
		}
	})
	loss := 0.0
	for _, v := range losses {
		loss += v
	}
	for _, g := range t.grads[1:n] {
		layer.AddTo(t.grads[0].slab, g.slab)
	}
	return t.grads[0], loss / float64(targets)
}

// parallel calls do for 0 … n−1, on all cores, and waits. Which core takes which is
// left open; so do must write only what belongs to its number.
func (t *Trainer) parallel(n int, do func(ps *pass, i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	for len(t.passes) < workers {
		t.passes = append(t.passes, newPass(t.m))
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
