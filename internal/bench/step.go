package bench

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/roofline"
	"github.com/weirstream/weir/ssm/train"
)

const (
	// coldStreams have states of hundreds of megabytes: no cache holds them.
	coldStreams = 20_000
	// burstSteps take less than a millisecond: short enough to get through undisturbed.
	burstSteps = 256
)

// A stepCase steps a model: batch streams at once, of streams in random order.
type stepCase struct {
	name    string
	model   *ssm.Model
	batch   int
	states  []ssm.State // shuffled
	stepper *ssm.Stepper
	x, dst  []float32
	at      int
}

// stepCases are what Run measures: a model of d_model 64 and the built-in one, with
// states in the cache, in main memory, and one stream at a time.
func stepCases(core *ssm.Model) ([]*stepCase, error) {
	d := ssm.Dims{
		DModel: 64, DInner: 128, DState: 16, DConv: 4, DTRank: 4, NLayer: 2,
		NInput: core.Dims().NInput, NOutput: core.Dims().NOutput, UseConvBias: true, NormEps: 1e-5,
	}
	wide, err := ssm.New(d, train.Initial(d, 1), nil)
	if err != nil {
		return nil, fmt.Errorf("make a model of d_model %d: %w", d.DModel, err)
	}
	var cases []*stepCase
	for _, m := range []*ssm.Model{wide, core} {
		name := fmt.Sprintf("d_model %d", m.Dims().DModel)
		if m == core {
			name = "built-in"
		}
		cold := m.NewStates(coldStreams)
		rng := rand.New(rand.NewPCG(1, 2))
		rng.Shuffle(len(cold), func(i, j int) { cold[i], cold[j] = cold[j], cold[i] })
		cases = append(cases, newStepCase(name, m, 256, m.NewStates(256), rng),
			newStepCase(name, m, 256, cold, rng), newStepCase(name, m, 1, m.NewStates(1), rng))
	}
	return cases, nil
}

func newStepCase(name string, m *ssm.Model, batch int, states []ssm.State, rng *rand.Rand) *stepCase {
	d := m.Dims()
	c := &stepCase{
		name: name, model: m, batch: batch, states: states, stepper: m.NewStepper(batch),
		x: make([]float32, batch*d.NInput), dst: make([]float32, batch*d.NOutput),
	}
	for i := range c.x {
		c.x[i] = float32(rng.NormFloat64())
	}
	for range len(states) / batch { // so that every page is there, and no state is zero
		c.step()
	}
	return c
}

// step advances the next batch of streams, the first again after the last.
func (c *stepCase) step() {
	if c.at+c.batch > len(c.states) {
		c.at = 0
	}
	c.stepper.Step(c.dst, c.x, nil, c.states[c.at:c.at+c.batch])
	c.at += c.batch
}

// warm steps every stream once, or of many, a burst's worth: what comes next is in
// memory then, but the weights are in the cache.
func (c *stepCase) warm(context.Context) error {
	for range min(len(c.states), burstSteps) / c.batch {
		c.step()
	}
	return nil
}

func (c *stepCase) run(context.Context) (steps int, err error) {
	for ; steps < burstSteps; steps += c.batch {
		c.step()
	}
	return steps, nil
}

func (c *stepCase) rate(b best, p roofline.Peaks) StepRate {
	where, hot := "memory", len(c.states) < coldStreams
	if hot {
		where = "cache"
	}
	limit := roofline.Of(c.model.Dims()).Limit(p, hot)
	return StepRate{
		Model: c.name, Batch: c.batch, Streams: len(c.states), States: where,
		Rate: b.rate, Limit: limit, OfLimit: b.rate / limit, Allocs: b.allocs,
	}
}
