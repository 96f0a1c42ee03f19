package statestore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// An entry is what the directory of a partition says of one stream: the offset and the
// time of the snapshot that was saved last. It is written in the same command as the
// snapshot and lies in another place, so that a snapshot that is lost is missed.
//
//	0        8        16        20
//	┌────────┬────────┬─────────┐
//	│ offset │  time  │ CRC-32C │   big end first
//	└────────┴────────┴─────────┘
type entry struct {
	offset, time int64
}

const entrySize = 20

// noEntry is the entry of a stream that was never saved.
var noEntry = entry{offset: NoOffset}

func appendEntry(buf []byte, s *Snapshot) []byte {
	start := len(buf)
	buf = binary.BigEndian.AppendUint64(buf, uint64(s.Offset))
	buf = binary.BigEndian.AppendUint64(buf, uint64(s.Time))
	return binary.BigEndian.AppendUint32(buf, crc32.Checksum(buf[start:], castagnoli))
}

// decodeEntry is appendEntry's inverse; ok is false where b is no entry.
func decodeEntry[T string | []byte](text T) (e entry, ok bool) {
	b := []byte(text)
	if len(b) != entrySize || crc32.Checksum(b[:16], castagnoli) != binary.BigEndian.Uint32(b[16:]) {
		return noEntry, false
	}
	e = entry{offset: int64(binary.BigEndian.Uint64(b)), time: int64(binary.BigEndian.Uint64(b[8:]))}
	return e, e.offset >= 0
}

// A stored stream is what a store has in a stream's two places, nil where nothing.
type stored struct {
	record, entry []byte
}

// snapshot puts the two together. The state aliases the record. Errors match ErrCorrupt or
// ErrLost, and come with the snapshot of an unknown stream and with the saved offset as
// far as it is known.
func (s stored) snapshot(key string) (snap Snapshot, saved int64, err error) {
	e, readable := decodeEntry(s.entry)
	unknown := Snapshot{Key: key, Offset: NoOffset}
	switch {
	case s.record != nil:
	case s.entry == nil:
		return unknown, NoOffset, nil
	case readable:
		return unknown, e.offset, fmt.Errorf("%w: saved as of offset %d, and gone", ErrLost, e.offset)
	default:
		return unknown, NoOffset, fmt.Errorf("%w: gone, and with it the offset it was saved as of", ErrLost)
	}
	offset, state, err := decodeRecord(s.record)
	switch {
	case err != nil:
		return unknown, e.offset, err
	case offset < e.offset:
		return unknown, e.offset, fmt.Errorf("%w: saved as of offset %d, and what is there is as of %d", ErrLost, e.offset, offset)
	}
	return Snapshot{Key: key, Offset: offset, Time: e.time, State: state}, offset, nil
}
