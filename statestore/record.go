package statestore

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
)

// A snapshot is stored as one string of bytes, numbers big end first so that bytes
// order as the numbers do:
//
//	0        4         8         16        24        28
//	┌────────┬─────────┬─────────┬─────────┬─────────┬─────────┄┄
//	│ "weir" │ version │ offset  │ offset  │ CRC-32C │ state
//	│        │ uint32  │ int64   │ again   │ uint32  │
//	└────────┴─────────┴─────────┴─────────┴─────────┴─────────┄┄
//
// The CRC-32C covers every other byte, before and after it. The offset stands there
// twice for save.lua, which orders records but has no CRC: a damaged offset must not
// pass for a great one and refuse every later Save.
const (
	recordMagic   = "weir"
	recordVersion = 1
	recordHeader  = 28
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// recordCRC is the checksum of a whole record, its own field left out.
func recordCRC(record []byte) uint32 {
	return crc32.Update(crc32.Checksum(record[:24], castagnoli), castagnoli, record[recordHeader:])
}

// appendRecord appends the record of state as of offset to buf.
func appendRecord(buf []byte, offset int64, state []byte) []byte {
	start := len(buf)
	buf = append(buf, recordMagic...)
	buf = binary.BigEndian.AppendUint32(buf, recordVersion)
	buf = binary.BigEndian.AppendUint64(buf, uint64(offset))
	buf = binary.BigEndian.AppendUint64(buf, uint64(offset))
	buf = append(buf, 0, 0, 0, 0)
	buf = append(buf, state...)
	record := buf[start:]
	binary.BigEndian.PutUint32(record[24:], recordCRC(record))
	return buf
}

// decodeRecord takes a record apart. The state aliases it. Errors match ErrCorrupt.
func decodeRecord(record []byte) (offset int64, state []byte, err error) {
	if !bytes.HasPrefix(record, []byte(recordMagic)) {
		return NoOffset, nil, corrupt("%d bytes that are no snapshot", len(record))
	}
	if len(record) < recordHeader {
		return NoOffset, nil, corrupt("cut off after %d bytes", len(record))
	}
	if v := binary.BigEndian.Uint32(record[4:]); v != recordVersion {
		return NoOffset, nil, corrupt("format version %d, this program reads version %d", v, recordVersion)
	}
	stored, computed := binary.BigEndian.Uint32(record[24:]), recordCRC(record)
	if stored != computed {
		return NoOffset, nil, corrupt("checksum %08x, stored as %08x", computed, stored)
	}
	first, again := binary.BigEndian.Uint64(record[8:]), binary.BigEndian.Uint64(record[16:])
	if first != again || first > math.MaxInt64 {
		return NoOffset, nil, corrupt("offsets %d and %d", first, again)
	}
	return int64(first), record[recordHeader:], nil
}
