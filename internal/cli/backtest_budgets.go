package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/internal/eval"
	"github.com/weirstream/weir/internal/eval/synthetic"
	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/statestore"
)

const (
	hour = time.Hour
	day  = 24 * hour
	// perStream is how many alarms the budget allows each null stream in all: so many
	// that chance alone keeps 97% of streams within a factor of 2.
	perStream = 10
	// leastEvents is how long a null stream is at least, and nullSeeds how many there
	// are of each kind and gap.
	leastEvents, nullSeeds = 10_000, 2
	// settled is how many events of a stream do not count: it is too young for alarms.
	settled = 64
	// young is how many events, after those, a stream's past is short.
	young = 1000
)

// A measuredBudget is a budget with the distances of events it is measured at.
type measuredBudget struct {
	config.Budget
	gaps [2]time.Duration
}

// measuredBudgets are what --budgets measures. The rarer the alarms, the longer the
// streams and the fewer their events, so that each takes a minute at most.
var measuredBudgets = []measuredBudget{
	{config.Budget{Alarms: 1, Per: hour}, [2]time.Duration{time.Minute, 5 * time.Minute}},
	{config.Budget{Alarms: 1, Per: day}, [2]time.Duration{time.Minute, 5 * time.Minute}},
	{config.Budget{Alarms: 1, Per: 7 * day}, [2]time.Duration{time.Minute, 5 * time.Minute}},
	{config.Budget{Alarms: 1, Per: 30 * day}, [2]time.Duration{5 * time.Minute, 15 * time.Minute}},
	{config.Budget{Alarms: 1, Per: 90 * day}, [2]time.Duration{5 * time.Minute, 15 * time.Minute}},
}

// runBudgets measures false alarms against budgets: on null streams, and on the parts
// without labels of the given series.
func (c *backtestCmd) runBudgets(ctx context.Context, b *backtest) error {
	nulls, err := b.nullRates(ctx)
	if err != nil {
		return err
	}
	var data []eval.Rate
	for _, m := range measuredBudgets {
		data = append(data, eval.Rate{Budget: m.String()})
	}
	err = c.each(func(s *eval.Series) error {
		for i, m := range measuredBudgets {
			cfg := b.cfg
			cfg.FalseAlarms = m.PerSecond()
			run, err := scoreSeries(ctx, b.model, cfg, s)
			if err != nil {
				return err
			}
			n, seconds := eval.FalseEpisodes(s, run, m.Per, settled)
			data[i].Streams = append(data[i].Streams, eval.CleanStream{
				Kind: s.Name, Alarms: n, Expected: seconds * m.PerSecond(), Seconds: seconds,
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(b.std.out).Encode(map[string]any{"model": b.model.Tag(), "nulls": nulls, "data": data})
	}
	_, _ = fmt.Fprintf(b.std.out, "False alarms of %s on synthetic streams in which nothing happens:\n\n", b.model.Tag())
	if err := eval.WriteRates(b.std.out, nulls); err != nil {
		return err
	}
	_, _ = fmt.Fprint(b.std.out, "\nFalse alarms outside of the labels of the data:\n\n")
	return eval.WriteRates(b.std.out, data)
}

// nullRates measures all budgets on the null streams, two at a time.
func (b *backtest) nullRates(ctx context.Context) ([]eval.Rate, error) {
	rates := make([]eval.Rate, len(measuredBudgets))
	for i, m := range measuredBudgets {
		rates[i].Budget = m.String()
		var parts [2][]eval.CleanStream
		g, ctx := errgroup.WithContext(ctx)
		for k, gap := range m.gaps {
			g.Go(func() (err error) {
				n := max(int(perStream*m.Per/gap)+settled, leastEvents)
				parts[k], err = b.scoreNulls(ctx, m.Budget, gap, n, uint64(k))
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		rates[i].Streams = append(parts[0], parts[1]...)
		sum := rates[i].Total()
		_, _ = fmt.Fprintf(b.std.err, "weir: %s: %d false alarms, %.0f expected\n", rates[i].Budget, sum.Alarms, sum.Expected)
	}
	return rates, nil
}

// A nullStream is one under way.
type nullStream struct {
	key    []byte
	kind   string
	next   func() (int64, float64)
	times  []int64
	alarms []bool
}

// scoreNulls runs streams of all kinds, of n events each, side by side through one operator.
func (b *backtest) scoreNulls(ctx context.Context, budget config.Budget, gap time.Duration, n int, seed uint64) ([]eval.CleanStream, error) {
	var streams []*nullStream
	for _, null := range synthetic.Nulls {
		for k := range uint64(nullSeeds) {
			s := &nullStream{kind: null.Name, next: null.Stream(nullSeeds*seed+k, gap)}
			s.key = fmt.Appendf(nil, "%s/%d", s.kind, k)
			streams = append(streams, s)
		}
	}
	cfg := b.cfg
	cfg.FalseAlarms = budget.PerSecond()
	cfg.MaxStreams = len(streams)
	op := operator.New(b.model, statestore.NewMemory(), statestore.Partition{Group: "backtest", Topic: "nulls"}, statestore.Token{}, cfg)
	if _, err := op.Claim(ctx, nil); err != nil {
		return nil, err
	}
	events := make([]operator.Event, len(streams))
	values := make([]operator.Field, len(streams))
	for row := range n {
		for i, s := range streams {
			at, x := s.next()
			values[i].Value = x
			events[i] = operator.Event{Stream: s.key, Offset: int64(row*len(streams) + i), Time: at, Fields: values[i : i+1]}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		result, err := op.Apply(ctx, events)
		if err != nil {
			return nil, err
		}
		for i := range result.Predictions {
			if row >= settled {
				streams[i].times = append(streams[i].times, events[i].Time)
				streams[i].alarms = append(streams[i].alarms, result.Predictions[i].IsAnomaly)
			}
		}
	}
	counts := make([]eval.CleanStream, len(streams))
	for i, s := range streams {
		counts[i] = s.count(budget)
	}
	return counts, nil
}

func (s *nullStream) count(budget config.Budget) eval.CleanStream {
	episodes := eval.Episodes(s.times, s.alarms, budget.Per)
	allowed := func(events int) float64 { return float64(s.times[events-1]-s.times[0]) / 1000 * budget.PerSecond() }
	n := len(s.times)
	c := eval.CleanStream{
		Kind: s.kind, Alarms: len(episodes), Expected: allowed(n), Seconds: float64(s.times[n-1]-s.times[0]) / 1000,
		EarlyExpected: allowed(min(young, n)),
	}
	for _, e := range episodes {
		if e.First < young {
			c.EarlyAlarms++
		}
	}
	return c
}
