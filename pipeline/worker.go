package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline/encoding"
	"github.com/weirstream/weir/statestore"
)

// A Worker carries one partition's events through the operator: fetch, decode, apply,
// encode, write, and from time to time a checkpoint. It is one goroutine; nothing in
// it is shared.
type Worker struct {
	// Service names the deployment in dead letters, Group the consumer group in outputs.
	Service, Group string
	// Topic and Partition name the input in ids, headers and logs.
	Topic     string
	Partition int

	Source      Source
	Scores      Sink
	DeadLetters Sink
	// Gauges takes the predictions as OpenTelemetry metrics; nil for nobody.
	Gauges Sink
	// Delivery is what the sinks belong to; nil where they promise nothing by themselves.
	Delivery *Delivery
	Operator *operator.Operator
	Decoder  *encoding.Decoder
	// Registry has the schemas of Avro records; nil where there are none.
	Registry *Registry

	// MaxBytes is the largest record value that is decoded.
	MaxBytes int
	// CheckpointEvery is the longest time between two checkpoints while events come.
	// Zero means only at the end, and when the operator holds too many streams.
	CheckpointEvery time.Duration
	// DrainTimeout bounds what is left to do when the partition is given up.
	DrainTimeout time.Duration

	// Alive returns nil while this process owns the partition. Nil where nobody else can.
	Alive func(ctx context.Context) error
	// Committed is the log's own memory of how far this group came, a second witness
	// beside the store. statestore.NoOffset where it has none.
	Committed int64

	Retry   *Retrier
	Metrics *Metrics
	// Tracer records a span for each batch; nil for none.
	Tracer trace.Tracer
	Log    *slog.Logger

	// Observe, where not nil, is shown the predictions of a batch once they are written. It
	// must not wait, and not keep them.
	Observe func([]operator.Prediction)
	// Asks is where Record and Reset wait; nil where nobody calls them.
	Asks    Asks
	waiting []*ask // for the partition's next event

	batch    Batch
	headers  []encoding.Header // of the record being decoded
	events   []operator.Event
	scores   []Message
	letters  []Message
	gauges   []Message
	values   []byte // encoded outputs, back to back
	modelTag string
	// header values
	model, group []byte

	load    loadCounters
	commits retryLogger

	position    int64     // next offset to process
	fingerprint uint64    // of the last message before position
	last        int64     // its offset
	fetchedAt   time.Time // when messages last came
	check       Batch     // the record that is compared
	epoch       int32     // of the partition's leader, as far as known
	saved       int64     // the checkpointed position
	base        int64     // where a restart would go on
	muted       int64     // outputs of events before it are in the log
	savedAt     time.Time
	announced   bool // the group knows that the partition has a reader
}

// Run works until ctx ends or the source does, then checkpoints and returns. An error
// means that the partition was left where its last checkpoint is; nothing is lost, the
// rest will be replayed.
func (w *Worker) Run(ctx context.Context) error {
	work, cancel := drainContext(ctx, w.DrainTimeout)
	defer cancel()
	defer w.refuse()
	w.announced = w.Committed != statestore.NoOffset
	if err := w.open(ctx); err != nil && !errors.Is(err, errReopened) {
		if ctx.Err() != nil {
			return nil // given up before anything was processed
		}
		return err
	}
	for {
		err := w.Retry.Do(ctx, "kafka", "fetch", func(ctx context.Context) error {
			return w.Source.Fetch(ctx, &w.batch)
		})
		if err == nil {
			err = w.recheck(ctx)
		}
		if errors.Is(err, ErrLogReplaced) {
			// Whose outputs are written, but not its states, could not be computed again.
			return errors.Join(err, w.checkpoint(work))
		}
		if err != nil && !errors.Is(err, ErrEnd) && ctx.Err() == nil {
			return err
		}
		if err != nil {
			if err = w.checkpoint(work); errors.Is(err, errReopened) && ctx.Err() == nil {
				continue
			}
			return err
		}
		if err := w.turn(work); err != nil && !errors.Is(err, errReopened) {
			return err
		}
	}
}

// turn does what a fetched batch asks for.
func (w *Worker) turn(ctx context.Context) error {
	batch, span := w.trace(ctx)
	err := w.process(batch)
	endSpan(span, err)
	if err != nil {
		return err
	}
	if err := w.answer(ctx); err != nil {
		return err
	}
	if !w.due() {
		return nil
	}
	return w.checkpoint(ctx)
}

// ErrEnd is what a finite Source's Fetch returns after its last message.
var ErrEnd = errors.New("end of input")

// drainContext returns a context that outlives ctx by at most budget: what is in flight
// when a partition is given up may still be finished.
func drainContext(ctx context.Context, budget time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-work.Done():
		case <-time.After(budget):
			cancel()
		}
	})
	return work, func() {
		stop()
		cancel()
	}
}

// open claims the partition and finds where to go on.
func (w *Worker) open(ctx context.Context) error {
	if w.Alive != nil {
		// One that slept through its loss of the partition must not claim it late.
		if err := w.Retry.Do(ctx, "kafka", "heartbeat", w.Alive); err != nil {
			return err
		}
	}
	var meta statestore.Meta
	err := w.Retry.Do(ctx, "state", "claim", func(ctx context.Context) (err error) {
		meta, err = w.Operator.Claim(ctx, w.Alive)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.recognise(ctx, meta); err != nil {
		return err
	}
	cursor, past, err := w.weigh(meta)
	if err != nil {
		return err
	}
	if err := w.takeOver(ctx, cursor); err != nil {
		return err
	}
	if w.position, err = w.seek(ctx, cursor, past); err != nil {
		return err
	}
	w.saved, w.savedAt, w.base, w.epoch = cursor, time.Now(), w.position, NoEpoch
	w.load.checkpoint(w.savedAt, w.Operator)
	w.modelTag = w.Operator.ModelTag()
	w.model, w.group = []byte(w.modelTag), []byte(w.Group)
	w.Log.Info("partition opened", "topic", w.Topic, "partition", w.Partition, "offset", w.position)
	if w.Alive != nil && (meta.Cursor == statestore.NoOffset || !w.announced) {
		return w.announce(ctx)
	}
	return nil
}

// announce makes known, to the store and to the group, that the partition has a reader,
// before there is anything of it: where it begins must not be decided again after a crash,
// and one whose store has lost everything must know that there may be outputs.
func (w *Worker) announce(ctx context.Context) error {
	if err := w.save(ctx); err != nil || w.announced {
		return err
	}
	err := w.Retry.Do(ctx, "kafka", "commit", func(ctx context.Context) error {
		return w.Source.Commit(ctx, w.position)
	})
	w.announced = err == nil
	return err
}

// takeOver makes this worker the one that writes the partition's outputs.
func (w *Worker) takeOver(ctx context.Context, cursor int64) error {
	if w.Delivery == nil {
		return nil
	}
	return w.Retry.Do(ctx, "kafka", "take over the outputs", func(ctx context.Context) error {
		return w.Delivery.Open(ctx, cursor)
	})
}

// maxReplay is how many offsets a crash may have to replay, however long the time between
// two checkpoints is.
const maxReplay = 1 << 20

// due reports whether it is time for a checkpoint.
func (w *Worker) due() bool {
	if w.Operator.Crowded() || w.position-w.base >= maxReplay {
		return true
	}
	return w.CheckpointEvery > 0 && time.Since(w.savedAt) >= w.CheckpointEvery
}

// checkpoint makes everything before the position durable, then tells the log of it.
func (w *Worker) checkpoint(ctx context.Context) error {
	w.savedAt = time.Now()
	if w.position == w.saved && !w.Operator.Dirty() {
		return nil
	}
	if err := w.save(ctx); err != nil {
		return err
	}
	if err := w.Source.Commit(ctx, w.position); err != nil {
		// The store's cursor is what a restart goes by; the next commit will do. But a lost
		// store is known by it.
		w.commits.log(w.Log, "commit", "kafka", w.CheckpointEvery, err)
	} else {
		w.commits = retryLogger{}
	}
	return nil
}

// save makes first the outputs final, which are acknowledged already, then the states
// durable, then the cursor.
func (w *Worker) save(ctx context.Context) error {
	began := time.Now()
	if err := w.settle(ctx); err != nil {
		return fmt.Errorf("checkpoint %s-%d at offset %d: %w", w.Topic, w.Partition, w.position, err)
	}
	streams := 0
	err := w.state(ctx, "checkpoint", func(ctx context.Context) (err error) {
		n, err := w.Operator.Checkpoint(ctx, w.position, w.fingerprint)
		streams += n
		return err
	})
	if err != nil {
		return fmt.Errorf("checkpoint %s-%d at offset %d: %w", w.Topic, w.Partition, w.position, err)
	}
	w.saved, w.base = w.position, w.position
	w.load.checkpoint(w.savedAt, w.Operator)
	w.Metrics.Checkpoint(ctx, time.Since(began), streams)
	return nil
}

// settle makes the outputs before the position final.
func (w *Worker) settle(ctx context.Context) error {
	if w.Delivery == nil {
		return nil
	}
	return w.Retry.Do(ctx, "kafka", "settle the outputs", func(ctx context.Context) error {
		return w.Delivery.Settle(ctx, w.position)
	})
}

// process carries one batch to its acknowledged outputs.
func (w *Worker) process(ctx context.Context) error {
	if w.batch.Missing > 0 {
		w.Log.Error("events are gone from the log before they were read: retention is shorter than the outage was",
			"topic", w.Topic, "partition", w.Partition, "from", w.position, "events", w.batch.Missing)
		w.Metrics.Gap(ctx, w.batch.Missing)
		w.Operator.MarkGap(w.position + w.batch.Missing)
	}
	began := time.Now()
	w.letters, w.scores, w.gauges, w.values = w.letters[:0], w.scores[:0], w.gauges[:0], w.values[:0]
	if err := w.decode(ctx); err != nil {
		return err
	}
	result, err := w.apply(ctx)
	if err != nil {
		return err
	}
	if err := w.encode(ctx, result); err != nil {
		return err
	}
	w.mute()
	busy := time.Since(began)
	if err := w.write(ctx); err != nil {
		return err
	}
	if w.Observe != nil {
		w.Observe(result.Predictions)
	}
	if n := len(w.batch.Messages); n > 0 {
		w.fingerprint, w.last = w.batch.Messages[n-1].fingerprint(), w.batch.Messages[n-1].Offset
		w.Metrics.Batch(ctx, n, len(w.scores), time.Since(began))
		w.load.batch(n, busy)
	}
	w.position = w.batch.Next
	w.load.position(w.Operator.Streams(), w.position-w.base, w.batch.End-w.position)
	return nil
}

// apply runs the batch's events through the operator. A failed load leaves the
// operator as it was, so the call is repeated.
func (w *Worker) apply(ctx context.Context) (result operator.Result, err error) {
	err = w.state(ctx, "load", func(ctx context.Context) error {
		result, err = w.Operator.Apply(ctx, w.events)
		return err
	})
	if err != nil {
		return result, fmt.Errorf("apply %d events of %s-%d: %w", len(w.events), w.Topic, w.Partition, err)
	}
	return result, nil
}
