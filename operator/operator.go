package operator

import (
	"context"
	"fmt"
	"time"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/statestore"
)

const (
	// maxFields bounds the fields of one stream, and with them its bytes.
	maxFields = 256
	// batchRows is how many fields are stepped together.
	batchRows = 64
)

// Config is what an Operator needs to know beside its model.
type Config struct {
	// FalseAlarms is the budget: how many false alarms a second one stream may raise.
	FalseAlarms float64
	// Direction says which deviations are surprising.
	Direction Direction
	// MaxStreams is how many streams are kept in memory after a checkpoint. A stream
	// with many fields counts as many, since each has a state.
	MaxStreams int
	// OnLoss is what happens to streams whose stored state cannot be used.
	OnLoss OnLoss
	// IdleTTL is how long a stream may be without events, by the log's clock, before it
	// begins anew. 0 means for ever.
	IdleTTL time.Duration
	// Without are parts of the scoring to leave out, for measurements alone.
	Without Part
}

// An Operator advances the streams of one partition. It is not safe for concurrent
// use: one goroutine owns a partition.
type Operator struct {
	model     *Model
	store     statestore.Store
	partition statestore.Partition
	token     statestore.Token
	cfg       Config

	cache cache
	dirty []*stream // differ from the store
	// savedStreams is the number of records of one field saved so far, savedBytes their bytes.
	savedStreams, savedBytes int64
	gapAt                    int64 // events before this offset are missing from the log
	clock                    int64 // the log's, at the last event
	// claimed is the cursor that the claim found; evicted is the greatest offset of a stream
	// that has left memory since.
	claimed int64
	evicted int64
	// held is the token of the last claim, under which memory was filled; cursor is where
	// the last checkpoint moved the partition's.
	held   statestore.Token
	cursor int64

	stepper *ssm.Stepper
	rows    rows
	pending []pending // events whose rows are in rows
	// Of the event being scored: each field's surprise, and what those with a past say.
	surprises []float64
	signs     []signs
	// What a late event is judged by, so that the stream's own does not change.
	spareWatch watch
	spareJudge judge
	result     Result
	keys       []string
}

// New returns an operator for a partition that has yet to be claimed.
func New(m *Model, store statestore.Store, p statestore.Partition, token statestore.Token, cfg Config) *Operator {
	return &Operator{
		model: m, store: store, partition: p, token: token, cfg: cfg,
		cache: newCache(), stepper: m.ssm.NewStepper(maxFields), rows: newRows(), gapAt: statestore.NoOffset, evicted: statestore.NoOffset,
		held: statestore.NoToken, cursor: statestore.NoOffset,
	}
}

// ModelTag names the model and its lineage as outputs do: "telemetry-s@ab12cd34".
func (o *Operator) ModelTag() string { return o.model.Tag() }

// Streams returns how many streams are in memory.
func (o *Operator) Streams() int { return len(o.cache.live) }

// Crowded reports whether so many streams are in memory that a checkpoint should make
// room. Only a checkpoint may: evicting a stream saves its state, and a state must not
// be saved before the outputs of its events are acknowledged.
func (o *Operator) Crowded() bool {
	const slack = 1024
	return o.cache.size() > o.cfg.MaxStreams+slack
}

// MarkGap says that the log has lost the events before offset that were not yet
// processed. The first event of a known stream after it carries phase Gap.
func (o *Operator) MarkGap(offset int64) { o.gapAt = offset }

// A Result is what Apply made of a batch of events. Its memory is reused by the next
// Apply.
type Result struct {
	// Predictions, one for each event that was processed, in the events' order. An event of
	// counts alone that have nothing yet to be held against has none.
	Predictions []Prediction
	// Rejected events taught their streams nothing: they cannot take them.
	Rejected []Rejection
	// Skipped counts events that their streams had processed before.
	Skipped int
	// Restored counts streams that were loaded from the store.
	Restored int
	// Lost names streams whose stored state could not be used, and which began anew: the
	// policy is Cold.
	Lost []LostStream

	forecasts []Forecast
	shares    []float64
}

// A Rejection is an event that its stream cannot take.
type Rejection struct {
	Offset int64
	Index  int
	// Reason is one word, Detail is for people.
	Reason, Detail string
}

func (r *Result) reset() {
	*r = Result{
		Predictions: r.Predictions[:0], Rejected: r.Rejected[:0], Lost: r.Lost[:0],
		forecasts: r.forecasts[:0], shares: r.shares[:0],
	}
}

// Apply processes events in their order. Offsets must ascend. An event at or below
// its stream's last offset is skipped: the stream's state holds it already, and its
// output was acknowledged before that state was saved. An error comes from the store,
// before anything has changed: the same call may be made again. A *LossError asks for what
// the policy says to be done before.
func (o *Operator) Apply(ctx context.Context, events []Event) (Result, error) {
	o.result.reset()
	if err := o.load(ctx, events); err != nil {
		return Result{}, err
	}
	for i := range events {
		o.admit(&events[i])
	}
	o.flush()
	if n := len(events); n > 0 {
		o.clock = events[n-1].Logged
	}
	return o.result, nil
}

// load brings the events' streams into memory, all with one call to the store.
func (o *Operator) load(ctx context.Context, events []Event) error {
	o.keys = o.keys[:0]
	var asked map[string]bool
	for i := range events {
		name := events[i].Stream
		if o.cache.live[string(name)] == nil && !asked[string(name)] {
			if asked == nil {
				asked = make(map[string]bool)
			}
			o.keys = append(o.keys, string(name))
			asked[o.keys[len(o.keys)-1]] = true
		}
	}
	if len(o.keys) == 0 {
		return nil
	}
	sound, lost, err := o.fetch(ctx, o.keys)
	if err != nil {
		return err
	}
	for _, s := range sound {
		o.cache.add(s)
	}
	if len(lost) == 0 {
		return nil
	}
	if o.cfg.OnLoss != Cold {
		return &LossError{Streams: lost}
	}
	o.coldStart(lost)
	return nil
}

// Checkpoint saves every stream that changed since the last one, then moves the cursor
// to the given offset, before which lies the record with the given fingerprint. The
// outputs of all events before the cursor must have been acknowledged. It returns the
// number of saved streams. After an error the same call may be made again.
func (o *Operator) Checkpoint(ctx context.Context, cursor int64, fingerprint uint64) (int, error) {
	saved := 0
	for len(o.dirty) > 0 {
		n := o.chunk()
		if err := o.save(ctx, o.dirty[:n]); err != nil {
			return saved, err
		}
		saved += n
		o.dirty = o.dirty[n:]
	}
	o.dirty = nil
	to := statestore.Position{Cursor: cursor, Fingerprint: fingerprint, Gap: o.gapAt, Time: o.clock}
	if err := o.store.Advance(ctx, o.partition, o.token, to); err != nil {
		return saved, fmt.Errorf("advance cursor to %d: %w", cursor, err)
	}
	o.cursor = max(o.cursor, cursor)
	o.evicted = max(o.evicted, o.cache.evict(o.cfg.MaxStreams))
	return saved, nil
}

// saveFields bounds the bytes that a checkpoint holds beside the streams themselves, as
// fields of streams.
const saveFields = 256

// chunk returns how many dirty streams are saved together: at least one.
func (o *Operator) chunk() int {
	n, fields := 0, 0
	for n < len(o.dirty) && (n == 0 || fields+o.dirty[n].size() <= saveFields) {
		fields += o.dirty[n].size()
		n++
	}
	return n
}

func (o *Operator) save(ctx context.Context, streams []*stream) error {
	snaps := make([]statestore.Snapshot, len(streams))
	for i, s := range streams {
		snaps[i] = statestore.Snapshot{Key: s.key, Offset: s.lsn, Time: s.logged, State: s.appendBinary(nil, o.model.lineage)}
	}
	if err := o.store.Save(ctx, o.partition, o.token, snaps); err != nil {
		return fmt.Errorf("save %d streams: %w", len(snaps), err)
	}
	for i, s := range streams {
		s.dirty = false
		if len(s.fields) == 1 {
			o.savedStreams++
			o.savedBytes += int64(len(snaps[i].State))
		}
	}
	return nil
}

// Dirty reports whether a stream has changed since it was saved.
func (o *Operator) Dirty() bool { return len(o.dirty) > 0 }

// Saved returns how many records of streams with one field checkpoints have saved, and
// their bytes: what a stream costs, however many events it had.
func (o *Operator) Saved() (streams, bytes int64) { return o.savedStreams, o.savedBytes }
