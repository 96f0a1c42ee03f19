// Package bench measures Weir on the machine it runs on: how many steps a second one
// core takes beside what it could take at most, and how many events a second the
// operator scores.
//
// Everything is measured in short bursts, taken in turns, and the best burst counts.
// On a machine that does other work as well, the best is what repeats.
package bench

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/roofline"
)

// Options says what to measure.
type Options struct {
	// For is how long to measure, preparation not counted.
	For time.Duration
	// Builtin is the model that the operator runs with; Core is its network.
	Builtin *operator.Model
	Core    *ssm.Model
	// Progress receives a line as the work goes on.
	Progress io.Writer
}

// A Report is what was measured. Rates are those of one core.
type Report struct {
	Machine  Machine        `json:"machine"`
	Steps    []StepRate     `json:"steps"`
	Operator []OperatorRate `json:"operator"`
	Rounds   int            `json:"rounds"`
}

// A Machine is what the rates were measured on, with its peaks.
type Machine struct {
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	System string  `json:"system"`
	Go     string  `json:"go"`
	Kernel string  `json:"kernel"`     // generic, avx2 or avx512
	GFLOPS float64 `json:"gflops"`     // fused multiply-adds, two operations each
	Gexp   float64 `json:"gexp_per_s"` // exponentials
	GBs    float64 `json:"gb_per_s"`   // main memory, read and written
}

// A StepRate is the speed of the model's step in one situation.
type StepRate struct {
	Model   string  `json:"model"`
	Batch   int     `json:"batch"`
	Streams int     `json:"streams"`
	States  string  `json:"states"` // cache or memory
	Rate    float64 `json:"steps_per_s"`
	Limit   float64 `json:"limit_per_s"`
	OfLimit float64 `json:"of_limit"`
	Allocs  float64 `json:"allocs_per_step"`
}

// An OperatorRate is the speed of everything between a decoded event and its scores.
type OperatorRate struct {
	Batch   int     `json:"batch"`
	Streams int     `json:"streams"`
	Rate    float64 `json:"events_per_s"`
	Allocs  float64 `json:"allocs_per_event"`
}

// A burst is something that can be measured again and again.
type burst interface {
	// warm brings into the caches what is to be there.
	warm(ctx context.Context) error
	// run does less than a millisecond of work and returns how much it was.
	run(ctx context.Context) (units int, err error)
}

// A best is the best burst of many.
type best struct {
	rate   float64 // units a second
	allocs float64 // a unit, the fewest
}

// take runs b once and keeps what is better.
func (m *best) take(ctx context.Context, b burst) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := b.warm(ctx); err != nil {
		return err
	}
	began := time.Now()
	n, err := b.run(ctx)
	if err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	runtime.ReadMemStats(&after)
	allocs := float64(after.Mallocs-before.Mallocs) / float64(n)
	if m.rate == 0 || allocs < m.allocs {
		m.allocs = allocs
	}
	m.rate = max(m.rate, float64(n)/took)
	return nil
}

// Run measures until o.For has passed or ctx ends, in which case the error is its.
func Run(ctx context.Context, o Options) (*Report, error) {
	o.say("preparing: %d streams of each model in memory", coldStreams)
	meter := roofline.NewMeter()
	steps, err := stepCases(o.Core)
	if err != nil {
		return nil, err
	}
	players, err := newPlayers(ctx, o.Builtin)
	if err != nil {
		return nil, err
	}
	var all []burst
	for _, c := range steps {
		all = append(all, c)
	}
	for _, p := range players {
		all = append(all, p)
	}
	bests, rounds, err := o.measure(ctx, meter, all)
	if err != nil {
		return nil, err
	}
	r := &Report{Machine: machine(meter.Peaks()), Rounds: rounds}
	for i, c := range steps {
		r.Steps = append(r.Steps, c.rate(bests[i], meter.Peaks()))
	}
	for i, p := range players {
		r.Operator = append(r.Operator, p.rate(bests[len(steps)+i]))
	}
	return r, nil
}

// burstsARound is how often each burst is taken for one sample of the peaks, which
// takes longer than a burst.
const burstsARound = 4

// minRounds are the samples of each peak on a machine that is too busy for more.
const minRounds = 10

// measure takes bursts of each in turn.
func (o *Options) measure(ctx context.Context, meter *roofline.Meter, all []burst) ([]best, int, error) {
	bests, rounds := make([]best, len(all)), 0
	began := time.Now()
	for told := began; rounds < minRounds || time.Since(began) < o.For; rounds++ {
		meter.Measure()
		for i := range burstsARound * len(all) {
			i %= len(all)
			if err := cmp.Or(ctx.Err(), bests[i].take(ctx, all[i])); err != nil {
				return nil, 0, err
			}
		}
		if time.Since(told) > 2*time.Second {
			told = time.Now()
			o.say("measuring: %.0f of %.0f s", time.Since(began).Seconds(), o.For.Seconds())
		}
	}
	return bests, rounds, nil
}

func (o *Options) say(format string, args ...any) {
	_, _ = fmt.Fprintf(o.Progress, format+"\n", args...)
}

func machine(p roofline.Peaks) Machine {
	return Machine{
		CPU: cpuName(), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
		Kernel: p.Kernel, GFLOPS: p.FMA / 1e9, Gexp: p.Exp / 1e9, GBs: p.Memory / 1e9,
	}
}

// cpuName is what the operating system calls the processor, as far as it says.
func cpuName() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
