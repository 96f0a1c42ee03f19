package pipeline

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

// A fetchRequest is kafka-go's, with an answer that keeps what kafka-go reads over: the
// heads of the record batches. It sends the request itself, in place of kafka-go.
type fetchRequest struct{ fetch.Request }

var (
	_ protocol.BrokerMessage = (*fetchRequest)(nil)
	_ protocol.RawExchanger  = (*fetchExchange)(nil)
)

// A fetchResponse is kafka-go's with the heads of the batches, as many as are whole; none
// where the broker is older than Kafka 2.3.
type fetchResponse struct {
	fetch.Response
	heads []batchHead
}

// A batchHead is the part of a record batch's head (Kafka protocol, RecordBatch) that its
// records do not repeat.
type batchHead struct {
	first, last int64 // offsets, of records that compaction may have removed
	epoch       int32 // the leader's that took the batch
	appendTime  int64 // of all its records, in Unix milliseconds; noTime where each has its own
}

const (
	fetchVersion = 11 // kafka-go's greatest
	// logAppendTime is the attribute of batches whose records carry the broker's time.
	logAppendTime = 1 << 3
	// fetchAnswerMost bounds what is taken for an answer; the request asks for far less, but a
	// first batch comes whole.
	fetchAnswerMost = 1 << 30
)

// A fetchExchange is a fetchRequest on its way. The version is the connection's.
type fetchExchange struct {
	fetchRequest
	version int16
}

// Required implements protocol.RawExchanger.
func (r *fetchExchange) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[protocol.Fetch]
	return true
}

// RawExchange implements protocol.RawExchanger.
func (r *fetchExchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	const id = 1 // one request at a time is on a connection
	if err := protocol.WriteRequest(rw, r.version, id, "weir", &r.Request); err != nil {
		return nil, err
	}
	raw := make([]byte, 4)
	if _, err := io.ReadFull(rw, raw); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(raw)
	if size > fetchAnswerMost {
		return nil, fmt.Errorf("fetch answer of %d bytes", size)
	}
	raw = append(raw, make([]byte, size)...)
	if _, err := io.ReadFull(rw, raw[4:]); err != nil {
		return nil, err
	}
	got, res, err := protocol.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), protocol.Fetch, r.version)
	if err != nil {
		return nil, err
	}
	if got != id {
		return nil, fmt.Errorf("answer number %d to fetch number %d", got, id)
	}
	answer := &fetchResponse{Response: *res.(*fetch.Response)}
	if r.version == fetchVersion {
		answer.heads, err = batchHeads(raw[4:])
	}
	return answer, err
}

var errFetchAnswer = errors.New("the broker's answer to a fetch cannot be read")

// batchHeads reads the heads of the whole batches in an answer of version 11 for at most one
// partition.
func batchHeads(answer []byte) ([]batchHead, error) {
	r := byteReader{b: answer}
	r.skip(4 + 4 + 2 + 4) // correlation id, throttle time, error, session
	if r.int32() != 1 {
		return nil, r.fault()
	}
	r.skip(int(r.int16())) // topic
	if r.int32() != 1 {
		return nil, r.fault()
	}
	r.skip(4 + 2 + 8 + 8 + 8) // partition, error, high watermark, last stable offset, log start
	r.skip(16 * max(int(r.int32()), 0))
	r.skip(4) // preferred replica
	records := r.take(max(int(r.int32()), 0))
	if r.short {
		return nil, errFetchAnswer
	}
	var heads []batchHead
	for len(records) >= batchHeaderBytes && records[batchMagicAt] == batchMagic {
		base, length := int64(binary.BigEndian.Uint64(records)), int64(int32(binary.BigEndian.Uint32(records[batchLength:])))
		if length < batchHeaderBytes-12 || length > int64(len(records)-12) {
			break // cut off: it comes whole with the next fetch
		}
		h := batchHead{
			first: base, last: base + int64(binary.BigEndian.Uint32(records[batchLastDelta:])),
			epoch: int32(binary.BigEndian.Uint32(records[12:])), appendTime: noTime,
		}
		if binary.BigEndian.Uint16(records[batchAttributes:])&logAppendTime != 0 {
			h.appendTime = int64(binary.BigEndian.Uint64(records[batchMaxTime:]))
		}
		heads = append(heads, h)
		records = records[12+length:]
	}
	return heads, nil
}

// A byteReader takes big-endian numbers off bytes, zeros once they are short.
type byteReader struct {
	b     []byte
	short bool
}

func (r *byteReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.short = nil, true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *byteReader) skip(n int) { r.take(n) }

func (r *byteReader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *byteReader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// fault is an error where the answer was too short, and none where it names no partition.
func (r *byteReader) fault() error {
	if r.short {
		return errFetchAnswer
	}
	return nil
}
