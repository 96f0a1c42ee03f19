package pipeline

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/statestore"
)

// A fedSource is a log that grows as a test feeds it.
type fedSource struct {
	sliceSource
	feed chan []Message // closed at the end
}

func (s *fedSource) Fetch(ctx context.Context, b *Batch) error {
	select {
	case more, ok := <-s.feed:
		if !ok {
			return ErrEnd
		}
		s.log = append(s.log, more...)
		if len(more) > 0 {
			return s.sliceSource.Fetch(ctx, b)
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	b.Reset() // an idle partition
	b.Next, b.End = s.next, s.end()
	return nil
}

// startAsked runs a worker on a log that is fed, with a store that outlives it.
func startAsked(t *testing.T, store statestore.Store) (w *Worker, src *fedSource, sink *sliceSink, stop func()) {
	t.Helper()
	src, sink = &fedSource{feed: make(chan []Message)}, &sliceSink{}
	w = newWorker(t, newOperator(tinyModel(t), store), src, sink, &sliceSink{})
	w.Asks = make(Asks)
	done := make(chan error, 1)
	go func() { done <- w.Run(t.Context()) }()
	return w, src, sink, func() {
		close(src.feed)
		if err := <-done; err != nil {
			t.Errorf("worker: %v", err)
		}
	}
}

// later asks on a goroutine of its own, and feeds idle batches until it is answered.
func later[T any](src *fedSource, ask func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		v, err := ask()
		answered <- answer{v, err}
	}()
	for {
		select {
		case a := <-answered:
			return a.v, a.err
		case src.feed <- nil:
		}
	}
}

func TestRecordIsAnsweredBetweenBatches(t *testing.T) {
	w, src, _, stop := startAsked(t, statestore.NewMemory())
	src.feed <- minutely("a", 0, 30)
	r, err := later(src, func() (operator.Record, error) { return w.Record(t.Context(), "a") })
	if err != nil || r.Offset != 29 || len(r.Bytes) == 0 {
		t.Errorf("record at offset %d of %d bytes, %v", r.Offset, len(r.Bytes), err)
	}
	_, err = later(src, func() (operator.Record, error) { return w.Record(t.Context(), "b") })
	if !errors.Is(err, operator.ErrUnknownStream) {
		t.Errorf("of a stream that is not there: %v", err)
	}
	stop()
}

func TestResetIsDurableOnceItIsAnswered(t *testing.T) {
	store := statestore.NewMemory()
	w, src, _, stop := startAsked(t, store)
	src.feed <- minutely("a", 0, 30)
	src.feed <- minutely("b", 30, 1)
	_, err := later(src, func() (any, error) { return nil, w.Reset(t.Context(), "a") })
	if err != nil {
		t.Fatal(err)
	}
	// What is in the store now is what a crash leaves.
	o := newOperator(tinyModel(t), store)
	meta, err := o.Claim(t.Context(), nil)
	if err != nil || meta.Cursor != 31 {
		t.Fatalf("cursor %d, %v", meta.Cursor, err)
	}
	r, err := o.Record(t.Context(), "a")
	if err != nil || r.Offset != 30 {
		t.Fatalf("record at offset %d, %v; want 30", r.Offset, err)
	}
	p, err := tinyModel(t).Profile(r)
	if err != nil || p.Events != 0 {
		t.Errorf("the store's record holds %d events, %v", p.Events, err)
	}
	stop()
}

func TestResetOfTheLastStreamWaitsForThePartitionToMove(t *testing.T) {
	w, src, sink, stop := startAsked(t, statestore.NewMemory())
	w.CheckpointEvery = 1 // every batch
	src.feed <- minutely("a", 0, 3)
	src.feed <- nil
	reset := make(chan error, 1)
	go func() { reset <- w.Reset(t.Context(), "a") }()
	for range 10 {
		select {
		case src.feed <- nil:
		case err := <-reset:
			t.Fatalf("answered before the partition has moved: %v", err)
		}
	}
	src.feed <- minutely("b", 3, 1)
	if _, err := later(src, func() (any, error) { return nil, <-reset }); err != nil {
		t.Fatal(err)
	}
	src.feed <- minutely("a", 4, 1)
	stop()
	if got := sink.values(); len(got) != 5 || !strings.Contains(got[4], `"n":1,`) {
		t.Errorf("after the reset: %s", got[len(got)-1])
	}
}

func TestAskedWhenGivenUpIsRefused(t *testing.T) {
	w, src, _, stop := startAsked(t, statestore.NewMemory())
	w.CheckpointEvery = 1
	src.feed <- minutely("a", 0, 3)
	src.feed <- nil
	reset := make(chan error, 1)
	a := &ask{ctx: t.Context(), do: func(context.Context, *Worker) error { return operator.ErrNotYet }, changes: true, done: reset}
	go func() { w.Asks <- a }()
	src.feed <- nil
	src.feed <- nil
	stop()
	select {
	case err := <-reset:
		if !errors.Is(err, ErrGivenUp) {
			t.Errorf("%v", err)
		}
	default: // the worker ended before it took the question: whoever asks gives up by its own context
	}
}
