package operator

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A counter is what a field with a Cumulative or CumulativeMean number remembers: without
// the last one, the next says nothing.
type counter struct {
	total float64 // the last count, or of a mean the sum that it stands for
	time  int64   // its event's, in Unix milliseconds
	start int64   // when the counting began, in Unix milliseconds; 0 where not known
	seen  bool
}

// since returns how much was counted, and in how many seconds, from the last total to this
// one. A total that has fallen, or a later start, means that the counting began anew.
func (c *counter) since(total float64, at, start int64) (increase, seconds float64, ok bool) {
	if !c.seen || at <= c.time {
		return 0, 0, false
	}
	increase, seconds = total-c.total, (float64(at)-float64(c.time))/1000
	if c.restarted(total, start) {
		increase = total
		if from := float64(at) - float64(start); start != 0 && from > 0 {
			seconds = from / 1000
		}
	}
	return increase, seconds, increase-increase == 0
}

func (c *counter) restarted(total float64, start int64) bool {
	return total < c.total || start != 0 && c.start != 0 && start > c.start
}

// counts reports whether any of the event's numbers has counted.
func (ev *Event) counts() bool {
	for i := range ev.Fields {
		if ev.Fields[i].Kind != Instant {
			return true
		}
	}
	return false
}

// rates makes of an event's counts what can be scored, in place: rates, and means over what
// has come since the stream's last event. A field that has nothing to be held against yet,
// such as the first count of all, is taken out of the event.
func (s *stream) rates(ev *Event, m *Model) {
	var counted, seconds float64 // of the event's Cumulative field
	hasCount := false
	var total float64
	for i := range ev.Fields {
		if f := &ev.Fields[i]; f.Kind == Cumulative {
			total = f.Value
			counted, seconds, hasCount = s.count(f.Name, f.Value, ev, m)
			f.Value = counted / seconds
		}
	}
	kept := ev.Fields[:0]
	for _, f := range ev.Fields {
		has := f.Kind == Instant || f.Kind == Cumulative && hasCount
		if f.Kind == CumulativeMean {
			sum, _, ok := s.count(f.Name, f.Value*total, ev, m)
			f.Value = sum / counted
			has = ok && hasCount
		}
		if has && f.Value-f.Value == 0 { // finite: 0/0 where nothing came
			f.Kind = Instant
			kept = append(kept, f)
		}
	}
	ev.Fields = kept
}

// count moves the named field's counter to a total, and returns what since does.
func (s *stream) count(name []byte, total float64, ev *Event, m *Model) (increase, seconds float64, ok bool) {
	c := &s.grow(name, m).counter
	increase, seconds, ok = c.since(total, ev.Time, ev.Start)
	if total-total == 0 {
		*c = counter{total: total, time: ev.Time, start: ev.Start, seen: true}
	}
	return increase, seconds, ok
}

// counterSize is the length of a counter's record: total, time, start, each 8 bytes, and
// whether it has been seen, 1.
const counterSize = 25

func (c *counter) appendBinary(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(c.total))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.time))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.start))
	return append(b, byte(indicator(c.seen)))
}

func (c *counter) decode(b []byte) error {
	*c = counter{
		total: math.Float64frombits(binary.LittleEndian.Uint64(b)), time: int64(binary.LittleEndian.Uint64(b[8:])),
		start: int64(binary.LittleEndian.Uint64(b[16:])), seen: b[24] == 1,
	}
	if c.total-c.total != 0 || b[24] > 1 {
		return fmt.Errorf("counter holds %v, flag %d", c.total, b[24])
	}
	return nil
}
