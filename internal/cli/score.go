package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/statestore"
)

type scoreCmd struct {
	configFlags
	Model  string `help:"Score with MODEL, builtin:NAME or a directory; overrides model.use." placeholder:"MODEL"`
	State  string `help:"Go on from the states in FILE, and keep them there at the end." placeholder:"FILE"`
	Strict bool   `help:"Fail on the first line that is no event."`
}

// Help is shown by weir score --help.
func (*scoreCmd) Help() string {
	return `Reads events from standard input, one JSON object a line, and writes a score for each to standard
output, in the same order, with the same operator that weir run uses. Neither Kafka nor Redis is
needed. A line that is no event is reported with its number and skipped.

With --state, a file of events may be scored piece by piece: the output is the same, byte for byte.
Lines are then counted through all pieces. States are kept when the input ends, or where a first
SIGTERM or SIGINT ends it. A call that fails or is killed has changed nothing: its piece may be
scored again.

Examples:

  weir score < events.ndjson > scores.ndjson
  tail -f metrics.ndjson | weir score | jq 'select(.is_anomaly)'
  weir score --state cpu.weir < monday.ndjson; weir score --state cpu.weir < tuesday.ndjson`
}

// load returns the configuration. What only Kafka needs is filled in, since nobody asks.
func (c *scoreCmd) load() (config.Config, error) {
	set := append([]string{}, c.Set...)
	if c.Model != "" {
		set = append(set, "model.use="+c.Model)
	}
	set = append(set, "kafka.brokers=unused:0", "input.topics=stdin", "output.scores.topic=stdout", "output.dlq.topic=stderr")
	if c.State == "" {
		set = append(set, "state.store=memory")
	} else {
		set = append(set, "state.store=file", "state.file.path="+c.State)
	}
	return config.Load(c.Config, config.Overrides{Environ: os.Environ(), Set: set})
}

// Run scores standard input.
func (c *scoreCmd) Run(ctx context.Context, std *streams) (err error) {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	model, err := openModel(cfg.Model.Use)
	if err != nil {
		return err
	}
	store, err := openStore(cfg.State)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	bad := &badLines{w: std.err, strict: c.Strict, source: pipeline.NewLineSource(interruptible(ctx, std.in))}
	if err := c.work(ctx, cfg, model, store, std, bad); err != nil {
		return err
	}
	if bad.n > 0 {
		fmt.Fprintf(std.err, "weir: %d lines were skipped\n", bad.n)
	}
	return nil
}

// work carries the lines, as the one partition of a log without owner.
func (c *scoreCmd) work(ctx context.Context, cfg config.Config, model *operator.Model, store *store, std *streams, bad *badLines) error {
	decoder, err := newDecoder(cfg.Input)
	if err != nil {
		return err
	}
	registry, err := newRegistry(cfg.Input.Avro)
	if err != nil {
		return err
	}
	metrics, err := pipeline.NewMetrics(nil, pipeline.MetricLabels{}) // counted by nobody
	if err != nil {
		return err
	}
	const topic = "stdin"
	operatorCfg := operatorConfig(cfg)
	operatorCfg.OnLoss = operator.Cold       // lines are read once: there is nothing to compute a state again from
	operatorCfg.MaxStreams = math.MaxInt / 2 // states are kept at the end, and not before
	quiet := cfg.Service.Log
	quiet.Level = "warn"
	log := newLogger(std.err, quiet)
	w := &pipeline.Worker{
		Service: cfg.Service.Name, Topic: topic,
		Source: bad.source, Scores: pipeline.NewLineSink(std.out), DeadLetters: bad,
		Operator: operator.New(model, store, statestore.Partition{Group: "score", Topic: topic},
			statestore.Token{}, operatorCfg),
		Decoder: decoder, Registry: registry, MaxBytes: int(cfg.Input.MaxBytes), DrainTimeout: time.Minute,
		Committed: statestore.NoOffset, Metrics: metrics, Log: log,
		// Nothing here gets better by waiting.
		Retry: &pipeline.Retrier{Log: log, Report: func(string, error) {}, Count: metrics.Retry, Once: true},
	}
	return w.Run(ctx)
}

// interruptible returns r so that the end of ctx ends a read that waits. What reads r then
// waits on, until the process ends.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	end, lines := io.Pipe()
	go func() {
		_, err := io.Copy(lines, r)
		lines.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { lines.CloseWithError(context.Cause(ctx)) })
	return end
}

// badLines is the sink of what is no event.
type badLines struct {
	w      io.Writer
	strict bool
	source *pipeline.LineSource
	n      int
}

// Write implements pipeline.Sink.
func (b *badLines) Write(_ context.Context, msgs []pipeline.Message) error {
	for i := range msgs {
		b.n++
		reason, detail := pipeline.DeadLetterReason(msgs[i].Headers)
		line := fmt.Errorf("line %d: %s: %s", b.source.Line(msgs[i].Offset), reason, detail)
		if b.strict {
			return line
		}
		_, _ = fmt.Fprintf(b.w, "weir: %v\n", line)
	}
	return nil
}
