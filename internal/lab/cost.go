package lab

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A stepCost is what one more event costs a model, by the stream's events before it.
type stepCost struct {
	model string
	bytes []int           // memory of the stream
	time  []time.Duration // of a step
}

// A trainCost is the time of training on one sequence, by its length.
type trainCost struct {
	model    string
	perToken []time.Duration
}

// measureCosts fills r.models, r.steps and r.trains. What a step does to the parameters
// is of no interest here; the models that are measured are dropped.
func (r *Result) measureCosts(ctx context.Context) error {
	models, err := contenders(vocab, r.plan.train, r.options.Seed)
	if err != nil {
		return err
	}
	r.models = models
	for i := range models {
		c := &models[i]
		_, _ = fmt.Fprintf(r.options.Progress, "%s: measure steps and training\n", c.name)
		if err := ctx.Err(); err != nil {
			return err
		}
		r.steps = append(r.steps, measureSteps(c, r.plan.histories))
		cost := trainCost{model: c.name}
		for _, length := range r.plan.lengths {
			if err := ctx.Err(); err != nil {
				return err
			}
			t, err := measureTraining(c, length)
			if err != nil {
				return err
			}
			cost.perToken = append(cost.perToken, t)
		}
		r.trains = append(r.trains, cost)
	}
	return nil
}

// measureSteps takes one stream through all histories, and the median of the steps
// around each: of few where the stream is young, for there are no more.
func measureSteps(c *contender, histories []int) stepCost {
	cost := stepCost{model: c.name}
	step, events := c.stepper(), 0
	for _, history := range histories {
		cost.bytes = append(cost.bytes, c.stateBytes(history))
		for ; events < history; events++ {
			step(int32(events % vocab))
		}
		var times []time.Duration
		for range 1 + min(history/8, 64) {
			start := time.Now()
			step(int32(events % vocab))
			times = append(times, time.Since(start))
			events++
		}
		cost.time = append(cost.time, median(times))
	}
	return cost
}

// measureTraining returns the least time per token of training on one sequence: other
// work on the machine only ever adds to it.
func measureTraining(c *contender, length int) (time.Duration, error) {
	const tries = 3
	k := inductionHeads(length, nil)
	best := time.Duration(0)
	for i := range tries {
		batch := k.batch(1, i, length, 1)
		start := time.Now()
		if _, err := c.fit(batch); err != nil {
			return 0, fmt.Errorf("train %s on one sequence of %d: %w", c.name, length, err)
		}
		if took := time.Since(start); i == 0 || took < best {
			best = took
		}
	}
	return best / time.Duration(length), nil
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
