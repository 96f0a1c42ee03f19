package train

import (
	"math"
	"slices"

	"github.com/weirstream/weir/ssm"
)

// patience is how many measurements in a row without a better held-out loss end a run.
const patience = 6

// RunOptions say what a Run does, all of it: with the same options, model and data
// the result is the same bytes.
type RunOptions struct {
	Options
	Seed    uint64
	Batch   int // windows a step
	Measure int // steps between two held-out losses
}

// A Point is the progress at a measurement.
type Point struct {
	Step    int
	Loss    float64 // mean of the steps since the point before; NaN at step 0
	HeldOut float64
}

// A Run trains on Data until its steps are done or the held-out loss has stopped
// to fall, and keeps the best parameters. It belongs to one goroutine.
type Run struct {
	trainer *Trainer
	options RunOptions
	data    *Data
	heldOut []Window
	id      [2]uint64 // of options, model and data: whose checkpoint is whose

	best    []float32
	points  []Point
	stale   int     // points since the best one
	lossSum float64 // of the steps since the last point
}

// NewRun prepares a run from m, and measures the held-out loss before it. The data
// must have rows to train on and rows held out. See NewTrainer for q and the error.
func NewRun(m *ssm.Model, q *Quantiles, data *Data, o RunOptions) (*Run, error) {
	t, err := NewTrainer(m, q, o.Options)
	if err != nil {
		return nil, err
	}
	r := &Run{trainer: t, options: o, data: data, heldOut: data.heldOut(), best: slices.Clone(t.params.slab)}
	r.id = identify(m, data, &o)
	r.points = []Point{{Step: 0, Loss: math.NaN(), HeldOut: t.Loss(r.heldOut)}}
	return r, nil
}

// Probe computes the gradient of one step and drops it: what a step costs.
func (r *Run) Probe() error {
	_, err := r.trainer.gradient(r.data.batch(r.options.Seed, r.trainer.step, r.options.Batch))
	return err
}

// Step takes one step and returns its loss. At every RunOptions.Measure'th, and at
// the last, it also measures the held-out loss.
func (r *Run) Step() (float64, error) {
	loss, err := r.trainer.Step(r.data.batch(r.options.Seed, r.trainer.step, r.options.Batch))
	if err != nil {
		return loss, err
	}
	r.lossSum += loss
	if step := r.trainer.step; step%r.options.Measure == 0 || step >= r.options.Steps {
		r.measure()
	}
	return loss, nil
}

func (r *Run) measure() {
	best := r.Best().HeldOut
	since := r.trainer.step - r.points[len(r.points)-1].Step
	p := Point{r.trainer.step, r.lossSum / float64(since), r.trainer.Loss(r.heldOut)}
	r.points = append(r.points, p)
	r.lossSum = 0
	r.stale++
	if p.HeldOut < best {
		r.stale = 0
		copy(r.best, r.trainer.params.slab)
	}
}

// Done says whether there is nothing left to do.
func (r *Run) Done() bool { return r.trainer.step >= r.options.Steps || r.stale >= patience }

// Steps is the number of steps taken.
func (r *Run) Steps() int { return r.trainer.step }

// Points returns the measurements so far, the first before any step.
func (r *Run) Points() []Point { return r.points }

// Best is the measurement with the least held-out loss.
func (r *Run) Best() Point {
	return slices.MinFunc(r.points, func(a, b Point) int {
		switch {
		case a.HeldOut < b.HeldOut:
			return -1
		case a.HeldOut > b.HeldOut:
			return 1
		}
		return 0
	})
}

// Model returns the model at its best measurement, which may be the one it
// started from.
func (r *Run) Model() (*ssm.Model, error) { return r.trainer.modelOf(r.best) }
