package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/weirstream/weir/statestore"
)

// A topic that was deleted and made anew is another log: the states are not its states, and
// its offsets say nothing of them. Kafka's protocol would tell by the topic's id, which
// kafka-go does not speak of; so a record is compared with what it was.

// recheckAfter is how long messages may be away before the log is looked at again. Nobody
// deletes a topic, makes it anew and fills it to where it was in less.
const recheckAfter = 100 * time.Millisecond

// recognise compares the record before the stored cursor with the one that was there when
// the cursor was stored.
func (w *Worker) recognise(ctx context.Context, meta statestore.Meta) error {
	w.fingerprint, w.last, w.fetchedAt = meta.Fingerprint, meta.Cursor-1, time.Now()
	if !w.comparable() {
		return nil
	}
	return w.compareLast(ctx)
}

// recheck does the same with the last processed record, where the messages in hand have
// been long in coming, or from a new leader: one that was behind has cut the log, and may
// have written on.
func (w *Worker) recheck(ctx context.Context) error {
	led := w.newLeader()
	if len(w.batch.Messages) == 0 || !w.comparable() {
		return nil
	}
	away := time.Since(w.fetchedAt)
	w.fetchedAt = time.Now()
	if away < recheckAfter && !led || w.batch.Missing > 0 {
		return nil
	}
	if err := w.compareLast(ctx); err != nil {
		return err
	}
	_, err := w.seek(ctx, w.batch.Next, false)
	return err
}

// newLeader reports whether the batch's leader is another than that of the batch before.
func (w *Worker) newLeader() bool {
	before := w.epoch
	if w.batch.Epoch == NoEpoch || w.batch.Epoch == before {
		return false
	}
	w.epoch = w.batch.Epoch
	return before != NoEpoch
}

// comparable reports whether there is a record to compare. A log of lines is read once.
func (w *Worker) comparable() bool { return w.Alive != nil && w.last >= 0 && w.fingerprint != 0 }

// compareLast reads the last processed record again. It leaves the source behind it.
func (w *Worker) compareLast(ctx context.Context) error {
	err := w.Retry.Do(ctx, "kafka", "read the last processed record", func(ctx context.Context) error {
		if _, err := w.Source.Seek(ctx, w.last, false); err != nil {
			return err
		}
		return w.Source.Fetch(ctx, &w.check)
	})
	if err != nil {
		return err
	}
	if len(w.check.Messages) == 0 || w.check.Messages[0].Offset != w.last {
		return nil // gone by retention or compaction, or no event: nothing to compare
	}
	if w.check.Messages[0].fingerprint() == w.fingerprint {
		return nil
	}
	return fmt.Errorf("%s-%d: the record at offset %d is not the one that was processed: the topic was made anew; "+
		"use another kafka.group_id to start over: %w", w.Topic, w.Partition, w.last, ErrLogReplaced)
}
