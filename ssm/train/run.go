package train

import (
	"math"
	"slices"

	"github.com/weirstream/weir/ssm"
)

const (
	// Measurements is how often a run measures the held-out loss, start left out.
	Measurements = 25
	// memory is the share of the parameters' running mean that a step keeps.
	memory = 0.98
	// patience is how many measurements in a row without a better one end a run.
	patience = 6
)

// RunOptions say what a Run does, all of it: with the same options, model and data
// the result is the same bytes.
type RunOptions struct {
	Options
	Seed  uint64
	Batch int // windows a step
}

// A Point is the progress at a measurement.
type Point struct {
	Step    int
	Loss    float64 // mean of the steps since the point before; NaN at step 0
	HeldOut float64
}

// A Run trains on Data until its steps are done or the held-out loss has stopped
// to fall. It measures the running mean of the parameters, which is steadier than
// the parameters themselves (Polyak averaging), and keeps the best. It belongs to
// one goroutine.
type Run struct {
	trainer *Trainer
	options RunOptions
	data    *Data
	heldOut []Window
	id      [2]uint64 // of options, model and data: whose checkpoint is whose

	average []float32
	best    []float32
	points  []Point
	stale   int     // points since the best one
	lossSum float64 // of the steps since the last point
}

// NewRun prepares a run from m, and measures the held-out loss before it. The data
// must have rows to train on and rows held out. See NewTrainer for f and the error.
// A run whose Options.Steps is 0 has none yet: call Plan or Restore.
func NewRun(m *ssm.Model, f *Forecasts, data *Data, o RunOptions) (*Run, error) {
	t, err := NewTrainer(m, f, o.Options)
	if err != nil {
		return nil, err
	}
	r := &Run{trainer: t, options: o, data: data, heldOut: data.heldOut(), best: slices.Clone(t.params.slab)}
	r.average = slices.Clone(r.best)
	r.id = identify(m, data, &o)
	r.points = []Point{{Step: 0, Loss: math.NaN(), HeldOut: r.Measure()}}
	return r, nil
}

// Plan sets the number of steps of a run that has not begun.
func (r *Run) Plan(steps int) {
	r.options.Steps, r.trainer.options.Steps = steps, steps
}

// Planned is the number of steps after which the run is done at the latest.
func (r *Run) Planned() int { return r.options.Steps }

// Probe computes the gradient of one step and drops it: what a step costs.
func (r *Run) Probe() error {
	_, err := r.trainer.gradient(r.data.batch(r.options.Seed, r.trainer.step, r.options.Batch))
	return err
}

// Measure computes the held-out loss of the parameters' running mean.
func (r *Run) Measure() float64 { return r.trainer.lossOf(r.average, r.heldOut) }

// Step takes one step and returns its loss and how many rows counted in it. Every
// now and then, and at the last step, it also measures the held-out loss.
func (r *Run) Step() (loss float64, rows int, err error) {
	batch := r.data.batch(r.options.Seed, r.trainer.step, r.options.Batch)
	if loss, err = r.trainer.Step(batch); err != nil {
		return loss, 0, err
	}
	r.lossSum += loss
	// The mean must not remember the start longer than there have been steps.
	keep := min(memory, float32(r.trainer.step)/float32(r.trainer.step+9))
	for i, v := range r.trainer.params.slab {
		r.average[i] += (1 - keep) * (v - r.average[i])
	}
	step, every := r.trainer.step, max(r.options.Steps/Measurements, 1)
	if step%every == 0 || step >= r.options.Steps {
		r.measure()
	}
	return loss, r.trainer.targets(batch), nil
}

func (r *Run) measure() {
	best := r.Best().HeldOut
	since := r.trainer.step - r.points[len(r.points)-1].Step
	p := Point{r.trainer.step, r.lossSum / float64(since), r.Measure()}
	r.points = append(r.points, p)
	r.lossSum = 0
	r.stale++
	if p.HeldOut < best {
		r.stale = 0
		copy(r.best, r.average)
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
