package lab

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/weirstream/weir/ssm/train"
)

// Options say what Run does.
type Options struct {
	Quick    bool      // seconds: too little to learn, enough to see it work
	Seed     uint64    // of parameters and sequences
	Progress io.Writer // a line now and then
}

// A Result is what the experiments found.
type Result struct {
	options Options
	plan    plan
	models  []contender
	scores  []score
	steps   []stepCost
	trains  []trainCost
	took    time.Duration
}

// A plan is the sizes of the experiments.
type plan struct {
	tasks     []task
	train     train.Options
	batch     int // sequences in a step
	examples  int // sequences that an accuracy is taken over, at each length
	histories []int
	lengths   []int // of the sequences whose training is timed
}

func planFor(quick bool) plan {
	p := plan{
		tasks: []task{
			selectiveCopying(4, 64, []int{64, 128, 256, 512, 1024}),
			inductionHeads(64, []int{64, 128, 256, 512, 1024}),
		},
		train:     train.Options{Rate: 4e-3, Clip: 1, Steps: 1500},
		batch:     32,
		examples:  64,
		histories: []int{1, 16, 64, 256, 1024, 4096},
		lengths:   []int{64, 256, 1024, 2048},
	}
	if quick {
		p.train.Steps, p.batch, p.examples = 10, 8, 4
		p.histories, p.lengths = []int{1, 16, 256}, []int{64, 256}
		for i := range p.tasks {
			p.tasks[i].lengths = p.tasks[i].lengths[:2]
		}
	}
	return p
}

// Run trains and measures, until done or ctx ends, whose error it then returns.
func Run(ctx context.Context, o Options) (*Result, error) {
	return run(ctx, o, planFor(o.Quick))
}

func run(ctx context.Context, o Options, p plan) (*Result, error) {
	start := time.Now()
	r := &Result{options: o, plan: p}
	// Times first: they are short, and tell whether the machine is busy.
	if err := r.measureCosts(ctx); err != nil {
		return nil, err
	}
	told := newProgress(o.Progress, len(r.plan.tasks)*len(r.models))
	for i := range r.plan.tasks {
		k := &r.plan.tasks[i]
		models, err := contenders(k.vocab, r.plan.train, o.Seed)
		if err != nil {
			return nil, err
		}
		for j := range models {
			s, err := r.learn(ctx, told, k, &models[j])
			if err != nil {
				return nil, err
			}
			r.scores = append(r.scores, s)
		}
	}
	r.took = time.Since(start)
	return r, nil
}

// A progress tells which experiment runs, how far it is and how long all take yet.
type progress struct {
	out         io.Writer
	start, last time.Time
	parts, done int // trainings
}

func newProgress(out io.Writer, parts int) *progress {
	return &progress{out: out, start: time.Now(), parts: parts}
}

// tell writes a line, at most one every two seconds. It holds trainings for equally
// long, which the time left is a guess for.
func (p *progress) tell(what string, step, steps int, loss float64) {
	if time.Since(p.last) < 2*time.Second {
		return
	}
	p.last = time.Now()
	share := (float64(p.done) + float64(step)/float64(steps)) / float64(p.parts)
	left := time.Duration(float64(time.Since(p.start)) * (1 - share) / max(share, 1e-3))
	_, _ = fmt.Fprintf(p.out, "[%d/%d] %s: step %d of at most %d, loss %.3f, about %v left\n",
		p.done+1, p.parts, what, step, steps, loss, left.Round(time.Second))
}

func (p *progress) finish(format string, args ...any) {
	p.done++
	_, _ = fmt.Fprintf(p.out, "[%d/%d] %s\n", p.done, p.parts, fmt.Sprintf(format, args...))
}
