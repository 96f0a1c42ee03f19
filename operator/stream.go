package operator

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/fmath"
)

// A stream is everything that is remembered of one stream, of fixed size for its
// number of fields.
type stream struct {
	key string
	// lsn is the offset of the last event that was processed, learnt or not.
	lsn int64
	// index is that event's in its record. It is not stored: a checkpoint falls between
	// records, so that what was loaded has the whole of record lsn behind it.
	index int
	// logged is the log's clock at its last event, in Unix milliseconds; kept beside the
	// record by the store.
	logged int64
	// time is the last learnt event's, in Unix milliseconds.
	time int64
	// n is the number of learnt events.
	n int64
	// lateRun is the number of late events since the last learnt one.
	lateRun uint8
	judge   judge
	fields  []field // by name

	cut          bool // its past is not whole: the next event says so
	dirty        bool // differs from what the store has
	waiting      bool // has an event whose step is not done
	newer, older *stream
}

// A field is one number of a stream: its own statistics and its own SSM state, under
// the model's shared weights.
type field struct {
	name       []byte
	time       int64 // of its last learnt value, in Unix milliseconds
	counter    counter
	normalizer normalizer
	foresight  *foresight
	watch      watch
	state      ssm.State
}

// forget lets the stream begin anew.
func (s *stream) forget() {
	s.time, s.n, s.lateRun, s.judge, s.fields = 0, 0, 0, judge{}, nil
}

// newField returns a field without a past. It keeps name.
func newField(name []byte, m *Model) field {
	return field{name: name, foresight: new(foresight), state: m.ssm.NewState()}
}

// find returns the place of the field with this name, and whether it is there.
func (s *stream) find(name []byte) (int, bool) {
	return slices.BinarySearchFunc(s.fields, name, func(f field, name []byte) int {
		return bytes.Compare(f.name, name)
	})
}

// typicalGap is the stream's usual time between events in seconds, as its first field
// with a past of gaps knows it.
func (s *stream) typicalGap() float64 {
	for i := range s.fields {
		if n := &s.fields[i].normalizer; n.n >= 2 {
			return fmath.Exp(n.logGap)
		}
	}
	return defaultGap
}

// field returns the stream's field of this name, nil where it has none.
func (s *stream) field(name []byte) *field {
	if at, ok := s.find(name); ok {
		return &s.fields[at]
	}
	return nil
}

// nth is field for a name that most likely is that of field i.
func (s *stream) nth(i int, name []byte) *field {
	if i < len(s.fields) && bytes.Equal(s.fields[i].name, name) {
		return &s.fields[i]
	}
	return s.field(name)
}

// grow returns the stream's field of this name, which begins here where it has none.
func (s *stream) grow(name []byte, m *Model) *field {
	at, ok := s.find(name)
	if !ok {
		s.fields = slices.Insert(s.fields, at, newField(bytes.Clone(name), m))
	}
	return &s.fields[at]
}

// A record is a stream's bytes in the store, little-endian:
//
//	+-------+---------+----------+-------------+------+-------+----------+---------+
//	| magic | version | reserved |   lineage   | time |   n   | late run | fields  |
//	|   4   |    1    |    3     |     16      |  8   |   8   |    4     |    4    |
//	+-------+---------+----------+-------------+------+-------+----------+---------+
//	|  judge (judgeSize)                                                           |
//	+-------------+------+------+---------+------------+-----------+-------+-------+
//	| name length | name | time | counter | normalizer | foresight | watch | state |  a field, by name
//	|      2      |      |  8   |   25    |  (fixed)   |  (fixed)  |(fixed)|       |
//	+-------------+------+------+---------+------------+-----------+-------+-------+
//	| CRC-32C of all before: 4 |
//	+--------------------------+
//
// The offset of the last event is not in it: the store keeps it beside the record, in
// the same value.
const (
	recordMagic   = "WSTR"
	recordVersion = 4
	recordHead    = 4 + 1 + 3 + 16 + 8 + 8 + 4 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Errors of a record that cannot be used.
var (
	errRecord  = errors.New("corrupt stream record")
	errLineage = errors.New("stream record of another model")
)

// appendBinary appends the stream's record to b.
func (s *stream) appendBinary(b []byte, lineage Lineage) []byte {
	from := len(b)
	b = append(b, recordMagic...)
	b = append(b, recordVersion, 0, 0, 0)
	b = append(b, lineage[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.time))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.n))
	b = binary.LittleEndian.AppendUint32(b, uint32(s.lateRun))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s.fields)))
	b = s.judge.appendBinary(b)
	for i := range s.fields {
		f := &s.fields[i]
		b = binary.LittleEndian.AppendUint16(b, uint16(len(f.name)))
		b = append(b, f.name...)
		b = binary.LittleEndian.AppendUint64(b, uint64(f.time))
		b = f.counter.appendBinary(b)
		b = f.normalizer.appendBinary(b)
		b = f.foresight.appendBinary(b)
		b = f.watch.appendBinary(b)
		for _, v := range f.state {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli))
}

// decode reads a record that a model of the given lineage wrote.
func (s *stream) decode(b []byte, m *Model) error {
	if len(b) < recordHead+4 || string(b[:4]) != recordMagic {
		return fmt.Errorf("%w: %d bytes without the record's magic", errRecord, len(b))
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return fmt.Errorf("%w: checksum does not match", errRecord)
	}
	if b[4] != recordVersion || Lineage(b[8:24]) != m.lineage {
		return fmt.Errorf("%w: version %d, lineage %x", errLineage, b[4], b[8:24])
	}
	s.time = int64(binary.LittleEndian.Uint64(b[24:]))
	s.n = int64(binary.LittleEndian.Uint64(b[32:]))
	lateRun, n := binary.LittleEndian.Uint32(b[40:]), binary.LittleEndian.Uint32(b[44:])
	rest := body[recordHead:]
	if len(rest) < judgeSize || n > maxFields || s.n < 0 || lateRun >= lateRunLimit || b[5]|b[6]|b[7] != 0 {
		return fmt.Errorf("%w: %d events, late run %d, %d fields in %d bytes", errRecord, s.n, lateRun, n, len(b))
	}
	s.lateRun = uint8(lateRun)
	if err := s.judge.decode(rest[:judgeSize]); err != nil {
		return fmt.Errorf("%w: %w", errRecord, err)
	}
	return s.decodeFields(rest[judgeSize:], int(n), m)
}

// decodeFields reads n fields, which must be all that b holds.
func (s *stream) decodeFields(b []byte, n int, m *Model) error {
	s.fields = make([]field, n)
	for i := range s.fields {
		f := &s.fields[i]
		size, err := f.decode(b, m)
		if err != nil {
			return fmt.Errorf("%w: field %d: %w", errRecord, i, err)
		}
		if i > 0 && bytes.Compare(s.fields[i-1].name, f.name) >= 0 {
			return fmt.Errorf("%w: field %q out of order", errRecord, f.name)
		}
		b = b[size:]
	}
	if len(b) != 0 {
		return fmt.Errorf("%w: %d bytes too many", errRecord, len(b))
	}
	return nil
}

// decode reads one field from the start of b and returns its length there.
func (f *field) decode(b []byte, m *Model) (int, error) {
	if len(b) < 2 {
		return 0, io.ErrUnexpectedEOF
	}
	at := 2 + int(binary.LittleEndian.Uint16(b))
	normalizerAt := at + 8 + counterSize
	foresightAt := normalizerAt + normalizerSize
	watchAt := foresightAt + foresightSize
	stateAt := watchAt + watchSize
	end := stateAt + 4*m.ssm.StateLen()
	if len(b) < end {
		return 0, io.ErrUnexpectedEOF
	}
	*f = newField(bytes.Clone(b[2:at]), m)
	f.time = int64(binary.LittleEndian.Uint64(b[at:]))
	if err := f.counter.decode(b[at+8:]); err != nil {
		return 0, err
	}
	if err := f.normalizer.decode(b[normalizerAt:foresightAt]); err != nil {
		return 0, err
	}
	if err := f.foresight.decode(b[foresightAt:watchAt]); err != nil {
		return 0, err
	}
	if err := f.watch.decode(b[watchAt:stateAt]); err != nil {
		return 0, err
	}
	for i := range f.state {
		v := math.Float32frombits(binary.LittleEndian.Uint32(b[stateAt+4*i:]))
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return 0, fmt.Errorf("state holds %v", v)
		}
		f.state[i] = v
	}
	return end, nil
}
