package pipeline

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/weirstream/weir/operator"
)

// Metrics counts what the workers of one input topic do. Where OpenTelemetry's
// semantic conventions for messaging have a name, it is used; Weir's own begin
// with "weir.". They are counted a batch, not an event, and no label holds a
// stream's name: there may be millions.
type Metrics struct {
	consumed, sent, events, anomalies, skipped counted
	deadLetters, retries                       metric.Int64Counter
	restored, lost, missing, saved             counted
	rebuilt, partial, reread, regressions      counted
	batchTime, checkpointTime                  timed

	input   attribute.KeyValue // names the input topic
	byPhase [len(phases)][]metric.AddOption
}

var phases = [...]operator.Phase{operator.Warming, operator.Ready, operator.Late, operator.Gap}

// A counted is a counter with its attributes, which are made once.
type counted struct {
	metric.Int64Counter
	with []metric.AddOption
}

func (c *counted) add(ctx context.Context, n int) {
	if n > 0 {
		c.Add(ctx, int64(n), c.with...)
	}
}

// A timed is a histogram of seconds with its attributes.
type timed struct {
	metric.Float64Histogram
	with []metric.RecordOption
}

func (h *timed) record(ctx context.Context, d time.Duration) {
	h.Record(ctx, d.Seconds(), h.with...)
}

// MetricLabels are the names that label a Metrics.
type MetricLabels struct {
	// Group is the consumer group, Input the topic that is read, Scores the one
	// that predictions go to.
	Group, Input, Scores string
}

// instruments makes instruments and gathers what goes wrong.
type instruments struct {
	metric.Meter
	err error
}

func (m *instruments) counter(name, unit, description string, with ...attribute.KeyValue) counted {
	c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
	m.err = errors.Join(m.err, err)
	return counted{c, []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(with...))}}
}

func (m *instruments) seconds(name, description string, with ...attribute.KeyValue) timed {
	h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10))
	m.err = errors.Join(m.err, err)
	return timed{h, []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(with...))}}
}

// NewMetrics makes the instruments on meter; a nil meter counts nothing. Several
// Metrics on one meter share its instruments and differ in their labels.
func NewMetrics(meter metric.Meter, labels MetricLabels) (*Metrics, error) {
	if meter == nil {
		meter = noop.Meter{}
	}
	m := &instruments{Meter: meter}
	system := attribute.String("messaging.system", "kafka")
	group := attribute.String("messaging.consumer.group.name", labels.Group)
	input := attribute.String("messaging.destination.name", labels.Input)
	scores := attribute.String("messaging.destination.name", labels.Scores)
	doing := func(op string) attribute.KeyValue { return attribute.String("messaging.operation.name", op) }

	metrics := &Metrics{
		consumed: m.counter("messaging.client.consumed.messages", "{message}", "Records fetched.",
			system, doing("poll"), input, group),
		sent: m.counter("messaging.client.sent.messages", "{message}", "Predictions acknowledged.",
			system, doing("send"), scores),
		batchTime: m.seconds("messaging.process.duration", "From a batch's decoding to its acknowledged outputs.",
			system, doing("process"), input, group),
		events:      m.counter("weir.events", "{event}", "Events scored, by the state their prediction reports."),
		anomalies:   m.counter("weir.anomalies", "{event}", "Events scored as anomalies.", input),
		skipped:     m.counter("weir.skipped", "{event}", "Replayed events that their stream's state held already.", input),
		deadLetters: m.counter("weir.deadletters", "{message}", "Records that could not be used, by reason.").Int64Counter,
		retries:     m.counter("weir.retries", "{try}", "Failed tries that were repeated, by operation.").Int64Counter,
		missing:     m.counter("weir.gap.events", "{event}", "Events that the log lost before they were read.", input),
		restored:    m.counter("weir.restores", "{stream}", "Streams whose state was loaded from the store.", input),
		lost:        m.counter("weir.restore.failures", "{stream}", "Streams whose stored state could not be used.", input),
		rebuilt: m.counter("weir.rebuilds", "{stream}", "Streams whose lost state was computed again.",
			input, attribute.Bool("weir.whole", true)),
		partial: m.counter("weir.rebuilds", "{stream}", "Streams whose lost state was computed again.",
			input, attribute.Bool("weir.whole", false)),
		reread:         m.counter("weir.rebuild.events", "{event}", "Events read again to compute lost states.", input),
		regressions:    m.counter("weir.store.regressions", "{regression}", "Times that the store had lost acknowledged writes.", input),
		saved:          m.counter("weir.checkpoint.streams", "{stream}", "Streams saved by checkpoints.", input),
		checkpointTime: m.seconds("weir.checkpoint.duration", "From a checkpoint's begin to its saved cursor.", input),
		input:          input,
	}
	for i, phase := range phases {
		set := attribute.NewSet(input, attribute.String("weir.state", phase.String()))
		metrics.byPhase[i] = []metric.AddOption{metric.WithAttributeSet(set)}
	}
	return metrics, m.err
}

// Batch counts one batch: its messages, its acknowledged outputs, and the time
// from its decoding to those.
func (m *Metrics) Batch(ctx context.Context, messages, outputs int, took time.Duration) {
	m.consumed.add(ctx, messages)
	m.sent.add(ctx, outputs)
	m.batchTime.record(ctx, took)
}

// Result counts what the operator made of a batch. Its rejected events are
// counted as dead letters.
func (m *Metrics) Result(ctx context.Context, r *operator.Result) {
	var events [len(phases)]int64
	anomalies := 0
	for i := range r.Predictions {
		events[r.Predictions[i].Phase]++
		if r.Predictions[i].IsAnomaly {
			anomalies++
		}
	}
	for phase, n := range events {
		if n > 0 {
			m.events.Add(ctx, n, m.byPhase[phase]...)
		}
	}
	m.anomalies.add(ctx, anomalies)
	m.skipped.add(ctx, r.Skipped)
	m.restored.add(ctx, r.Restored)
	m.lost.add(ctx, len(r.Lost))
}

// DeadLetter counts one record that could not be used.
func (m *Metrics) DeadLetter(ctx context.Context, reason string) {
	m.deadLetters.Add(ctx, 1, metric.WithAttributes(m.input, attribute.String("reason", reason)))
}

// Retry counts a failed try of an operation.
func (m *Metrics) Retry(op string) {
	m.retries.Add(context.Background(), 1, metric.WithAttributes(m.input, attribute.String("op", op)))
}

// Checkpoint counts one checkpoint, the time it took and the streams it saved.
func (m *Metrics) Checkpoint(ctx context.Context, took time.Duration, streams int) {
	m.checkpointTime.record(ctx, took)
	m.saved.add(ctx, streams)
}

// Rebuild counts streams whose lost state was computed again from so many events, and
// whether the log still had all of them.
func (m *Metrics) Rebuild(ctx context.Context, streams, events int, whole bool) {
	if whole {
		m.rebuilt.add(ctx, streams)
	} else {
		m.partial.add(ctx, streams)
	}
	m.lost.add(ctx, streams)
	m.reread.add(ctx, events)
}

// Regression counts a store that had lost acknowledged writes.
func (m *Metrics) Regression() { m.regressions.add(context.Background(), 1) }

// Gap counts events that the log lost before they were read.
func (m *Metrics) Gap(ctx context.Context, events int64) {
	m.missing.add(ctx, int(events))
}

// Gauges is what a process holds at one moment.
type Gauges struct {
	// Streams live in memory, over all partitions.
	Streams int64
	// ReplayDepth is the number of events processed since the last checkpoint: what
	// a restart now would process again.
	ReplayDepth int64
	// Lag is how many events the log's ends were ahead at the last fetches.
	Lag int64
	// CheckpointAge is the age of the oldest partition's checkpoint that has something to
	// save after it.
	CheckpointAge time.Duration
	// Partitions owned by this process.
	Partitions int64
}

// ObserveGauges has read called at every collection, from other goroutines than
// the workers', until stop is called.
func ObserveGauges(meter metric.Meter, read func() Gauges) (stop func() error, err error) {
	gauge := func(name, unit, description string) metric.Int64ObservableGauge {
		g, gaugeErr := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		err = errors.Join(err, gaugeErr)
		return g
	}
	streams := gauge("weir.streams.active", "{stream}", "Streams live in memory.")
	depth := gauge("weir.replay.depth", "{event}", "Events since the last checkpoint, which a restart would replay.")
	lag := gauge("weir.lag", "{event}", "Events that the log's ends were ahead at the last fetches.")
	age, ageErr := meter.Float64ObservableGauge("weir.checkpoint.age", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest checkpoint that has something to save after it."))
	err = errors.Join(err, ageErr)
	partitions := gauge("weir.partitions", "{partition}", "Partitions owned.")
	if err != nil {
		return nil, err
	}
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		now := read()
		o.ObserveInt64(streams, now.Streams)
		o.ObserveInt64(depth, now.ReplayDepth)
		o.ObserveInt64(lag, now.Lag)
		o.ObserveFloat64(age, now.CheckpointAge.Seconds())
		o.ObserveInt64(partitions, now.Partitions)
		return nil
	}, streams, depth, lag, age, partitions)
	if err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}
