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
	streams, depth, events, busy, checkpointed, savedStreams, savedBytes atomic.Int64
}

// Load may be called from any goroutine.
func (w *Worker) Load() Load {
	l := &w.load
	return Load{
		Streams: l.streams.Load(), ReplayDepth: l.depth.Load(), Events: l.events.Load(), Busy: time.Duration(l.busy.Load()),
		Checkpoint: time.Unix(0, l.checkpointed.Load()), SavedStreams: l.savedStreams.Load(), SavedBytes: l.savedBytes.Load(),
	}
}

func (l *loadCounters) batch(events int, took time.Duration) {
	l.events.Add(int64(events))
	l.busy.Add(int64(took))
}

func (l *loadCounters) position(streams int, depth int64) {
	l.streams.Store(int64(streams))
	l.depth.Store(depth)
}

func (l *loadCounters) checkpoint(at time.Time, o *operator.Operator) {
	streams, bytes := o.Saved()
	l.savedStreams.Store(streams)
	l.savedBytes.Store(bytes)
	l.checkpointed.Store(at.UnixNano())
	l.depth.Store(0)
}
