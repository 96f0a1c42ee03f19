package lab

import (
	"context"
	"fmt"

	"github.com/weirstream/weir/ssm/train"
)

// A score is how well a model learnt a task.
type score struct {
	task, model string
	steps       int     // taken
	loss        float64 // mean of the last steps
	accuracy    []float64
}

const (
	// window is the number of steps over which the loss is judged.
	window = 50
	// solved is the mean loss below which training stops: the right answer has a
	// probability of 99 %.
	solved = 0.01
	// evaluation keeps the sequences of accuracies apart from those of training.
	evaluation = 1 << 32
)

// learn trains c on k until it is solved or the steps are used up.
func (r *Result) learn(ctx context.Context, p *progress, k *task, c *contender) (score, error) {
	s := score{task: k.name, model: c.name}
	var recent [window]float64
	for s.steps < r.plan.train.Steps {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		loss, err := c.fit(k.batch(r.options.Seed, s.steps, k.length, r.plan.batch))
		if err != nil {
			return s, fmt.Errorf("train %s on %s: %w", c.name, k.name, err)
		}
		recent[s.steps%window] = loss
		s.steps++
		s.loss = mean(recent[:min(s.steps, window)])
		p.tell(c.name+", "+k.name, s.steps, r.plan.train.Steps, s.loss)
		if s.steps >= window && s.loss < solved {
			break
		}
	}
	for _, length := range k.lengths {
		s.accuracy = append(s.accuracy, accuracy(c, k.batch(r.options.Seed+evaluation, length, length, r.plan.examples)))
	}
	p.finish("%s, %s: %.0f %% right at the length of training, after %d steps", c.name, k.name, 100*s.accuracy[0], s.steps)
	return s, nil
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// accuracy is the share of labels that get the greatest logit.
func accuracy(c *contender, windows []train.Window) float64 {
	right, all := 0, 0
	for _, w := range windows {
		logits := c.logits(w.Tokens)
		for t, label := range w.Labels {
			if label < 0 {
				continue
			}
			all++
			if greatest(logits[t*vocab:][:vocab]) == int(label) {
				right++
			}
		}
	}
	return float64(right) / float64(all)
}

func greatest(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
