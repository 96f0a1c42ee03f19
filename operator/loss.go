package operator

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/weirstream/weir/statestore"
)

// OnLoss says what happens to a stream whose stored state is gone, damaged, older than
// what was saved, or of another model.
type OnLoss uint8

// The policies.
const (
	// Rebuild: Apply fails with a LossError, and the caller computes the streams again.
	Rebuild OnLoss = iota
	// Fail: Apply fails with a LossError, and the partition stops.
	Fail
	// Cold: the stream begins anew, and its first event says so with phase Gap.
	Cold
)

// ErrLoss is matched by every LossError.
var ErrLoss = errors.New("the store has lost states of streams")

// A LossError names streams whose stored states cannot be used.
type LossError struct{ Streams []LostStream }

// A LostStream is a stream whose stored state cannot be used.
type LostStream struct {
	Stream string
	// Saved is the offset that it was saved as of, statestore.NoOffset where not known.
	Saved int64
	// Err says what is wrong.
	Err error
}

// Error names the first of the streams.
func (e *LossError) Error() string {
	return fmt.Sprintf("%v: %d of them; stream %.64q: %v", ErrLoss, len(e.Streams), e.Streams[0].Stream, e.Streams[0].Err)
}

// Unwrap lets errors.Is find ErrLoss and what is wrong with the first of the streams.
func (e *LossError) Unwrap() []error { return []error{ErrLoss, e.Streams[0].Err} }

// fetch asks the store for streams and returns those that it has or never had, and those
// that it has lost.
func (o *Operator) fetch(ctx context.Context, keys []string) (sound []*stream, lost []LostStream, err error) {
	snaps, err := o.store.Load(ctx, o.partition, keys)
	var bad *statestore.CorruptError
	if err != nil && !errors.As(err, &bad) {
		return nil, nil, fmt.Errorf("load %d streams of %s-%d: %w", len(keys), o.partition.Topic, o.partition.Number, err)
	}
	unusable := make(map[string]bool)
	if bad != nil {
		for i, key := range bad.Keys {
			unusable[key] = true
			lost = append(lost, LostStream{Stream: key, Saved: bad.Saved[i], Err: bad.Causes[i]})
		}
	}
	for i := range snaps {
		snap := &snaps[i]
		if unusable[snap.Key] {
			continue
		}
		s := &stream{key: snap.Key, lsn: snap.Offset, index: math.MaxInt, logged: snap.Time}
		if snap.State != nil {
			if err := s.decode(snap.State, o.model); err != nil {
				lost = append(lost, LostStream{Stream: snap.Key, Saved: snap.Offset, Err: err})
				continue
			}
			o.result.Restored++
		}
		sound = append(sound, s)
	}
	return sound, lost, nil
}

// coldStart lets lost streams begin anew. What was saved of them had its outputs
// acknowledged, so those events are not processed again.
func (o *Operator) coldStart(lost []LostStream) {
	for i := range lost {
		o.cache.add(&stream{key: lost[i].Stream, lsn: lost[i].Saved, index: math.MaxInt, cut: true})
	}
	o.result.Lost = append(o.result.Lost, lost...)
}

// A Rebuilding computes lost streams again from the events of their past, which the caller
// reads from the log's start, and puts them into the operator's memory. What it finds lost
// of other streams on the way, it computes as well: one reading heals a partition. Nothing
// may be applied or saved in between; after an error the operator is of no more use.
type Rebuilding struct {
	o        *Operator
	position int64
	lost     map[string]int64 // the offset before which a stream's events are learnt
	streams  []LostStream
	sound    map[string]bool // streams that were looked at and are in order
}

// StartRebuild begins to compute lost streams again. All events below position, and no
// others, have been applied.
func (o *Operator) StartRebuild(loss *LossError, position int64) *Rebuilding {
	r := &Rebuilding{o: o, position: position, lost: make(map[string]int64), sound: make(map[string]bool)}
	r.add(loss.Streams)
	return r
}

// add takes on lost streams. A stream that was saved ahead of the position is computed up
// to there: those outputs were acknowledged, and its events must not be put out again.
func (r *Rebuilding) add(lost []LostStream) {
	for _, l := range lost {
		r.lost[l.Stream] = max(r.position, l.Saved+1)
		r.o.cache.add(&stream{key: l.Stream, lsn: statestore.NoOffset, index: math.MaxInt})
	}
	r.streams = append(r.streams, lost...)
}

// End is the offset before which the log has to be read.
func (r *Rebuilding) End() int64 {
	end := int64(0)
	for _, before := range r.lost {
		end = max(end, before)
	}
	return end
}

// Apply lets the lost streams learn their events among these, which follow those of the
// call before. Events of other streams change nothing. The predictions are forgotten.
func (r *Rebuilding) Apply(ctx context.Context, events []Event) error {
	if err := r.examine(ctx, events); err != nil {
		return err
	}
	r.o.result.reset()
	for i := range events {
		if before, lost := r.lost[string(events[i].Stream)]; lost && events[i].Offset < before {
			r.o.admit(&events[i])
		}
	}
	r.o.flush()
	r.o.result.reset()
	return nil
}

// examine looks whether the store has the events' streams, and takes on those that it has
// lost too, up to as many as the operator keeps in memory: before a checkpoint, which
// would save half a past, none of them can leave it.
func (r *Rebuilding) examine(ctx context.Context, events []Event) error {
	var keys []string
	for i := range events {
		name := string(events[i].Stream)
		if _, lost := r.lost[name]; lost || r.sound[name] || r.o.cache.live[name] != nil {
			continue
		}
		r.sound[name] = true
		keys = append(keys, name)
	}
	if len(keys) == 0 || len(r.lost) >= r.o.cfg.MaxStreams {
		return nil
	}
	_, lost, err := r.o.fetch(ctx, keys)
	if err != nil {
		for _, key := range keys {
			delete(r.sound, key) // the same call may be made again
		}
		return err
	}
	r.add(lost)
	return nil
}

// Finish ends the rebuilding and returns the streams that were computed again. Where the
// log no longer has the whole past, their next events carry phase Gap.
func (r *Rebuilding) Finish(whole bool) []LostStream {
	for _, l := range r.streams {
		s := r.o.cache.live[l.Stream]
		s.cut = !whole || s.lsn < l.Saved
		s.lsn = max(s.lsn, l.Saved)
	}
	return r.streams
}

// OnLoss is the operator's policy.
func (o *Operator) OnLoss() OnLoss { return o.cfg.OnLoss }

// Forget drops everything that is in memory.
func (o *Operator) Forget() {
	o.cache, o.dirty, o.evicted = newCache(), nil, statestore.NoOffset
}
