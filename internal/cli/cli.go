// Package cli is the weir command: one file a subcommand, and the only place that builds
// the parts and puts them together.
//
// A subcommand is a struct: its fields are flags and arguments (read by kong), its Help
// method returns the text below the flags, and its Run method does the work. Run gets the
// context, which ends at the first SIGTERM or SIGINT, and the *streams. What it prints to
// streams.out is data that another program may read; everything for people goes to
// streams.err. It returns an error, never an exit code: [exitCode] knows those.
//
// To add a subcommand, write its file and a field in [commands].
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/ssm"
)

// commands is the command line.
type commands struct {
	Verify     verifyCmd     `cmd:"" help:"Compare a model with what another implementation computed."`
	VerifyLog  verifyLogCmd  `cmd:"" help:"Compute a topic's scores again and compare them with the output topic."`
	Run        runCmd        `cmd:"" help:"Score the events of Kafka topics, until stopped."`
	Demo       demoCmd       `cmd:"" help:"Show the operator at work, with an embedded Kafka and Redis."`
	Score      scoreCmd      `cmd:"" help:"Score events from standard input, without Kafka and Redis."`
	Train      trainCmd      `cmd:"" help:"Fit a model to your own telemetry."`
	Backtest   backtestCmd   `cmd:"" help:"Measure the operator and simple detectors on labelled files."`
	Bench      benchCmd      `cmd:"" help:"Measure the operator on this machine, beside what the machine could do at most."`
	Lab        labCmd        `cmd:"" help:"Compare selective state space models with what else there is, by experiment."`
	Validate   validateCmd   `cmd:"" help:"Check a configuration and report everything wrong with it."`
	DemoWorker demoWorkerCmd `cmd:"" hidden:""`
	Version    versionCmd    `cmd:"" help:"Print what this binary was built from."`
}

const description = `Score every event of every stream, with one small state space model per stream.

Weir reads events from Kafka, advances the stream's own model by one step for each, and
writes a forecast and a calibrated anomaly score back. The states live in Redis and have a
fixed size, however long a stream runs.`

// streams is the process's input and output.
type streams struct {
	in  io.Reader
	out io.Writer // data
	err io.Writer // logs and progress
}

// Exit codes.
const (
	exitOK      = 0
	exitRuntime = 1
	exitUsage   = 2
	exitInvalid = 3 // configuration or model
)

// errUsage is wrapped by errors about how a subcommand was called.
var errUsage = errors.New("usage")

// usageErrorf returns an error that exits with code 2.
func usageErrorf(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

type usageError struct{ error }

func (e *usageError) Is(target error) bool { return target == errUsage }
func (e *usageError) Unwrap() error        { return e.error }

// Main runs the command line args, without the program's name, and returns the exit code.
// The end of ctx asks the subcommand to finish what it holds and return.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	std := &streams{in: stdin, out: stdout, err: stderr}
	if len(args) == 0 {
		std.out = stderr // asked for by nobody: no data
		run(ctx, []string{"--help"}, std)
		return exitUsage
	}
	return run(ctx, args, std)
}

func run(ctx context.Context, args []string, std *streams) int {
	answered := false // by --help: kong goes on parsing after it
	parser, err := kong.New(&commands{},
		kong.Name("weir"),
		kong.Description(description),
		kong.Writers(std.out, std.err),
		kong.Exit(func(int) { answered = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 90}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		panic(err) // the struct tags are wrong
	}
	command, err := parser.Parse(args)
	if answered {
		return exitOK
	}
	if err != nil {
		return fail(std, fmt.Errorf("%w\nTry weir --help", err), exitUsage)
	}
	if err := command.Run(); err != nil {
		return fail(std, err, exitCode(err))
	}
	return exitOK
}

// fail tells the user of err and returns code.
func fail(std *streams, err error, code int) int {
	_, _ = fmt.Fprintf(std.err, "weir: %v\n", err) // nowhere is left to report a failure to
	return code
}

func exitCode(err error) int {
	switch {
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, config.ErrInvalid), errors.Is(err, ssm.ErrModel):
		return exitInvalid
	default:
		return exitRuntime
	}
}

// configFlags is embedded by every subcommand that works on a configuration.
type configFlags struct {
	Config string   `help:"Read the configuration from FILE; without it, only from WEIR_ variables and --set." placeholder:"FILE" short:"c"`
	Set    []string `help:"Set one setting, such as state.store=memory; may be repeated, and wins over file and environment." placeholder:"KEY=VALUE" sep:"none"`
}

// load returns the configuration, or an error that exits with code 3.
func (f *configFlags) load() (config.Config, error) {
	return config.Load(f.Config, config.Overrides{Environ: os.Environ(), Set: f.Set})
}
