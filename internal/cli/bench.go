package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weirstream/weir/internal/bench"
	"github.com/weirstream/weir/operator/builtin"
	"github.com/weirstream/weir/ssm"
)

// benchCmd is weir bench.
type benchCmd struct {
	For  time.Duration `help:"Measure for DURATION (${default}); a busy machine needs longer." default:"10s" placeholder:"DURATION"`
	JSON bool          `help:"Print one JSON object instead of tables."`
	Out  string        `help:"Draw the rates beside their limits into FILE, a PNG." placeholder:"FILE"`
}

// Help returns what the help text says below the flags.
func (*benchCmd) Help() string {
	return `Measures on one core of this machine, without Kafka and Redis:

  - the peaks: fused multiply-adds, exponentials, main memory updated in place;
  - steps a second of a model of d_model 64, two layers, d_state 16, and of the built-in model:
    256 streams whose states a cache holds, 20,000 streams in random order whose states are in
    main memory, and one stream alone; each beside the most that the peaks allow;
  - events a second that the operator scores with the built-in model, from decoded event to result.

Everything is measured in turns in short bursts, and the best burst counts, so that other work
on the machine disturbs little. Takes 1 GB of memory and a few seconds more than --for. Progress
goes to stderr.

Examples:
  weir bench
  weir bench --for 30s --out rates.png
  weir bench --json | jq '.steps[] | {model, batch, states, of_limit}'`
}

// Run measures and prints.
func (c *benchCmd) Run(ctx context.Context, std *streams) error {
	if c.For <= 0 || c.For > time.Minute {
		return usageErrorf("--for is %v, want more than 0s and at most 1m", c.For)
	}
	model, err := openModel("builtin:" + builtin.Names[0])
	if err != nil {
		return err
	}
	fsys, err := builtin.Open(builtin.Names[0])
	if err != nil {
		return err
	}
	core, err := ssm.Load(fsys)
	if err != nil {
		return err
	}
	r, err := bench.Run(ctx, bench.Options{For: c.For, Builtin: model, Core: core, Progress: std.err})
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if c.Out != "" {
		if err := drawBench(r, c.Out); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(r)
	}
	return printBench(std.out, r)
}

func drawBench(r *bench.Report, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := r.Draw(f); err != nil {
		_ = f.Close() // the first error says more
		return err
	}
	return f.Close()
}

func printBench(out io.Writer, r *bench.Report) error {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "%s, %d cores, %s, %s, %s kernels\n", m.CPU, m.Cores, m.System, m.Go, m.Kernel)
	fmt.Fprintf(&b, "peaks of one core: %.0f GFLOPS, %.1f Gexp/s, %.0f GB/s\n\n", m.GFLOPS, m.Gexp, m.GBs)
	b.WriteString("MODEL\tBATCH\tSTREAMS\tSTATES IN\tSTEPS/S\tLIMIT\tOF LIMIT\tALLOCS\n")
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "%s\t%d\t%d\t%s\t%.0f\t%.0f\t%.0f%%\t%.3g\n",
			s.Model, s.Batch, s.Streams, s.States, s.Rate, s.Limit, 100*s.OfLimit, s.Allocs)
	}
	b.WriteString("\nOPERATOR\tBATCH\tSTREAMS\t\tEVENTS/S\t\t\tALLOCS\n")
	for _, o := range r.Operator {
		fmt.Fprintf(&b, "built-in\t%d\t%d\t\t%.0f\t\t\t%.3g\n", o.Batch, o.Streams, o.Rate, o.Allocs)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return w.Flush()
}
