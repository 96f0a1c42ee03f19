package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/weirstream/weir/internal/eval"
	"github.com/weirstream/weir/internal/eval/synthetic"
)

// runInject measures which injected anomalies are found, by kind: in synthetic streams,
// and in the parts without labels of the given series.
func (c *backtestCmd) runInject(ctx context.Context, b *backtest) error {
	hosts := synthetic.Hosts()
	err := c.each(func(s *eval.Series) error {
		hosts = append(hosts, synthetic.Clean(s)...)
		return nil
	})
	if err != nil {
		return err
	}
	all, err := b.inject(ctx, hosts)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(b.std.out).Encode(map[string]any{"model": b.model.Tag(), "budget": b.budget, "injected": all})
	}
	_, _ = fmt.Fprintf(b.std.out, "%s, alarms under a budget of %s a stream\n", b.model.Tag(), b.budget)
	return eval.WriteInjected(b.std.out, all)
}

// inject runs all detectors over all hosts with all anomalies; the results are grouped
// as WriteInjected wants them.
func (b *backtest) inject(ctx context.Context, hosts []synthetic.Host) ([]eval.Injected, error) {
	var groups []string
	byGroup := make(map[string][]synthetic.Host)
	for _, h := range hosts {
		if byGroup[h.Group] == nil {
			groups = append(groups, h.Group)
		}
		byGroup[h.Group] = append(byGroup[h.Group], h)
	}
	var all []eval.Injected
	for _, group := range groups {
		for _, a := range synthetic.Anomalies {
			found, err := b.injectKind(ctx, byGroup[group], a)
			if err != nil {
				return nil, err
			}
			_, _ = fmt.Fprintf(b.std.err, "weir: %s: %s\n", group, a.Kind)
			all = append(all, found...)
		}
	}
	return all, nil
}

// injectKind runs all detectors over the hosts with one kind of anomaly, a host a core.
func (b *backtest) injectKind(ctx context.Context, hosts []synthetic.Host, a synthetic.Anomaly) ([]eval.Injected, error) {
	var found []eval.Injected
	name := func(detector string) {
		found = append(found, eval.Injected{Group: hosts[0].Group, Kind: a.Kind, Detector: detector})
	}
	if b.operator != nil {
		name(operatorName)
	}
	for _, d := range b.baselines {
		name(d.Name)
	}
	series, runs := make([]*eval.Series, len(hosts)), make([][]*eval.Run, len(hosts))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, h := range hosts {
		if a.Daily && !h.Daily {
			continue
		}
		g.Go(func() (err error) {
			series[i] = a.Inject(h.Series, h.Affected, h.Onset, uint64(i))
			runs[i], err = b.runAll(ctx, series[i])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, s := range series {
		for d, run := range runs[i] {
			found[d].AddRun(s, run, b.cfg.FalseAlarms)
		}
	}
	if found[0].Series == 0 {
		return nil, nil
	}
	return found, nil
}

// runAll runs all detectors over a series, the operator first.
func (b *backtest) runAll(ctx context.Context, s *eval.Series) ([]*eval.Run, error) {
	var runs []*eval.Run
	if b.operator != nil {
		run, err := scoreSeries(ctx, b.model, b.cfg, s)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	for _, d := range b.baselines {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		runs = append(runs, eval.Baseline(d, b.cfg.FalseAlarms, s))
	}
	return runs, nil
}
