package web

import (
	"cmp"
	"context"
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// boardFloats is the memory of all rings together: 48 MiB.
	boardFloats = 6 << 20
	// minPoints and maxPoints bound how many points of a stream are kept: the more
	// streams, the fewer.
	minPoints, maxPoints = 128, 2048
	// maxStreams is how many streams of one column the board has room for.
	maxStreams = boardFloats / (minPoints * (pointHead + columnSize))
	// coolTime is the half-life of a stream's heat.
	coolTime = 20 * time.Second
)

// A Board keeps the last points of every stream that it is shown, in memory of fixed
// size, for whoever looks. Its methods may be called from any goroutine.
type Board struct {
	free, full chan *buffer
	dropped    atomic.Int64 // predictions that were not shown

	mu      sync.RWMutex
	streams map[string]*watched
	byID    []*watched
	floats  int // that rings of the present room would hold together
	room    int // points of each ring
	untold  int // sightings of streams that there was no room for
	budget  float64
	seconds float64 // of stream time that was watched
	alarms  incidentLog
}

// watched is one stream on the board.
type watched struct {
	id        int
	name      string
	topic     string
	partition int
	columns   []string
	ring      ring

	n       int64
	offset  int64 // of the last event, and its place in the record
	index   int
	hidden  bool // there are fields beyond columns
	heat    float64
	heated  time.Time
	seen    time.Time // when the last event came, by the clock
	episode episode
}

// NewBoard returns an empty board for streams with a budget of so many false alarms a
// second each. It shows something once Run runs.
func NewBoard(budget float64) *Board {
	b := &Board{
		free: make(chan *buffer, buffers), full: make(chan *buffer, buffers),
		streams: make(map[string]*watched), room: maxPoints, budget: budget,
	}
	for range buffers {
		b.free <- &buffer{}
	}
	return b
}

// Run puts what is observed on the board, until ctx ends.
func (b *Board) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case buf := <-b.full:
			b.take(buf)
			b.free <- buf
		}
	}
}

func (b *Board) take(buf *buffer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range buf.events {
		ev := &buf.events[i]
		w := b.streams[string(ev.name)]
		if w == nil {
			if w = b.admit(buf, ev); w == nil {
				b.untold++
				continue
			}
		}
		b.add(w, buf, ev)
	}
}

// admit makes room for a new stream. On a full board only one in an incident has a
// place: that of the coolest.
func (b *Board) admit(buf *buffer, ev *sighting) *watched {
	width := max(ev.beyond-ev.first, 1)
	id := len(b.byID)
	if b.floats+minPoints*(pointHead+columnSize*width) > boardFloats || id >= maxStreams {
		if ev.flags&flagAnomaly == 0 {
			return nil
		}
		id = b.retireCoolest(buf.at)
	}
	w := &watched{
		id: id, name: string(ev.name), topic: buf.topic, partition: buf.partition,
		ring: ring{width: width, room: b.room}, seen: buf.at,
	}
	for _, c := range buf.columns[ev.first:ev.beyond] {
		w.columns = append(w.columns, string(c.name))
	}
	if id == len(b.byID) {
		b.byID = append(b.byID, nil)
	}
	b.byID[id] = w
	b.streams[w.name] = w
	b.floats += minPoints * w.ring.stride()
	b.fit()
	return w
}

// fit shrinks all rings where together they would hold too much.
func (b *Board) fit() {
	room := boardFloats / (b.floats / minPoints)
	room = min(max(1<<(bits.Len(uint(room))-1), minPoints), maxPoints)
	if room >= b.room {
		return
	}
	b.room = room
	for _, w := range b.byID {
		w.ring.reshape(room, w.ring.width)
	}
}

// retireCoolest takes the least interesting stream off the board and returns its id.
func (b *Board) retireCoolest(now time.Time) int {
	coolest := slices.MinFunc(b.byID, func(v, w *watched) int { return cmp.Compare(v.heatAt(now), w.heatAt(now)) })
	delete(b.streams, coolest.name)
	b.floats -= minPoints * coolest.ring.stride()
	return coolest.id
}

// add puts one event on the board. One that was shown before, since it was replayed, is
// not shown again.
func (b *Board) add(w *watched, buf *buffer, ev *sighting) {
	if w.partition == buf.partition && w.topic == buf.topic && w.ring.len() > 0 &&
		cmp.Or(cmp.Compare(ev.offset, w.offset), cmp.Compare(ev.index, w.index)) <= 0 {
		return
	}
	if ev.n < w.n && ev.flags&flagLate == 0 {
		w.endEpisode() // it began anew
	}
	w.offset, w.index = ev.offset, ev.index
	w.partition, w.topic = buf.partition, buf.topic
	b.widen(w, buf, ev)
	row := w.ring.next()
	row[pointTime], row[pointOffset] = float64(ev.time), float64(ev.offset)
	row[pointP], row[pointScore], row[pointFlags] = ev.p, ev.score, float64(ev.flags)
	for i := range w.ring.width {
		clear(row[pointHead+i*columnSize:][:columnSize])
		row[pointHead+i*columnSize+columnValue] = math.NaN()
	}
	for _, c := range buf.columns[ev.first:ev.beyond] {
		if i, ok := slices.BinarySearch(w.columns, string(c.name)); ok {
			copy(row[pointHead+i*columnSize:], c.values[:])
		}
	}
	w.n, w.seen = ev.n, buf.at
	if ev.flags&flagLate == 0 && ev.gap > 0 {
		b.seconds += min(ev.gap, maxGapCounted)
	}
	w.warm(ev.score, buf.at)
	b.follow(w, ev)
}

// maxGapCounted is the longest silence, in seconds, that counts as time watched.
const maxGapCounted = 3600

// widen gives the stream the columns of an event that has more fields than those before.
func (b *Board) widen(w *watched, buf *buffer, ev *sighting) {
	for _, c := range buf.columns[ev.first:ev.beyond] {
		at, ok := slices.BinarySearch(w.columns, string(c.name))
		if ok {
			continue
		}
		if len(w.columns) >= maxColumns {
			w.hidden = true
			continue
		}
		w.columns = slices.Insert(w.columns, at, string(c.name))
		w.ring.insertColumn(at)
		b.floats += minPoints * columnSize
		b.fit()
	}
}

// warm takes in a score: a high one keeps the stream warm for a while.
func (w *watched) warm(score float64, now time.Time) {
	if score >= w.heatAt(now) {
		w.heat, w.heated = score, now
	}
}

// heatAt is the highest score of late, cooling.
func (w *watched) heatAt(now time.Time) float64 {
	return w.heat * math.Exp2(-float64(now.Sub(w.heated))/float64(coolTime))
}
