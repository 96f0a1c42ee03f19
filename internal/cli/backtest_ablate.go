package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/weirstream/weir/internal/eval"
	"github.com/weirstream/weir/operator"
)

// runAblate runs the operator over the series as it is, and with one part of its scoring
// left out after the other.
func (c *backtestCmd) runAblate(ctx context.Context, b *backtest) error {
	without := append([]operator.Part{0}, operator.Parts...)
	tallies := make([]*eval.Tally, len(without))
	for i, part := range without {
		name := operatorName
		if part != 0 {
			name = "without " + part.String()
		}
		tallies[i] = eval.NewTally(name)
	}
	err := c.each(func(s *eval.Series) error {
		_, _ = fmt.Fprintf(b.std.err, "weir: %s\n", s.Name)
		g, ctx := errgroup.WithContext(ctx)
		for i, part := range without {
			g.Go(func() error {
				cfg := b.cfg
				cfg.Without = part
				run, err := scoreSeries(ctx, b.model, cfg, s)
				if err != nil {
					return err
				}
				// Forecasts are all the same, and speeds of runs side by side say nothing.
				run.Forecasts, run.Took = nil, 0
				return tallies[i].Add(s, run)
			})
		}
		return g.Wait()
	})
	if err != nil {
		return err
	}
	results := make([]eval.Result, len(tallies))
	for i, t := range tallies {
		results[i] = t.Result()
	}
	if c.JSON {
		return json.NewEncoder(b.std.out).Encode(map[string]any{"model": b.model.Tag(), "budget": b.budget, "detectors": results})
	}
	return eval.WriteTable(b.std.out, results)
}
