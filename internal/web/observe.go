package web

import (
	"time"

	"github.com/weirstream/weir/operator"
)

const (
	// maxColumns is how many of a stream's fields the board shows, the first by name.
	maxColumns = 16
	// maxNameBytes is the longest name of a stream that the board takes.
	maxNameBytes = 512
	// bufferEvents, and bufferColumns in all of them, are what one buffer holds.
	bufferEvents, bufferColumns = 1024, 4096
	// buffers bounds what waits between the workers and the board: 64k events.
	buffers = 64
)

// A buffer carries predictions of one partition from its worker to the board.
type buffer struct {
	topic     string
	partition int
	at        time.Time
	events    []sighting
	columns   []column
	names     []byte // of the events' streams, and of their columns
}

// A sighting is one prediction as the board keeps it.
type sighting struct {
	name          []byte // of the stream
	time, offset  int64
	n             int64
	index         int     // of the event in its record
	gap           float64 // in seconds
	p, score      float64
	flags         int
	first, beyond int // of its columns in the buffer
}

// A column is one field of a sighting.
type column struct {
	name   []byte
	values [columnSize]float64
}

// Observe takes a copy of what became of a batch of one partition's events. It never
// waits: where the board is behind, the predictions are dropped and counted. It is safe
// for concurrent use, but those of one partition must come in order.
func (b *Board) Observe(topic string, partition int, predictions []operator.Prediction) {
	for len(predictions) > 0 {
		var buf *buffer
		select {
		case buf = <-b.free:
		default:
			b.dropped.Add(int64(len(predictions)))
			return
		}
		buf.reset(topic, partition)
		n := 0
		for n < len(predictions) && buf.add(&predictions[n]) {
			n++
		}
		predictions = predictions[n:]
		b.full <- buf // there is room for every buffer
	}
}

func (buf *buffer) reset(topic string, partition int) {
	buf.topic, buf.partition, buf.at = topic, partition, time.Now()
	buf.events, buf.columns, buf.names = buf.events[:0], buf.columns[:0], buf.names[:0]
}

// add copies p, or returns false where the buffer is full.
func (buf *buffer) add(p *operator.Prediction) bool {
	fields := min(len(p.Fields), maxColumns)
	if len(buf.events) == bufferEvents || len(buf.columns)+fields > bufferColumns {
		return false
	}
	if len(p.Stream) > maxNameBytes {
		return true // not shown
	}
	first := len(buf.columns)
	for i := range fields {
		f := &p.Forecasts[i]
		c := column{
			name:   buf.keep(p.Fields[i].Name[:min(len(p.Fields[i].Name), maxNameBytes)]),
			values: [columnSize]float64{p.Fields[i].Value, f.YHat, f.Lower, f.Upper, 1},
		}
		if len(p.Attribution) > 0 {
			c.values[columnShare] = p.Attribution[i]
		}
		buf.columns = append(buf.columns, c)
	}
	buf.events = append(buf.events, sighting{
		name: buf.keep(p.Stream), time: p.Time, offset: p.Offset, n: p.N, index: p.Index, gap: p.GapSeconds,
		p: p.PValue, score: p.AnomalyScore, flags: flagsOf(p), first: first, beyond: len(buf.columns),
	})
	return true
}

// keep copies a name into the buffer. Where that moves, what was kept stays where it is.
func (buf *buffer) keep(name []byte) []byte {
	from := len(buf.names)
	buf.names = append(buf.names, name...)
	return buf.names[from:len(buf.names):len(buf.names)]
}

func flagsOf(p *operator.Prediction) int {
	flags := 0
	if p.IsAnomaly {
		flags |= flagAnomaly
	}
	switch p.Phase {
	case operator.Warming:
		flags |= flagWarming
	case operator.Late:
		flags |= flagLate
	case operator.Gap:
		flags |= flagGap
	}
	return flags
}
