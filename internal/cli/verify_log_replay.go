package cli

import (
	"context"
	"time"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/statestore"
)

// replay computes the partition's outputs from where the log begins to the range's end,
// with a store of its own that is forgotten. It keeps what the range should have.
func (v *logVerifier) replay(ctx context.Context, k *logCheck) error {
	decoder, err := newDecoder(v.cfg.Input)
	if err != nil {
		return err
	}
	registry, err := newRegistry(v.cfg.Input.Avro)
	if err != nil {
		return err
	}
	metrics, err := pipeline.NewMetrics(nil, pipeline.MetricLabels{}) // counted by nobody
	if err != nil {
		return err
	}
	quiet := v.cfg.Service.Log
	quiet.Level = "error"
	log := newLogger(v.log, quiet)
	w := &pipeline.Worker{
		Service: v.cfg.Service.Name, Topic: k.topic, Partition: k.partition,
		Source: &logRange{
			KafkaSource: pipeline.NewKafkaSource(v.kafka.Client(), k.topic, k.partition, false, nil),
			next:        k.begin, end: k.to,
		},
		Scores: &wantedOutputs{check: k, streams: map[string]bool{}}, DeadLetters: wantedLetters{k},
		Operator: operator.New(v.model, statestore.NewMemory(), statestore.Partition{Group: "verify-log", Topic: k.topic, Number: k.partition},
			statestore.Token{}, operatorConfig(v.cfg)),
		Decoder: decoder, Registry: registry, MaxBytes: int(v.cfg.Input.MaxBytes), DrainTimeout: time.Minute,
		Committed: statestore.NoOffset, Metrics: metrics, Log: log,
		Retry: &pipeline.Retrier{Log: log, Report: func(string, error) {}, Count: metrics.Retry, Once: true},
	}
	if err := w.Run(ctx); err != nil {
		return err
	}
	return ctx.Err() // a Worker that is told to stop has not failed
}

// A logRange is a stretch of a partition's log, as a source that ends.
type logRange struct {
	*pipeline.KafkaSource
	next, end int64
}

// Seek implements pipeline.Source: it begins at the stretch's beginning.
func (r *logRange) Seek(ctx context.Context, _ int64, _ bool) (int64, error) {
	return r.KafkaSource.Seek(ctx, r.next, false)
}

// Fetch implements pipeline.Source.
func (r *logRange) Fetch(ctx context.Context, b *pipeline.Batch) error {
	if r.next >= r.end {
		b.Reset()
		b.Next = r.next
		return pipeline.ErrEnd
	}
	if err := r.KafkaSource.Fetch(ctx, b); err != nil {
		return err
	}
	if b.Missing > 0 {
		return errRetention
	}
	n := len(b.Messages)
	for n > 0 && b.Messages[n-1].Offset >= r.end {
		n--
	}
	b.Messages = b.Messages[:n]
	b.Next = min(b.Next, r.end)
	r.next = b.Next
	return nil
}

// Commit implements pipeline.Source: the group is not ours.
func (*logRange) Commit(context.Context, int64) error { return nil }

// wantedOutputs is the sink that remembers what the output topic should have.
type wantedOutputs struct {
	check   *logCheck
	streams map[string]bool // seen so far
}

// Write implements pipeline.Sink.
func (w *wantedOutputs) Write(_ context.Context, msgs []pipeline.Message) error {
	k := w.check
	for i := range msgs {
		m := &msgs[i]
		p, _ := k.place(m, "")
		if p.offset >= k.from {
			k.want[p] = &wanted{hash: hashOutput(m)}
		}
		if stream, _ := outputStream(m.Value); !k.whole && !w.streams[string(stream)] {
			w.streams[string(stream)] = true
			k.firsts[p] = string(stream)
		}
	}
	return nil
}

// wantedLetters is the same for dead letters.
type wantedLetters struct{ check *logCheck }

// Write implements pipeline.Sink.
func (w wantedLetters) Write(_ context.Context, msgs []pipeline.Message) error {
	for i := range msgs {
		if msgs[i].Offset >= w.check.from {
			w.check.wantLetters[msgs[i].Offset]++
		}
	}
	return nil
}
