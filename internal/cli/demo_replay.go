package cli

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weirstream/weir/internal/sample"
	"github.com/weirstream/weir/internal/web"
	"github.com/weirstream/weir/pipeline"
)

const (
	// replayTick is how often the events that are due are produced.
	replayTick = 50 * time.Millisecond
	// wholeFields is how many of a machine's metrics are in its stream of many fields.
	wholeFields = 8
	maxSpeed    = 36_000
)

// A player produces the bundled telemetry to the input topic, each stream to one
// partition, over and over. Event times go on from pass to pass.
type player struct {
	streams []sample.Stream
	machine map[string][]int // places in streams of the fields of a machine's own stream
	names   []string         // of the machines, in order
	sinks   [demoPartitions]*pipeline.KafkaSink
	due     [demoPartitions][]pipeline.Message

	mu     sync.Mutex
	speed  float64 // seconds of telemetry in one
	row    int     // next to be produced
	breaks []*brokenStream
	last   map[string]float64 // value of a stream, as produced
}

func newPlayer(kafka *pipeline.Connection, streams []sample.Stream, speed float64) *player {
	p := &player{streams: streams, speed: speed, machine: make(map[string][]int), last: make(map[string]float64)}
	for i := range p.sinks {
		p.sinks[i] = pipeline.NewKafkaSink(kafka.Client(), demoInput, i)
	}
	for i, s := range streams {
		name := machineOf(s.Name)
		if p.machine[name] == nil {
			p.names = append(p.names, name)
		}
		if len(p.machine[name]) < wholeFields {
			p.machine[name] = append(p.machine[name], i)
		}
	}
	return p
}

func machineOf(stream string) string { return stream[:strings.IndexByte(stream, '/')] }

// period is the time between two rows in ms.
func (p *player) period() int64 { return p.streams[0].Times[1] - p.streams[0].Times[0] }

// timeOf is the event time of a row.
func (p *player) timeOf(row int) int64 { return p.streams[0].Times[0] + int64(row)*p.period() }

// run produces what is due until ctx ends.
func (p *player) run(ctx context.Context) error {
	tick := time.NewTicker(replayTick)
	defer tick.Stop()
	owed, at := 1.0, time.Now() // rows
	for {
		now := time.Now()
		owed += now.Sub(at).Seconds() * p.factor() * 1000 / float64(p.period())
		at = now
		for ; owed >= 1; owed-- {
			p.addRow()
		}
		if err := p.flush(ctx); err != nil {
			return unlessEnded(ctx, fmt.Errorf("replay: %w", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// addRow queues the next value of every stream.
func (p *player) addRow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, of := p.timeOf(p.row), p.row%len(p.streams[0].Times)
	for i := range p.streams {
		s := &p.streams[i]
		v := p.distort(s.Name, at, s.Values[of])
		p.last[s.Name] = v
		p.add(s.Name, at, `"value":`+strconv.FormatFloat(v, 'g', -1, 64))
	}
	for _, name := range p.names {
		var fields []string
		for place, i := range p.machine[name] {
			s := &p.streams[i]
			v := p.last[s.Name]
			if place == 0 {
				v = p.distort(name, at, v)
				p.last[name] = v
			}
			fields = append(fields, strconv.Quote(s.Name[len(name)+1:])+":"+strconv.FormatFloat(v, 'g', -1, 64))
		}
		p.add(name, at, `"values":{`+strings.Join(fields, ",")+"}")
	}
	p.row++
}

// add queues one event.
func (p *player) add(stream string, at int64, values string) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(stream)) // never fails
	part := h.Sum32() % demoPartitions
	v := fmt.Appendf(nil, `{"stream":%q,"ts":%d,%s}`, stream, at, values)
	p.due[part] = append(p.due[part], pipeline.Message{Time: at, Key: []byte(stream), Value: v})
}

// flush produces what is queued.
func (p *player) flush(ctx context.Context) error {
	for i, msgs := range p.due {
		if len(msgs) == 0 {
			continue
		}
		if err := p.sinks[i].Write(ctx, msgs); err != nil {
			return err
		}
		p.due[i] = msgs[:0]
	}
	return nil
}

func (p *player) factor() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.speed
}

// setSpeed changes the replay's speed; 0 pauses it.
func (p *player) setSpeed(factor float64) error {
	if !(factor >= 0 && factor <= maxSpeed) {
		return fmt.Errorf("speed %v: use a number from 0 to %d", factor, maxSpeed)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.speed = factor
	return nil
}

// labels returns the incidents that a stream's machine is known to have had, and what was
// done to the stream, between two times.
func (p *player) labels(stream string, from, to int64) []web.Label {
	labels := p.brokenBetween(stream, from, to)
	machine, _, _ := strings.Cut(stream, "/")
	places := p.machine[machine]
	if len(places) == 0 {
		return labels
	}
	s := &p.streams[places[0]]
	pass := int64(len(s.Times)) * p.period()
	for start := (from - s.Times[0]) / pass * pass; s.Times[0]+start <= to; start += pass {
		for _, in := range s.Incidents {
			if in.End+start >= from && in.Start+start <= to {
				labels = append(labels, web.Label{Start: in.Start + start, End: in.End + start, Kind: "incident"})
			}
		}
	}
	return labels
}

// labelled reports whether a stream's event lies in one of its machine's labelled
// incidents.
func (p *player) labelled(stream string, at int64) bool {
	for _, l := range p.labels(stream, at, at) {
		if l.Kind == "incident" {
			return true
		}
	}
	return false
}

// lookup returns a stream that is played; of one with many fields, the field that is broken
// when the stream is: its first.
func (p *player) lookup(stream string) (*sample.Stream, error) {
	if places := p.machine[stream]; len(places) > 0 {
		return &p.streams[places[0]], nil
	}
	for i := range p.streams {
		if p.streams[i].Name == stream {
			return &p.streams[i], nil
		}
	}
	return nil, fmt.Errorf("stream %.64q is not played", stream)
}
