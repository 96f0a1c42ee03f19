package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/weirstream/weir/operator"
)

// Asks takes what others want of a Worker to the goroutine that owns the partition, which
// answers between two batches.
type Asks chan *ask

type ask struct {
	ctx     context.Context // of whoever asks
	do      func(ctx context.Context, w *Worker) error
	changes bool       // a stream
	done    chan error // of length 1: a worker never waits for who asked
}

const (
	// asksABatch bounds how long a batch waits for answers.
	asksABatch = 4
	// askLimit bounds how long an answer may wait for the store.
	askLimit = 2 * time.Second
)

// ErrGivenUp is of a question to a worker that has given its partition up.
var ErrGivenUp = errors.New("the partition is being given up")

// Record returns a copy of a stream as of the last batch. Errors match
// operator.ErrUnknownStream where the partition has no such stream. It may be called from
// any goroutine while Run runs.
func (w *Worker) Record(ctx context.Context, stream string) (r operator.Record, err error) {
	found := make(chan operator.Record, 1)
	err = w.ask(ctx, false, func(ctx context.Context, w *Worker) error {
		r, err := w.Operator.Record(ctx, stream)
		found <- r
		return err
	})
	if err != nil {
		return operator.Record{}, err
	}
	return <-found, nil
}

// Reset lets a stream begin anew, and returns once that is durable: after a crash it has
// happened, and the events before it are not learnt again. It may have to wait for the
// partition's next event. It may be called from any goroutine while Run runs; if ctx ends
// first, the reset may yet happen.
func (w *Worker) Reset(ctx context.Context, stream string) error {
	return w.ask(ctx, true, func(ctx context.Context, w *Worker) error {
		return w.Operator.Reset(ctx, stream, w.position)
	})
}

// ask hands a question over and waits for its answer.
func (w *Worker) ask(ctx context.Context, changes bool, do func(context.Context, *Worker) error) error {
	a := &ask{ctx: ctx, do: do, changes: changes, done: make(chan error, 1)}
	select {
	case w.Asks <- a:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer does what was asked since the last batch. An error is that of a checkpoint, and
// ends the worker.
func (w *Worker) answer(ctx context.Context) error {
	for _, a := range w.asked() {
		err := a.run(w)
		if errors.Is(err, operator.ErrNotYet) {
			w.waiting = append(w.waiting, a)
			continue
		}
		var failed error
		if a.changes && err == nil {
			// Nothing may happen to the stream before what it is now is durable.
			failed = w.checkpoint(ctx)
		}
		a.done <- errors.Join(err, failed)
		if failed != nil {
			return failed
		}
	}
	return nil
}

// asked returns what has waited for the partition to move, and a few new ones.
func (w *Worker) asked() []*ask {
	asked := w.waiting
	w.waiting = nil
	for range asksABatch {
		select {
		case a := <-w.Asks:
			asked = append(asked, a)
		default:
			return asked
		}
	}
	return asked
}

// run does what was asked, unless nobody waits for it any more.
func (a *ask) run(w *Worker) error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(a.ctx, askLimit)
	defer cancel()
	return a.do(ctx, w)
}

// refuse answers what has waited for an event that this worker will not see.
func (w *Worker) refuse() {
	for _, a := range w.waiting {
		a.done <- ErrGivenUp
	}
	w.waiting = nil
}
