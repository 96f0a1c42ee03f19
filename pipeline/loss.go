package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/statestore"
)

// ErrStateLost means that the store has lost what it had acknowledged, and that the
// configuration says to stop there.
var ErrStateLost = errors.New("the store has lost states, and state.on_loss is fail: restore the store, " +
	"or set state.on_loss to rebuild or cold")

// errReopened says that the worker has gone back to where the store is.
var errReopened = errors.New("the store was put back; going on from where it is")

// weigh compares where the store is with where the group's commits are, which follow it,
// and returns where to go on. Commits further than the cursor mean that the store has lost
// writes: all of them, or the last ones. Nothing is put out again below the commits.
func (w *Worker) weigh(meta statestore.Meta) (cursor int64, past bool, err error) {
	cursor = meta.Cursor
	if w.Committed == statestore.NoOffset || cursor >= w.Committed {
		return cursor, false, nil
	}
	w.muted = w.Committed
	if cursor != statestore.NoOffset && w.transactional() {
		return cursor, false, nil // a crash between the transaction and the states
	}
	if w.Operator.OnLoss() == operator.Fail {
		return 0, false, fmt.Errorf("%s-%d: the store is at offset %d, outputs are up to %d: %w", w.Topic, w.Partition, cursor, w.Committed, ErrStateLost)
	}
	w.Metrics.Regression()
	switch {
	case cursor != statestore.NoOffset:
		w.note("the store was put back from offset %d to %d; the events between are computed again", w.Committed, cursor)
	case w.Operator.OnLoss() == operator.Cold:
		w.note("the store knows nothing of a partition that was processed up to offset %d; its streams begin anew (state.on_loss: cold)", w.Committed)
		cursor = w.Committed
	default:
		w.note("the store knows nothing of a partition that was processed up to offset %d; its states are computed again from the log's start", w.Committed)
		past = true
	}
	return cursor, past, nil
}

func (w *Worker) transactional() bool { return w.Delivery != nil && w.Delivery.mode == Transactional }

// note logs what happened to the states, and keeps it for the readiness report.
func (w *Worker) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.Log.Error("lost state", "topic", w.Topic, "partition", w.Partition, "what", text)
	if w.Retry.Note != nil {
		w.Retry.Note("state", text)
	}
}

// mute drops outputs that are in the log already: they were acknowledged before the store
// lost the states that they came from.
func (w *Worker) mute() {
	if w.position >= w.muted {
		return
	}
	written := func(m Message) bool { return m.Offset < w.muted }
	w.scores = slices.DeleteFunc(w.scores, written)
	w.letters = slices.DeleteFunc(w.letters, written)
	w.gauges = slices.DeleteFunc(w.gauges, written)
}

// regain makes good that the store lost acknowledged writes while this worker owned the
// partition. Nil means that what was lost could be written again from memory, so that the
// failed call may be repeated; errReopened that the worker went back to where the store is.
func (w *Worker) regain(ctx context.Context) error {
	var whole bool
	var meta statestore.Meta
	err := w.Retry.Do(ctx, "state", "claim", func(ctx context.Context) (err error) {
		meta, whole, err = w.Operator.Reclaim(ctx, w.Alive)
		return err
	})
	if err != nil {
		return err
	}
	if whole {
		w.Metrics.Regression()
		w.note("the store was put back to offset %d; what it lost is written again from memory", meta.Cursor)
		return nil
	}
	return w.reopen(ctx)
}

// reopen drops what is in memory and goes back to where the store is. What was put out
// before is not put out again.
func (w *Worker) reopen(ctx context.Context) error {
	if w.transactional() {
		// What is in the open transaction was put out for nobody yet: a new worker begins anew.
		return fmt.Errorf("%s-%d: %w", w.Topic, w.Partition, statestore.ErrRegressed)
	}
	w.Operator.Forget()
	w.Committed = max(w.Committed, w.position)
	if err := w.open(ctx); err != nil {
		return err
	}
	return errReopened
}

// mostRepairs is how often one call's losses are made good before the store counts as one
// that cannot keep anything.
const mostRepairs = 10

// state calls fn, which asks the store, and makes good what the store turns out to have lost.
func (w *Worker) state(ctx context.Context, op string, fn func(context.Context) error) error {
	for repairs := 0; ; repairs++ {
		err := w.Retry.Do(ctx, "state", op, fn)
		var loss *operator.LossError
		switch {
		case repairs == mostRepairs:
			return err
		case errors.Is(err, statestore.ErrRegressed):
			err = w.regain(ctx)
		case errors.As(err, &loss) && w.Operator.OnLoss() == operator.Fail:
			return fmt.Errorf("%w: %w", ErrStateLost, err)
		case errors.As(err, &loss):
			if err = w.rebuild(ctx, loss); errors.Is(err, statestore.ErrRegressed) {
				err = w.reopen(ctx) // with half of a past in memory
			}
		default:
			return err
		}
		if err != nil {
			return err
		}
	}
}

// rebuild computes lost streams again from the log, without putting anything out, and comes
// back to the batch in hand.
func (w *Worker) rebuild(ctx context.Context, loss *operator.LossError) error {
	w.note("the store has lost states of %d streams or more; they are computed again from the log; stream %.64q: %v",
		len(loss.Streams), loss.Streams[0].Stream, loss.Streams[0].Err)
	w.Retry.Report("rebuild", errors.New("computing lost states again from the log"))
	r := w.Operator.StartRebuild(loss, w.position)
	first, err := w.seek(ctx, statestore.NoOffset, true)
	if err != nil {
		return err
	}
	events, err := w.reread(ctx, r)
	if err != nil {
		return fmt.Errorf("compute lost states of %s-%d again: %w", w.Topic, w.Partition, err)
	}
	if _, err := w.seek(ctx, w.batch.Next, false); err != nil {
		return err
	}
	whole := first == 0
	healed := r.Finish(whole)
	w.Metrics.Rebuild(ctx, len(healed), events, whole)
	w.Retry.Report("rebuild", nil)
	if whole {
		w.note("states of %d streams were lost and are computed again, from the log's first event on (%d events)", len(healed), events)
	} else {
		w.note("states of %d streams were lost and are computed again from offset %d (%d events): the log begins there, and what was "+
			"before is not in them; their next answers carry gap", len(healed), first, events)
	}
	return nil
}

// reread takes a rebuilding through the log, from the source's position to its end.
func (w *Worker) reread(ctx context.Context, r *operator.Rebuilding) (events int, err error) {
	past := history{worker: w, decoder: w.Decoder.Twin()}
	for past.batch.Next < r.End() {
		err := w.Retry.Do(ctx, "kafka", "fetch", func(ctx context.Context) error {
			return w.Source.Fetch(ctx, &past.batch)
		})
		if errors.Is(err, ErrEnd) {
			break
		}
		if err != nil {
			return events, err
		}
		if err := past.decode(ctx); err != nil {
			return events, err
		}
		events += len(past.events)
		err = w.Retry.Do(ctx, "state", "load", func(ctx context.Context) error { return r.Apply(ctx, past.events) })
		if err != nil {
			return events, err
		}
	}
	return events, nil
}

// seek positions the source.
func (w *Worker) seek(ctx context.Context, offset int64, past bool) (position int64, err error) {
	err = w.Retry.Do(ctx, "kafka", "seek", func(ctx context.Context) error {
		position, err = w.Source.Seek(ctx, offset, past)
		return err
	})
	return position, err
}
