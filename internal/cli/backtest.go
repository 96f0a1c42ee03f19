package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/internal/eval"
	"github.com/weirstream/weir/internal/eval/detector"
	"github.com/weirstream/weir/operator"
)

// backtestCmd is weir backtest.
type backtestCmd struct {
	configFlags
	Model  string   `help:"Score with MODEL, builtin:NAME or a directory; overrides model.use." placeholder:"MODEL"`
	Labels string   `help:"Labelled windows of the files, as in NAB's combined_windows.json." placeholder:"FILE"`
	Out    string   `help:"Write report.html, report.md and a plot of each file to DIR." placeholder:"DIR" xor:"what"`
	Only   []string `help:"Run only these detectors, such as weir,\"Gaussian z\"." placeholder:"NAME" xor:"only"`
	JSON   bool     `help:"Print the results as JSON."`

	Budgets bool `help:"Measure how many false alarms there are, at budgets from 1/1h to 1/90d." xor:"what,only"`
	Inject  bool `help:"Put anomalies of several kinds into clean streams, and measure which are found." xor:"what"`
	Ablate  bool `help:"Measure what each part of the scoring is worth, by leaving it out." xor:"what,only"`

	Files []string `arg:"" optional:"" help:"CSV files, gzipped or not, or directories of them; without any, builtin:sample."`
}

// operatorName is what the operator is called among detectors.
const operatorName = "weir"

// builtinSample is the name of the bundled telemetry.
const builtinSample = "builtin:sample"

// Help is shown by weir backtest --help.
func (*backtestCmd) Help() string {
	return `Runs the operator, the same code as weir score, and simple detectors over labelled files, each
file as one stream that was never seen before, and prints how well each finds the incidents. All
are strictly online: a score depends on no later event and on no statistic of the file.

A file is a table with a header: a column timestamp (or time, ts, date, datetime; without one, rows
come once a minute) and one column of numbers for each field. Incidents are in a column label, 1 or
0, or in the file named by --labels, which maps the end of a file's path to windows of time. Rows
must be in time order; an empty cell is a missing value.

NAB's score takes the threshold that is best for the labels, so do the best F1 and, over all
thresholds, the areas. Precision, recall, delay and false alarms a stream and week are those of
the threshold that follows from scoring.budget. docs/detection.md explains them.

--budgets measures instead, at budgets from 1/1h to 1/90d, how many false alarms the operator
raises on synthetic streams in which nothing happens, and outside of the labels of the files.
--inject puts anomalies of several kinds into synthetic streams and into the parts of the files
without labels, and measures which of them each detector finds, and after how many events.
With either, a file without labels is taken to have no incidents.
--ablate runs the operator alone, as it is and with one part of its scoring left out after the
other: what a figure loses is what the part is worth.

Examples:

  weir backtest
  weir backtest --labels NAB/labels/combined_windows.json NAB/data --out nab
  weir backtest --only weir --json --set scoring.budget=1/1d machine-*.csv.gz`
}

// load returns the configuration. What only Kafka and the store need is filled in.
func (c *backtestCmd) load() (config.Config, error) {
	set := append([]string{}, c.Set...)
	if c.Model != "" {
		set = append(set, "model.use="+c.Model)
	}
	set = append(set, "kafka.brokers=unused:0", "input.topics=files", "state.store=memory")
	return config.Load(c.Config, config.Overrides{Environ: os.Environ(), Set: set})
}

// Run measures, and prints the table.
func (c *backtestCmd) Run(ctx context.Context, std *streams) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	model, err := openModel(cfg.Model.Use)
	if err != nil {
		return err
	}
	b := &backtest{model: model, cfg: operatorConfig(cfg), budget: fmt.Sprint(cfg.Scoring.Budget), out: c.Out, std: std}
	if err := b.choose(c.Only); err != nil {
		return err
	}
	if c.Out != "" {
		if err := os.MkdirAll(c.Out, 0o755); err != nil {
			return err
		}
	}
	switch {
	case c.Ablate:
		return c.runAblate(ctx, b)
	case c.Budgets:
		return c.runBudgets(ctx, b)
	case c.Inject:
		return c.runInject(ctx, b)
	}
	if err := c.each(func(s *eval.Series) error { return b.add(ctx, s) }); err != nil {
		return err
	}
	results := b.results()
	if c.Out != "" {
		if err := b.writeReport(results); err != nil {
			return err
		}
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(map[string]any{
			"model": model.Tag(), "budget": b.budget, "files": len(b.seen), "detectors": results,
		})
	}
	return eval.WriteTable(std.out, results)
}

// each gives every series to f, one at a time.
func (c *backtestCmd) each(f func(*eval.Series) error) error {
	if len(c.Files) == 0 || slices.Equal(c.Files, []string{builtinSample}) {
		if c.Labels != "" {
			return usageErrorf("--labels %s: name the files that it is of; the bundled telemetry has its own labels", c.Labels)
		}
		all, err := sampleSeries()
		if err != nil {
			return err
		}
		for _, s := range all {
			if err := f(s); err != nil {
				return err
			}
		}
		return nil
	}
	labels, err := readLabels(c.Labels)
	if err != nil {
		return err
	}
	files, err := tables(c.Files)
	if err != nil {
		return err
	}
	if err := labels.check(c.Labels, files); err != nil {
		return err
	}
	for _, file := range files {
		s, err := readSeries(file, labels, c.Budgets || c.Inject)
		if err != nil {
			return err
		}
		if err := f(s); err != nil {
			return err
		}
	}
	return nil
}

// A backtest is one under way.
type backtest struct {
	model  *operator.Model
	cfg    operator.Config
	budget string // of false alarms
	out    string
	std    *streams

	operator  *eval.Tally // nil if it is not wanted
	baselines []detector.Baseline
	tallies   []*eval.Tally // of the baselines
	seen      []string      // names of the series
	page      eval.Page     // of the operator, where there is an out
}

// choose picks the detectors of the given names, all if there are none.
func (b *backtest) choose(only []string) error {
	known := []string{operatorName}
	wanted := func(name string) bool { return len(only) == 0 || slices.Contains(only, name) }
	if wanted(operatorName) {
		b.operator = eval.NewTally(operatorName)
	}
	for _, d := range detector.Baselines {
		known = append(known, d.Name)
		if wanted(d.Name) {
			b.baselines = append(b.baselines, d)
			b.tallies = append(b.tallies, eval.NewTally(d.Name))
		}
	}
	for _, name := range only {
		if !slices.Contains(known, name) {
			return usageErrorf("--only %q: there is no such detector; there are %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// add runs all detectors over a series.
func (b *backtest) add(ctx context.Context, s *eval.Series) error {
	if slices.Contains(b.seen, s.Name) {
		return fmt.Errorf("two files are called %s: rename one", s.Name)
	}
	b.seen = append(b.seen, s.Name)
	_, _ = fmt.Fprintf(b.std.err, "weir: %s: %d events, %d fields, %d incidents\n", s.Name, len(s.Times), len(s.Fields), len(s.Labels))
	if b.operator != nil {
		run, err := scoreSeries(ctx, b.model, b.cfg, s)
		if err != nil {
			return err
		}
		if err := b.operator.Add(s, run); err != nil {
			return err
		}
		if b.out != "" {
			if err := eval.WritePlot(filepath.Join(b.out, plotName(s.Name)), s, run); err != nil {
				return err
			}
			b.page.Add(s, run)
		}
	}
	for i, d := range b.baselines {
		if err := ctx.Err(); err != nil {
			return err
		}
		run := eval.Baseline(d, b.cfg.FalseAlarms, s)
		eval.PointForecasts(d, s, run)
		if err := b.tallies[i].Add(s, run); err != nil {
			return err
		}
	}
	return nil
}

func plotName(series string) string { return strings.ReplaceAll(series, "/", "_") + ".png" }

// results are those of all detectors, the operator's first.
func (b *backtest) results() []eval.Result {
	var all []eval.Result
	if b.operator != nil {
		all = append(all, b.operator.Result())
	}
	for _, t := range b.tallies {
		all = append(all, t.Result())
	}
	return all
}

// writePage writes report.html.
func (b *backtest) writePage(results []eval.Result) error {
	f, err := os.Create(filepath.Join(b.out, "report.html"))
	if err != nil {
		return err
	}
	defer f.Close()
	b.page.Model, b.page.Budget = b.model.Tag(), b.budget
	if err := b.page.Write(f, results); err != nil {
		return err
	}
	return f.Close()
}

// writeReport writes report.html, and report.md beside the plots.
func (b *backtest) writeReport(results []eval.Result) error {
	if err := b.writePage(results); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(b.out, "report.md"))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "# Backtest of %s\n\n%d files; alarms under a budget of %s a stream.\n\n", b.model.Tag(), len(b.seen), b.budget)
	if err == nil {
		err = eval.WriteTable(f, results)
	}
	if err == nil {
		_, err = fmt.Fprint(f, "\n## VUS-PR by file\n\n")
	}
	if err == nil {
		err = eval.WriteSeriesTable(f, results)
	}
	if b.operator != nil {
		for _, name := range b.seen {
			if err == nil {
				_, err = fmt.Fprintf(f, "\n## %s\n\n![%s](%s)\n", name, name, plotName(name))
			}
		}
	}
	if err != nil {
		return err
	}
	return f.Close()
}
