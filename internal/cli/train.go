package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/operator/builtin"
	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/train"
)

// trainCmd is weir train.
type trainCmd struct {
	From    string   `help:"Start from builtin:NAME, from the model in a directory, or from scratch (${default})." default:"builtin:telemetry-s" placeholder:"MODEL"`
	Out     string   `help:"Write the model to DIR, which must not hold one yet." placeholder:"DIR" required:""`
	Steps   int      `help:"Take at most N steps (400)." placeholder:"N" xor:"length"`
	Minutes float64  `help:"Take as many steps as fit into M minutes here." placeholder:"M" xor:"length"`
	Batch   int      `help:"Windows in a step (${default})." default:"32" placeholder:"N"`
	Window  int      `help:"Events in a window (${default})." default:"512" placeholder:"N"`
	Seed    uint64   `help:"What the windows are drawn with (${default})." default:"1" placeholder:"N"`
	Config  string   `help:"Without files, train on what is in the input topics of this configuration." placeholder:"FILE" short:"c"`
	Set     []string `help:"Set one setting of the configuration; may be repeated." placeholder:"KEY=VALUE" sep:"none"`
	Files   []string `arg:"" optional:"" help:"Telemetry: files of NDJSON or CSV, gzipped or not, or directories of them."`
}

const (
	defaultSteps = 400
	// checkpointEvery is how much work a kill costs at most. There is a checkpoint at
	// every measurement as well.
	checkpointEvery = 15 * time.Second
	checkpointName  = "training.checkpoint"
	// fineRate and scratchRate are the highest learning rates: parameters that
	// already know something need small steps.
	fineRate, scratchRate = 1e-3, 3e-3
)

// Help is shown by weir train --help.
func (*trainCmd) Help() string {
	return `Fits the model to your telemetry, on all cores and without anything but this program. The last
fifth of each stream, in time, is held out: the loss there decides when to stop and which
parameters are kept, and is never better for having been trained on. With the same files, flags
and processor type the model is the same, byte for byte, on any number of cores.

NDJSON files hold events as weir score reads them (.ndjson, .jsonl or .json). CSV files have a
header with a column timestamp (or time, ts, date, datetime: RFC 3339, "2006-01-02 15:04:05", or
Unix seconds or milliseconds) and one column of numbers for each field; an empty cell is no
event. A row that cannot be read is reported with its line number and skipped. Without files, what
the input topics of --config hold at that moment is read instead, from their beginning.

DIR receives config.json and model.safetensors, for model.use or weir score --model; CARD.md, which
says what the model was made of; and loss.png. While it runs it also holds a checkpoint, from which
the same command goes on after an interruption or a kill, to the same bytes.

Examples:

  weir train --out models/web metrics.ndjson
  weir train --config weir.yaml --out models/web
  weir train --minutes 3 --out models/db history/*.csv.gz
  weir train --from scratch --steps 5000 --out models/own history/
  weir score --model models/web < today.ndjson`
}

// Run trains, and writes the model directory.
func (c *trainCmd) Run(ctx context.Context, std *streams) error {
	if err := c.check(); err != nil {
		return err
	}
	start, f, err := c.start()
	if err != nil {
		return err
	}
	data, err := c.telemetry(ctx, std.err)
	if err != nil {
		return err
	}
	series, err := data.series()
	if err != nil {
		return err
	}
	options := train.RunOptions{
		Options: train.Options{Rate: fineRate, Decay: 0.01, Clip: 1, Steps: c.steps()}, Seed: c.Seed, Batch: c.Batch,
	}
	if c.From == "scratch" {
		options.Rate = scratchRate
	}
	run, err := train.NewRun(start, f, train.NewData(start.Dims().NInput, c.Window, operator.Horizons(), series), options)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	if err := c.resume(run, std); err != nil {
		return err
	}
	progress := newProgress(std.err, run)
	if err := c.fit(ctx, run, progress); err != nil {
		return err
	}
	return c.finish(run, data, std)
}

func (c *trainCmd) check() error {
	switch {
	case c.Steps < 0:
		return usageErrorf("--steps is %d, want 1 or more", c.Steps)
	case !(c.Minutes >= 0) || c.Minutes > 1e6:
		return usageErrorf("--minutes is %g, want more than 0", c.Minutes)
	case c.Batch < 1 || c.Batch > 1<<16:
		return usageErrorf("--batch is %d, want 1 to 65536", c.Batch)
	case c.Window < 32 || c.Window > 1<<16:
		return usageErrorf("--window is %d, want 32 to 65536", c.Window)
	}
	if _, err := os.Stat(filepath.Join(c.Out, "model.safetensors")); err == nil {
		return usageErrorf("--out %s already holds a model; name another directory", c.Out)
	}
	return nil
}

// steps is how many steps are asked for; 0 where the time decides.
func (c *trainCmd) steps() int {
	if c.Steps == 0 && c.Minutes == 0 {
		return defaultSteps
	}
	return c.Steps
}

// start returns the model to start from and what its outputs mean.
func (c *trainCmd) start() (*ssm.Model, *train.Forecasts, error) {
	use := c.From
	if use == "scratch" {
		use = "builtin:" + builtin.Names[0] // of its shape
	}
	if _, err := openModel(use); err != nil { // says what is wrong with it, if anything is
		return nil, nil, err
	}
	fsys := os.DirFS(use)
	if name, ok := strings.CutPrefix(use, "builtin:"); ok {
		var err error
		if fsys, err = builtin.Open(name); err != nil {
			return nil, nil, err
		}
	}
	m, err := ssm.Load(fsys)
	if err != nil {
		return nil, nil, err
	}
	f, err := forecastsOf(m)
	if err == nil && c.From == "scratch" {
		m, err = fresh(m, c.Seed)
	}
	return m, f, err
}

// fresh returns a model of m's shape with initial parameters. What m has learnt of
// surprises is nothing the new one knows.
func fresh(m *ssm.Model, seed uint64) (*ssm.Model, error) {
	var extra map[string]json.RawMessage
	if err := json.Unmarshal(m.Extra(), &extra); err != nil {
		return nil, err
	}
	delete(extra, "prior")
	text, err := json.Marshal(extra)
	if err != nil {
		return nil, err
	}
	return ssm.New(m.Dims(), train.Initial(m.Dims(), seed), text)
}

// resume goes on from the checkpoint that a run of the same command has left.
func (c *trainCmd) resume(run *train.Run, std *streams) error {
	path := filepath.Join(c.Out, checkpointName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	err = run.Restore(f, info.Size())
	if err == nil && c.steps() != 0 && run.Planned() != c.steps() {
		err = fmt.Errorf("%w, of %d steps", train.ErrForeign, run.Planned())
	}
	if err != nil {
		return fmt.Errorf("go on from %s: %w; remove it to begin anew", path, err)
	}
	fmt.Fprintf(std.err, "going on at step %d of %d\n", run.Steps(), run.Planned())
	return nil
}

// fit takes the steps. The end of ctx leaves a checkpoint.
func (c *trainCmd) fit(ctx context.Context, run *train.Run, progress *progress) error {
	if run.Planned() == 0 {
		if err := c.plan(run); err != nil {
			return err
		}
	}
	progress.begin()
	saved, measured := time.Now(), len(run.Points())
	for !run.Done() {
		loss, rows, err := run.Step()
		if err != nil {
			return err
		}
		progress.step(loss, rows)
		stopped := ctx.Err() != nil
		if stopped || time.Since(saved) >= checkpointEvery || len(run.Points()) > measured {
			if err := writeWhole(filepath.Join(c.Out, checkpointName), run.Checkpoint); err != nil {
				return fmt.Errorf("write checkpoint: %w", err)
			}
			saved, measured = time.Now(), len(run.Points())
		}
		if stopped {
			return fmt.Errorf("interrupted at step %d; the same command goes on from there", run.Steps())
		}
	}
	progress.end()
	return nil
}

// plan chooses the steps that fit into the minutes, by what one costs.
func (c *trainCmd) plan(run *train.Run) error {
	if err := run.Probe(); err != nil { // not measured: it gets its memory
		return err
	}
	began := time.Now()
	if err := run.Probe(); err != nil {
		return err
	}
	step := time.Since(began).Seconds()
	began = time.Now()
	run.Measure()
	left := c.Minutes*60 - train.Measurements*time.Since(began).Seconds()
	run.Plan(max(int(left/step), train.Measurements))
	return nil
}

// finish writes the model with what belongs to it, and removes the checkpoint.
func (c *trainCmd) finish(run *train.Run, data *telemetryFiles, std *streams) error {
	m, err := run.Model()
	if err != nil {
		return err
	}
	if err := m.Save(c.Out); err != nil {
		return err
	}
	served, err := operator.LoadModel(os.DirFS(c.Out), filepath.Base(c.Out))
	if err != nil {
		return err
	}
	if err := c.writeCard(run, data, served.Tag()); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(c.Out, checkpointName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	before, best := run.Points()[0], run.Best()
	_, err = fmt.Fprintf(std.out, "%s: %s; held-out loss %.4f, was %.4f (step %d of %d)\n",
		c.Out, served.Tag(), best.HeldOut, before.HeldOut, best.Step, run.Steps())
	return err
}
