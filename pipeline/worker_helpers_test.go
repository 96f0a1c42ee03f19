package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/operator/operatortest"
	"github.com/weirstream/weir/pipeline/encoding"
	"github.com/weirstream/weir/statestore"
)

var testPartition = statestore.Partition{Group: "weir", Topic: "events", Number: 3}

func tinyModel(tb testing.TB) *operator.Model {
	tb.Helper()
	m, err := operator.LoadModel(operatortest.Tiny(tb, 1), "tiny")
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// A sliceSource is a finite log in memory.
type sliceSource struct {
	log   []Message // offsets ascend
	size  int       // messages a Fetch, 0 for all
	next  int64     // offset
	seeks []string
	// committed is every offset that was committed.
	committed []int64
}

func (s *sliceSource) end() int64 {
	if len(s.log) == 0 {
		return 0
	}
	return s.log[len(s.log)-1].Offset + 1
}

func (s *sliceSource) Seek(_ context.Context, offset int64, past bool) (int64, error) {
	s.seeks = append(s.seeks, fmt.Sprintf("%d %v", offset, past))
	s.next = max(offset, 0)
	return s.next, nil
}

func (s *sliceSource) Fetch(_ context.Context, b *Batch) error {
	b.Reset()
	b.Next, b.End = s.next, s.end()
	if s.next >= s.end() {
		return ErrEnd
	}
	rest := s.log[sort.Search(len(s.log), func(i int) bool { return s.log[i].Offset >= s.next }):]
	if s.size > 0 {
		rest = rest[:min(s.size, len(rest))]
	}
	for _, m := range rest {
		// As a real source does, in memory that the next Fetch writes over.
		copied := b.take(len(m.Value))
		copy(copied, m.Value)
		m.Value = copied
		b.Messages = append(b.Messages, m)
	}
	s.next = rest[len(rest)-1].Offset + 1
	b.Next = s.next
	return nil
}

func (s *sliceSource) Commit(_ context.Context, next int64) error {
	s.committed = append(s.committed, next)
	return nil
}

// A sliceSink keeps what is written to it.
type sliceSink struct{ log []Message }

func (s *sliceSink) Write(_ context.Context, msgs []Message) error {
	for _, m := range msgs {
		s.log = append(s.log, cloned(m))
	}
	return nil
}

// values are the values of the sink's messages.
func (s *sliceSink) values() []string {
	all := make([]string, len(s.log))
	for i := range s.log {
		all[i] = string(s.log[i].Value)
	}
	return all
}

// cloned is a message in memory of its own.
func cloned(m Message) Message {
	m.Key, m.Value = slices.Clone(m.Key), slices.Clone(m.Value)
	m.Headers = slices.Clone(m.Headers)
	for i := range m.Headers {
		m.Headers[i].Value = slices.Clone(m.Headers[i].Value)
	}
	return m
}

// headerOf returns the value of a message's header.
func headerOf(m *Message, key string) string {
	i := slices.IndexFunc(m.Headers, func(h kafka.Header) bool { return h.Key == key })
	if i < 0 {
		return ""
	}
	return string(m.Headers[i].Value)
}

// newOperator returns an operator that keeps more streams than the tests have.
func newOperator(m *operator.Model, store statestore.Store) *operator.Operator {
	return operator.New(m, store, testPartition, statestore.Token{Generation: 1},
		operator.Config{FalseAlarms: 1.0 / 3600, MaxStreams: 1000})
}

// newWorker returns a worker from a source to two sinks.
func newWorker(tb testing.TB, o *operator.Operator, source Source, scores, letters Sink) *Worker {
	tb.Helper()
	metrics, err := NewMetrics(nil, MetricLabels{})
	if err != nil {
		tb.Fatal(err)
	}
	return workerWith(tb, metrics, o, source, scores, letters)
}

func workerWith(tb testing.TB, metrics *Metrics, o *operator.Operator, source Source, scores, letters Sink) *Worker {
	tb.Helper()
	decoder, err := encoding.NewDecoder(encoding.Options{
		Encoding: "json", JSON: encoding.DefaultJSONNames(), InfluxPrecision: time.Nanosecond,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return &Worker{
		Service: "weir", Group: testPartition.Group, Topic: testPartition.Topic, Partition: testPartition.Number,
		Source: source, Scores: scores, DeadLetters: letters, Decoder: decoder, Operator: o,
		MaxBytes: 1 << 20, DrainTimeout: 10 * time.Second, Committed: statestore.NoOffset,
		Retry:   &Retrier{Log: slog.New(slog.DiscardHandler), Report: func(string, error) {}, Count: metrics.Retry},
		Metrics: metrics, Log: slog.New(slog.DiscardHandler),
	}
}

// texts makes messages of values, with offsets from first on.
func texts(first int64, values ...string) []Message {
	log := make([]Message, len(values))
	for i, v := range values {
		log[i] = Message{Offset: first + int64(i), Time: 1_780_000_000_000, Value: []byte(v)}
	}
	return log
}

// minutely are n events of a stream, one a minute, with offsets from first on.
func minutely(stream string, first int64, n int) []Message {
	log := make([]Message, n)
	for i := range log {
		at := first + int64(i)
		log[i] = Message{Offset: at, Time: 1_780_000_000_000 + 60_000*at, Key: []byte(stream), Value: fmt.Appendf(nil, `{"value":%d}`, at*at%17)}
	}
	return log
}
