package web

import (
	"fmt"
	"math"
	"strconv"
)

// Points are the last events of one stream, as columns of one table:
//
//	time, offset, p_value, score, flags, then for each field value, yhat, lower, upper, share
//
// A row is one event. Flags are bits: 1 an alarm, 2 warming, 4 late, 8 after a gap.
type Points struct {
	Stream string `json:"stream"`
	// Topic and Partition, with a point's offset, are the id of its event.
	Topic     string   `json:"topic"`
	Partition int      `json:"partition"`
	Fields    []string `json:"fields"`
	// More says that the stream has fields which are not shown.
	More bool `json:"more_fields,omitempty"`
	// Seq counts the points that there were; whoever asks for those after it misses none.
	Seq    uint64     `json:"seq"`
	Points pointTable `json:"points"`
}

// pointTable is written as an array of rows.
type pointTable [][]float64

// MarshalJSON implements json.Marshaler, without reflection: there are many numbers.
func (t pointTable) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 64*len(t)+2)
	b = append(b, '[')
	for i, row := range t {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		for j, v := range row {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendNumber(b, j, v)
		}
		b = append(b, ']')
	}
	return append(b, ']'), nil
}

// appendNumber appends times, offsets and flags whole, scores in full and the rest with
// as many digits as a screen can show.
func appendNumber(b []byte, place int, v float64) []byte {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return append(b, "null"...)
	case place == pointTime || place == pointOffset || place == pointFlags:
		return strconv.AppendInt(b, int64(v), 10)
	case place == pointP:
		return strconv.AppendFloat(b, v, 'g', 3, 64)
	case place == pointScore:
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	}
	return strconv.AppendFloat(b, v, 'g', 8, 64)
}

// Points returns the points of a stream that came after the first since, at most most of
// them, the newest; false where the stream is not on the board.
func (b *Board) Points(stream string, since uint64, most int) (Points, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	w := b.streams[stream]
	if w == nil {
		return Points{}, false
	}
	return Points{
		Stream: w.name, Topic: w.topic, Partition: w.partition, Fields: append([]string{}, w.columns...), More: w.hidden,
		Seq: w.ring.seq, Points: w.ring.after(since, most),
	}, true
}

// Row returns one stream as a list shows it; false where it is not on the board.
func (b *Board) Row(stream string) (Row, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	w := b.streams[stream]
	if w == nil {
		return Row{}, false
	}
	return w.row(w.heated), true
}

// PartitionOf returns where a stream's events come from; false where it is not on the
// board.
func (b *Board) PartitionOf(stream string) (topic string, partition int, ok bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	w := b.streams[stream]
	if w == nil {
		return "", 0, false
	}
	return w.topic, w.partition, true
}

// eventID is the identity of an event: topic-partition-offset.
func eventID(topic string, partition int, offset float64) string {
	return fmt.Sprintf("%s-%d-%d", topic, partition, int64(offset))
}
