package pipeline

import (
	"context"

	"github.com/cespare/xxhash/v2"
	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/pipeline/encoding"
)

// A Message is one record of a log, read or to be written.
type Message struct {
	// Offset is the record's place in its partition; of an output, the place of the record
	// that it answers.
	Offset int64
	// Index tells the outputs of one event's record apart; ignored when reading. Offset and
	// Index ascend from output to output.
	Index int
	// Time is the record's timestamp in Unix milliseconds.
	Time    int64
	Key     []byte // nil where the record has none
	Value   []byte // nil for a tombstone
	Headers []kafka.Header
}

// Record is the message as decoders read it. Its headers are appended to headers, whose
// memory it keeps.
func (m *Message) Record(headers []encoding.Header) encoding.Record {
	for _, h := range m.Headers {
		headers = append(headers, encoding.Header{Key: h.Key, Value: h.Value})
	}
	return encoding.Record{Key: m.Key, Value: m.Value, Time: m.Time, Headers: headers}
}

// fingerprint identifies a record by place and content, so that a log that was cut
// or replaced under a stored cursor is recognised.
func (m *Message) fingerprint() uint64 {
	var d xxhash.Digest
	d.Reset()
	var place [16]byte
	putInt64(place[:8], m.Offset)
	putInt64(place[8:], m.Time)
	// A Digest never fails to write.
	_, _ = d.Write(place[:])
	_, _ = d.Write(m.Key)
	_, _ = d.Write([]byte{0})
	_, _ = d.Write(m.Value)
	return d.Sum64()
}

func putInt64(b []byte, v int64) {
	for i := range 8 {
		b[i] = byte(v >> (8 * i))
	}
}

// A Batch is what one Fetch returns. Its memory is reused by the next Fetch into it.
type Batch struct {
	Messages []Message
	// Next is the offset to go on from. It lies beyond the last message where the log
	// has places without one: transaction markers, compacted records.
	Next int64
	// End is the offset after the log's last record, as known at the fetch; NoOffset
	// where the source cannot know.
	End int64
	// Missing counts the events between the position asked for and the first offset
	// that the log still had.
	Missing int64
	// Epoch numbers the leader that the partition had when it took the last of the messages;
	// NoEpoch where that is not known.
	Epoch int32

	chunk []byte
}

// NoEpoch is the epoch of a batch from a source without leaders.
const NoEpoch int32 = -1

// minChunk is how much memory a Batch takes at a time for keys and values.
const minChunk = 256 << 10

// Reset empties b and keeps its memory.
func (b *Batch) Reset() {
	clear(b.Messages)
	b.Messages = b.Messages[:0]
	b.chunk = b.chunk[:0]
	b.Next, b.End, b.Missing, b.Epoch = 0, 0, 0, NoEpoch
}

// take returns n bytes that stay the batch's until Reset.
func (b *Batch) take(n int) []byte {
	if cap(b.chunk)-len(b.chunk) < n {
		b.chunk = make([]byte, 0, max(n, minChunk))
	}
	l := len(b.chunk)
	b.chunk = b.chunk[:l+n]
	return b.chunk[l : l+n : l+n]
}

// A Source is one partition of a log, read in order by one goroutine.
type Source interface {
	// Seek positions the source at an offset, statestore.NoOffset meaning where the
	// source begins for a reader without a past. It returns the resulting position.
	//
	// The past flag says that the reader had a past which was lost: it begins at the
	// first event that the log still has, whatever is configured for new readers.
	Seek(ctx context.Context, offset int64, past bool) (int64, error)
	// Fetch fills b with the next messages. It may return an empty batch after a while
	// without any, so that the caller can do its periodic work. A finite source
	// returns [ErrEnd] after its last message.
	Fetch(ctx context.Context, b *Batch) error
	// Commit tells the log that everything before offset next is done with.
	Commit(ctx context.Context, next int64) error
}

// A Sink writes messages to one partition of a log.
type Sink interface {
	// Write returns nil when every message is durable, in order. After an error, any
	// number of the messages may have been written: the caller writes all of them again.
	Write(ctx context.Context, msgs []Message) error
}
