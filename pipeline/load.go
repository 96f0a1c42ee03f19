package pipeline

import (
	"sync/atomic"
	"time"

	"github.com/weirstream/weir/operator"
)

// A Load is what a worker holds at one moment, and what it has done so far.
type Load struct {
	// Streams are in memory.
	Streams int64
	// ReplayDepth is the number of offsets between the last checkpoint and the present
	// position: what a restart now would read again.
	ReplayDepth int64
	// Lag is how many offsets the log's end was ahead of the position at the last fetch.
	Lag int64
	// Events were processed, in Busy: decoded, stepped and encoded, but not yet sent.
	Events int64
	Busy   time.Duration
	// Checkpoint is when the last one was made.
	Checkpoint time.Time
	// SavedStreams is the number of records of streams with one field that checkpoints have
	// written, SavedBytes their bytes.
	SavedStreams, SavedBytes int64
}

// loadCounters is a Load that its worker writes and others read.
type loadCounters struct {
	streams, depth, lag, events, busy, checkpointed, savedStreams, savedBytes atomic.Int64
}

// Load may be called from any goroutine.
func (w *Worker) Load() Load {
	l := &w.load
	return Load{
		Streams: l.streams.Load(), ReplayDepth: l.depth.Load(), Lag: l.lag.Load(), Events: l.events.Load(), Busy: time.Duration(l.busy.Load()),
		Checkpoint: time.Unix(0, l.checkpointed.Load()), SavedStreams: l.savedStreams.Load(), SavedBytes: l.savedBytes.Load(),
	}
}

func (l *loadCounters) batch(events int, took time.Duration) {
	l.events.Add(int64(events))
	l.busy.Add(int64(took))
}

func (l *loadCounters) position(streams int, depth, lag int64) {
	l.streams.Store(int64(streams))
	l.depth.Store(depth)
	l.lag.Store(max(lag, 0))
}

// CheckpointAge is how old the last checkpoint is while there is something that the next one
// would save.
func (l *Load) CheckpointAge() time.Duration {
	if l.ReplayDepth == 0 {
		return 0
	}
	return time.Since(l.Checkpoint)
}

func (l *loadCounters) checkpoint(at time.Time, o *operator.Operator) {
	streams, bytes := o.Saved()
	l.savedStreams.Store(streams)
	l.savedBytes.Store(bytes)
	l.checkpointed.Store(at.UnixNano())
	l.depth.Store(0)
}
