package web

import (
	"context"
	"sync"
	"time"
)

const (
	meterTick = 500 * time.Millisecond
	// rateTicks is how many ticks a rate is taken over.
	rateTicks = 6
	// keptSamples bounds the history; when it is full, every second sample goes.
	keptSamples = 240
)

// Work is what a process has done since it began, and what it holds.
type Work struct {
	Events       int64     `json:"events"`
	BusySeconds  float64   `json:"busy_seconds"` // decoding, stepping and encoding
	Partitions   int       `json:"partitions"`
	Streams      int64     `json:"streams_in_memory"`
	ReplayDepth  int64     `json:"replay_depth"`  // events that a restart now would read again
	Checkpoint   time.Time `json:"checkpoint"`    // the oldest of the partitions' last ones
	SavedStreams int64     `json:"saved_streams"` // with one field
	SavedBytes   int64     `json:"saved_bytes"`
	Model        string    `json:"model"`
}

// A Sample is a Meter's history at one moment.
type Sample struct {
	Time   int64    `json:"time"` // Unix milliseconds
	Events int64    `json:"events"`
	Rate   float64  `json:"events_per_second"`
	Bytes  nullable `json:"bytes_per_stream"` // of the records saved since the last sample
}

// Counters are what the page counts.
type Counters struct {
	// Running says that the operator answers.
	Running       bool      `json:"running"`
	Work          Work      `json:"work"`
	Rate          float64   `json:"events_per_second"`
	Micros        nullable  `json:"microseconds_per_event"` // lately
	Bytes         nullable  `json:"bytes_per_stream"`
	CheckpointAge float64   `json:"checkpoint_age_s"`
	Dropped       int64     `json:"not_shown"` // events that the board had no time or room for
	Incidents     Budget    `json:"incidents"`
	History       []Sample  `json:"history,omitempty"`
	Now           time.Time `json:"now"`
}

// A Budget is how many incidents there were, and how many false alarms were allowed.
type Budget struct {
	Total       int     `json:"total"`
	Open        int     `json:"open"`
	FalseAlarms int     `json:"false_alarms"` // that a person called so
	Allowed     float64 `json:"allowed"`      // by the budget, over the streams' time watched
	StreamWeeks float64 `json:"stream_weeks"`
}

// A Meter turns what a process has done into rates, and remembers them. It is fed by one
// goroutine and read by any.
type Meter struct {
	read func(ctx context.Context) (Work, error)

	mu      sync.Mutex
	running bool
	work    Work
	before  Work // of processes that have ended
	lately  []Work
	times   []time.Time
	bytes   float64
	history []Sample
	stride  int // ticks between samples that are kept
	ticks   int
}

// NewMeter returns a meter of what read reports. An error of read means that the process
// is not there.
func NewMeter(read func(ctx context.Context) (Work, error)) *Meter {
	return &Meter{read: read, stride: 1}
}

// Run reads until ctx ends.
func (m *Meter) Run(ctx context.Context) error {
	tick := time.NewTicker(meterTick)
	defer tick.Stop()
	for {
		work, err := m.read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		m.take(work, err, time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// take takes one reading in. A process that was started again counts on.
func (m *Meter) take(work Work, err error, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running = err == nil; !m.running {
		m.lately, m.times = nil, nil
		return
	}
	if work.Events+m.before.Events < m.work.Events {
		m.before = m.work
		m.lately, m.times = nil, nil
	}
	work.Events += m.before.Events
	work.BusySeconds += m.before.BusySeconds
	work.SavedStreams += m.before.SavedStreams
	work.SavedBytes += m.before.SavedBytes
	fresh := 0.0
	if n := work.SavedStreams - m.work.SavedStreams; n > 0 {
		fresh = float64(work.SavedBytes-m.work.SavedBytes) / float64(n)
		m.bytes = fresh
	}
	m.work = work
	m.lately, m.times = append(m.lately, work), append(m.times, now)
	if len(m.lately) > rateTicks {
		m.lately, m.times = m.lately[1:], m.times[1:]
	}
	m.remember(now, fresh)
}

// remember adds a sample, thinning what there is when it becomes much.
func (m *Meter) remember(now time.Time, bytes float64) {
	if m.ticks++; m.ticks%m.stride != 0 || bytes == 0 {
		return
	}
	rate, _ := m.rates()
	m.history = append(m.history, Sample{Time: now.UnixMilli(), Events: m.work.Events, Rate: rate, Bytes: nullable(bytes)})
	if len(m.history) < keptSamples {
		return
	}
	m.stride *= 2
	for i := range keptSamples / 2 {
		m.history[i] = m.history[2*i+1]
	}
	m.history = m.history[:keptSamples/2]
}

// rates are events a second and microseconds an event, lately.
func (m *Meter) rates() (rate, micros float64) {
	n := len(m.lately)
	if n < 2 {
		return 0, 0
	}
	events := float64(m.lately[n-1].Events - m.lately[0].Events)
	busy := m.lately[n-1].BusySeconds - m.lately[0].BusySeconds
	return events / m.times[n-1].Sub(m.times[0]).Seconds(), 1e6 * busy / events
}

// counters returns the present counts, with or without their history.
func (m *Meter) counters(b *Board, history bool) Counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	rate, micros := m.rates()
	c := Counters{
		Running: m.running, Work: m.work, Rate: rate, Micros: nullable(micros), Bytes: nullable(m.bytes),
		Dropped: b.dropped.Load(), Incidents: b.budgetSoFar(), Now: now,
	}
	if m.work.ReplayDepth > 0 && !m.work.Checkpoint.IsZero() {
		c.CheckpointAge = now.Sub(m.work.Checkpoint).Seconds()
	}
	if history {
		c.History = append([]Sample{}, m.history...)
	}
	return c
}

// budgetSoFar compares the incidents with what the budget allows in the time watched.
func (b *Board) budgetSoFar() Budget {
	const week = 7 * 24 * 3600
	b.mu.RLock()
	defer b.mu.RUnlock()
	open := 0
	for _, in := range b.alarms.kept {
		if in.Open {
			open++
		}
	}
	return Budget{
		Total: b.alarms.total, Open: open, FalseAlarms: b.alarms.judged,
		Allowed: b.seconds * b.budget, StreamWeeks: b.seconds / week,
	}
}
