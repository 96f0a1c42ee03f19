package cli

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/weirstream/weir/internal/web"
)

// breakKinds are the ways in which a stream's source can be broken.
var breakKinds = []string{"spike", "level shift", "drop-out", "stuck sensor"}

// breakRows is how long each lasts, in events.
var breakRows = map[string]int{"spike": 3, "level shift": 240, "drop-out": 30, "stuck sensor": 180}

const (
	keptBreaks = 12
	// judgeRows is how many events after a fault an alarm still counts as its detection.
	judgeRows = 60
)

// A brokenStream is a fault that somebody put into a stream's source, and when it was
// found. Event times are Unix milliseconds.
type brokenStream struct {
	ID     int    `json:"id"`
	Stream string `json:"stream"`
	Kind   string `json:"kind"`
	Start  int64  `json:"start"` // first event that differs
	End    int64  `json:"end"`
	// Found is the time of the first event with an alarm, 0 before; Late says that none
	// came in time.
	Found int64 `json:"found"`
	Late  bool  `json:"late"`
	// Events is how many events it took, the alarm's included; Millis the time by the
	// clock, through Kafka, the operator and Kafka again.
	Events int   `json:"events"`
	Millis int64 `json:"millis"`

	size  float64 // of the change
	held  float64 // by a stuck sensor
	begun time.Time
}

// breakStream lets the source of a stream go wrong from its next event on.
func (p *player) breakStream(stream, kind string) error {
	rows, ok := breakRows[kind]
	if !ok {
		return fmt.Errorf("kind %q: use one of %s", kind, strings.Join(breakKinds, ", "))
	}
	s, err := p.lookup(stream)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &brokenStream{
		Stream: stream, Kind: kind, Start: p.timeOf(p.row), End: p.timeOf(p.row + rows - 1),
		size: changeOf(s.Values, kind), held: p.last[stream], begun: time.Now(),
	}
	for _, other := range p.breaks {
		if other.Stream == stream && other.End >= b.Start {
			return fmt.Errorf("%s has a %s already", stream, other.Kind)
		}
		b.ID = other.ID
	}
	b.ID++
	if len(p.breaks) == keptBreaks {
		p.breaks = p.breaks[1:]
	}
	p.breaks = append(p.breaks, b)
	return nil
}

// changeOf is how far a fault moves a stream's values: multiples of what is usual there.
func changeOf(values []float64, kind string) float64 {
	sum, square := 0.0, 0.0
	for _, v := range values {
		sum += v
		square += v * v
	}
	n := float64(len(values))
	deviation := math.Sqrt(max(square/n-sum/n*(sum/n), 0))
	if kind == "spike" {
		return max(8*deviation, 0.5)
	}
	return max(4*deviation, 0.25)
}

// distort is what a stream's source says instead of v; p.mu is held.
func (p *player) distort(stream string, at int64, v float64) float64 {
	for _, b := range p.breaks {
		if b.Stream != stream || at < b.Start || at > b.End {
			continue
		}
		switch b.Kind {
		case "spike", "level shift":
			return v + b.size
		case "drop-out":
			return 0
		case "stuck sensor":
			return b.held
		}
	}
	return v
}

// alarmed is told of every event with an alarm: of a broken stream, the first ends the
// wait.
func (p *player) alarmed(stream string, at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.breaks {
		if b.Stream != stream || b.Found != 0 || b.Late || at < b.Start || at > b.End+judgeRows*p.period() {
			continue
		}
		b.Found = at
		b.Events = int((at-b.Start)/p.period()) + 1
		b.Millis = time.Since(b.begun).Milliseconds()
	}
}

// broken returns what was done lately, newest first.
func (p *player) broken() []brokenStream {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]brokenStream, 0, len(p.breaks))
	for _, b := range slices.Backward(p.breaks) {
		b.Late = b.Found == 0 && p.timeOf(p.row) > b.End+2*judgeRows*p.period()
		list = append(list, *b)
	}
	return list
}

// brokenBetween returns what was done to a stream as labels.
func (p *player) brokenBetween(stream string, from, to int64) []web.Label {
	p.mu.Lock()
	defer p.mu.Unlock()
	labels := []web.Label{}
	for _, b := range p.breaks {
		if b.Stream == stream && b.End >= from && b.Start <= to {
			labels = append(labels, web.Label{Start: b.Start, End: b.End, Kind: b.Kind})
		}
	}
	return labels
}
