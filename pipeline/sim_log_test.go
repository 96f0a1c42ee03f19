package pipeline

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

// A simLog is one partition of an output topic, as its broker has it.
type simLog struct {
	records []simRecord // from offset 0, though those before first are deleted
	first   int64
	writers map[int64]*simWriter
}

type simRecord struct {
	Message
	id     batchID
	marker bool // of the end of a transaction
	commit bool
	// aborted and settled say how the record's transaction ended.
	aborted, settled bool
}

// A simWriter is what a partition knows of a producer.
type simWriter struct {
	epoch int16
	next  int32 // sequence
	last  []simBatch
}

// simLargest is the longest value that a simulated topic takes.
const simLargest = 700

// A simBatch is a batch as it was sent, or where it came to lie.
type simBatch struct {
	id     batchID
	msgs   []Message
	offset int64
}

// decodeSimBatch reads a produce request's record set with kafka-go.
func decodeSimBatch(set []byte) (simBatch, error) {
	var rs protocol.RecordSet
	if _, err := rs.ReadFrom(bytes.NewReader(set)); err != nil {
		return simBatch{}, err
	}
	b := rs.Records.(*protocol.RecordStream).Records[0].(*protocol.RecordBatch)
	batch := simBatch{id: batchID{b.ProducerID, b.ProducerEpoch, b.BaseSequence, b.Attributes.Transactional()}}
	for {
		r, err := b.ReadRecord()
		if errors.Is(err, io.EOF) {
			return batch, nil
		}
		if err != nil {
			return batch, err
		}
		m := Message{Time: r.Time.UnixMilli(), Headers: r.Headers}
		if m.Key, err = protocol.ReadAll(r.Key); err != nil {
			return batch, err
		}
		if m.Value, err = protocol.ReadAll(r.Value); err != nil {
			return batch, err
		}
		batch.msgs = append(batch.msgs, m)
	}
}

// append is the broker's check of a batch, and its writing.
func (l *simLog) append(b simBatch) (offset int64, failed int16) {
	for i := range b.msgs {
		if len(b.msgs[i].Value) > simLargest {
			return -1, code(kafka.MessageSizeTooLarge)
		}
	}
	if b.id.producer >= 0 {
		offset, done, failed := l.sequenced(&b)
		if done {
			return offset, failed
		}
	}
	offset = int64(len(l.records))
	for _, m := range b.msgs {
		m.Offset = int64(len(l.records))
		l.records = append(l.records, simRecord{Message: m, id: b.id, settled: !b.id.transactional})
	}
	return offset, 0
}

// sequenced says whether a batch is one that is there already, or is refused.
func (l *simLog) sequenced(b *simBatch) (offset int64, done bool, failed int16) {
	w := l.writers[b.id.producer]
	if w == nil {
		w = &simWriter{epoch: b.id.epoch, next: b.id.sequence}
		l.writers[b.id.producer] = w
	}
	switch {
	case b.id.epoch < w.epoch:
		return -1, true, code(kafka.InvalidProducerEpoch)
	case b.id.epoch > w.epoch:
		if b.id.sequence != 0 {
			return -1, true, code(kafka.OutOfOrderSequenceNumber)
		}
		*w = simWriter{epoch: b.id.epoch}
	}
	for _, old := range w.last {
		if old.id.sequence == b.id.sequence && len(old.msgs) == len(b.msgs) {
			return old.offset, true, 0
		}
	}
	if b.id.sequence != w.next {
		return -1, true, code(kafka.OutOfOrderSequenceNumber)
	}
	w.next = following(w.next, len(b.msgs))
	w.last = append(w.last, simBatch{id: b.id, msgs: b.msgs, offset: int64(len(l.records))})
	if len(w.last) > 5 {
		w.last = w.last[1:]
	}
	return 0, false, 0
}

// mark writes the end of a producer's transaction.
func (l *simLog) mark(producer int64, epoch int16, commit, harmless bool) {
	for i := range l.records {
		if r := &l.records[i]; r.id.producer == producer && !r.settled {
			r.settled, r.aborted = true, !commit
		}
	}
	l.records = append(l.records, simRecord{
		Message: Message{Offset: int64(len(l.records))}, id: batchID{producer: producer, epoch: epoch}, marker: true, commit: commit, settled: true,
	})
	if w := l.writers[producer]; !harmless && (w == nil || w.epoch < epoch) {
		l.writers[producer] = &simWriter{epoch: epoch}
	}
}

// stable is the end of what a reader of committed records sees.
func (l *simLog) stable() int64 {
	for i := range l.records {
		if !l.records[i].settled {
			return int64(i)
		}
	}
	return int64(len(l.records))
}

// fetch returns up to n batches from an offset on, and the markers between them, which are
// so small that a real fetch holds thousands.
func (l *simLog) fetch(offset int64, n int, markersOnly bool) fetch.ResponsePartition {
	stable := l.stable()
	part := fetch.ResponsePartition{LastStableOffset: stable, HighWatermark: int64(len(l.records))}
	if offset < l.first || offset > int64(len(l.records)) {
		part.ErrorCode = code(kafka.OffsetOutOfRange)
		return part
	}
	stream := &protocol.RecordStream{}
	aborted := map[int64]bool{}
	for at := offset; at < stable && n > 0; at++ {
		r := &l.records[at]
		if r.marker {
			marker := protocol.NewControlBatch(protocol.ControlRecord{Offset: at, Type: int16(btoi(r.commit))})
			marker.ProducerID, marker.ProducerEpoch, marker.BaseOffset = r.id.producer, r.id.epoch, at
			stream.Records = append(stream.Records, marker)
			aborted[r.id.producer] = false
			continue
		}
		n--
		if r.aborted && !aborted[r.id.producer] {
			aborted[r.id.producer] = true
			part.AbortedTransactions = append(part.AbortedTransactions, fetch.ResponseTransaction{ProducerID: r.id.producer, FirstOffset: at})
		}
		rec := protocol.Record{Offset: at, Time: time.UnixMilli(r.Time), Headers: r.Headers}
		if markersOnly {
			rec.Headers = nil
		}
		batch := &protocol.RecordBatch{ProducerID: r.id.producer, ProducerEpoch: r.id.epoch, BaseOffset: at, Records: protocol.NewRecordReader(rec)}
		if r.id.transactional {
			batch.Attributes = protocol.Transactional
		}
		stream.Records = append(stream.Records, batch)
	}
	if len(stream.Records) > 0 {
		part.RecordSet.Records = stream
	}
	return part
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// seen is what a reader of committed records has been given, the deleted ones included.
func (l *simLog) seen() (msgs []Message) {
	for i := range l.records {
		if r := &l.records[i]; !r.marker && !r.aborted && r.settled {
			msgs = append(msgs, r.Message)
		}
	}
	return msgs
}
