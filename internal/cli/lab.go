package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/weirstream/weir/internal/lab"
)

// labCmd is weir lab.
type labCmd struct {
	Out   string `help:"Write the report and its figures into DIR (${default})." default:"lab" placeholder:"DIR"`
	Quick bool   `help:"Take seconds: too little for a model to learn, enough to see the experiment at work."`
	Seed  uint64 `help:"What parameters and sequences are drawn with (${default})." default:"1" placeholder:"N"`
}

// Help returns what the help text says below the flags.
func (*labCmd) Help() string {
	return `Shows by experiment why Weir's models are selective state space models. Trains Mamba, a state
space model that does not change with time (S4D), a recurrent network (GRU) and causal
self-attention, of about as many parameters each, on selective copying and induction heads;
asks them at the length of training and at longer ones; and measures what each costs in memory
and time as a stream goes on. Takes a few minutes on two idle cores.

DIR, which is made where it is missing, receives README.md and the figures; files of the same
names are replaced. Progress goes to stderr; the path of the report, when it is done, to stdout.
The same seed gives the same accuracies on the same kind of processor; times are the machine's.

Examples:
  weir lab
  weir lab --out /tmp/lab --quick
  weir lab --seed 2 --out lab-2`
}

// Run measures, and writes the report.
func (c *labCmd) Run(ctx context.Context, std *streams) error {
	if err := os.MkdirAll(c.Out, 0o755); err != nil { // now, not after all the work
		return fmt.Errorf("--out: %w", err)
	}
	result, err := lab.Run(ctx, lab.Options{Quick: c.Quick, Seed: c.Seed, Progress: std.err})
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	report, err := result.Write(c.Out)
	if err != nil {
		return fmt.Errorf("write the report to %s: %w", c.Out, err)
	}
	_, err = fmt.Fprintln(std.out, report)
	return err
}
