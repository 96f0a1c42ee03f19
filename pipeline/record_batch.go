package pipeline

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// A batchID is what a record batch says of who wrote it. The broker refuses a batch of
// an epoch below the producer's latest, and one whose sequence does not follow the last.
type batchID struct {
	producer      int64
	epoch         int16
	sequence      int32 // of the batch's first record
	transactional bool
}

// nobody writes at least once: the broker takes its batches as they come.
var nobody = batchID{producer: -1, epoch: -1, sequence: -1}

// Places of a batch's fields, from its first byte (Kafka protocol, record batch version 2).
const (
	batchLength      = 8
	batchCRC         = 17
	batchAttributes  = 21 // the checksum covers everything from here on
	batchLastDelta   = 23
	batchFirstTime   = 27
	batchMaxTime     = 35
	batchProducer    = 43
	batchEpoch       = 51
	batchSequence    = 53
	batchCount       = 57
	batchHeaderBytes = 61
)

const (
	batchMagicAt       = 16
	batchMagic         = 2
	transactionalBatch = 1 << 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendBatch appends msgs, of which there is at least one, as one record batch behind its
// length in four bytes: a produce request's record set. kafka-go's own encoder writes
// batches of nobody only.
func appendBatch(buf []byte, id batchID, msgs []Message) []byte {
	start := len(buf) + 4
	buf = append(buf, make([]byte, 4+batchHeaderBytes)...)
	first, latest := msgs[0].Time, msgs[0].Time
	for i := range msgs {
		latest = max(latest, msgs[i].Time)
		buf = appendRecord(buf, &msgs[i], int64(i), msgs[i].Time-first)
	}
	b := buf[start:]
	be := binary.BigEndian
	be.PutUint32(buf[start-4:], uint32(len(b)))
	be.PutUint32(b[batchLength:], uint32(len(b)-batchLength-4))
	be.PutUint32(b[batchLength+4:], 1<<32-1) // the leader's epoch is not ours to know
	b[batchMagicAt] = batchMagic
	if id.transactional {
		be.PutUint16(b[batchAttributes:], transactionalBatch)
	}
	be.PutUint32(b[batchLastDelta:], uint32(len(msgs)-1))
	be.PutUint64(b[batchFirstTime:], uint64(first))
	be.PutUint64(b[batchMaxTime:], uint64(latest))
	be.PutUint64(b[batchProducer:], uint64(id.producer))
	be.PutUint16(b[batchEpoch:], uint16(id.epoch))
	be.PutUint32(b[batchSequence:], uint32(id.sequence))
	be.PutUint32(b[batchCount:], uint32(len(msgs)))
	be.PutUint32(b[batchCRC:], crc32.Checksum(b[batchAttributes:], castagnoli))
	return buf
}

// appendRecord appends one record of a batch: its place in it, its time after the first's.
func appendRecord(buf []byte, m *Message, place, after int64) []byte {
	size := 1 + varintBytes(after) + varintBytes(place) + nullableBytes(m.Key) + nullableBytes(m.Value) +
		varintBytes(int64(len(m.Headers)))
	for i := range m.Headers {
		h := &m.Headers[i]
		size += varintBytes(int64(len(h.Key))) + len(h.Key) + nullableBytes(h.Value)
	}
	buf = binary.AppendVarint(buf, int64(size))
	buf = append(buf, 0) // attributes, of which there are none yet
	buf = binary.AppendVarint(buf, after)
	buf = binary.AppendVarint(buf, place)
	buf = appendNullable(buf, m.Key)
	buf = appendNullable(buf, m.Value)
	buf = binary.AppendVarint(buf, int64(len(m.Headers)))
	for i := range m.Headers {
		h := &m.Headers[i]
		buf = binary.AppendVarint(buf, int64(len(h.Key)))
		buf = append(buf, h.Key...)
		buf = appendNullable(buf, h.Value)
	}
	return buf
}

// appendNullable appends b behind its length, -1 for nil.
func appendNullable(buf, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(buf, -1)
	}
	return append(binary.AppendVarint(buf, int64(len(b))), b...)
}

func nullableBytes(b []byte) int {
	if b == nil {
		return 1
	}
	return varintBytes(int64(len(b))) + len(b)
}

// varintBytes is the length of v as a zigzag varint: seven bits a byte.
func varintBytes(v int64) int {
	zigzag := uint64(v)<<1 ^ uint64(v>>63)
	return (bits.Len64(zigzag|1) + 6) / 7
}

// following returns the sequence after n more records: it goes from 2^31-1 on to 0.
func following(sequence int32, n int) int32 {
	return int32((uint32(sequence) + uint32(n)) & (1<<31 - 1))
}
