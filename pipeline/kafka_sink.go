package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// produceMaxBytes bounds a produce request. Brokers accept 1 MiB a batch unless told
// otherwise; the margin is the batch's own framing.
const produceMaxBytes = 900 << 10

// requestMaxBytes is well below what a broker reads of one request at most
// (socket.request.max.bytes, 100 MiB): beyond, it hangs up without a word.
const requestMaxBytes = 64 << 20

// recordOverhead is more than a record's framing without its headers' names.
const recordOverhead = 64

// A KafkaSink writes to one partition and waits for all in-sync replicas.
//
// One that belongs to a [Delivery] writes as its producer, in batches that the broker
// numbers, and knows up to which source offset its messages are in the log: it writes none
// of them again.
type KafkaSink struct {
	client *kafka.Client
	topic  string
	number int

	by       *Delivery // nil: writes at least once
	sequence int32     // of the next record
	unsure   int       // messages of a batch that may have been written at this sequence

	// Everything that passed this sink up to the place written is in the log. What passes
	// later lies at or after offset tail of the log.
	written place
	tail    int64

	buf []byte
}

// NewKafkaSink returns a sink for one partition of topic that writes at least once: what
// Write is called with is written, again where the call is made again.
func NewKafkaSink(client *kafka.Client, topic string, partition int) *KafkaSink {
	return &KafkaSink{client: client, topic: topic, number: partition, written: nowhere}
}

// Write implements [Sink]. Messages go out in order, in requests of bounded size.
// A single message that the topic does not take fails with [ErrRefused].
func (s *KafkaSink) Write(ctx context.Context, msgs []Message) error {
	most := len(msgs)
	for at := s.first(msgs); at < len(msgs); {
		n := s.batch(msgs[at:], most)
		err := s.produce(ctx, msgs[at:at+n])
		switch {
		case err == nil:
			at += n
		case errors.Is(err, ErrRefused) && n > 1:
			most = (n + 1) / 2 // the topic takes less than brokers usually do, or not one of them
		case s.by != nil && overtaken(err):
			if err := s.by.regain(ctx, err); err != nil {
				return fmt.Errorf("produce to %s-%d: %w", s.topic, s.number, err)
			}
			at = s.first(msgs)
		default:
			return fmt.Errorf("produce %d records to %s-%d: %w", n, s.topic, s.number, err)
		}
	}
	return nil
}

// first returns the index of the first message that is not in the log yet.
func (s *KafkaSink) first(msgs []Message) int {
	if s.by == nil {
		return 0
	}
	return sort.Search(len(msgs), func(i int) bool { return msgs[i].place().compare(s.written) > 0 })
}

// batch returns how many of msgs go into one request: as many as before where it is not
// known whether that one was written, or the broker could not tell that it was.
func (s *KafkaSink) batch(msgs []Message, most int) int {
	if s.unsure > 0 {
		return min(s.unsure, len(msgs))
	}
	return min(fitting(msgs), most)
}

// fitting returns how many of msgs go into one request: at least one.
func fitting(msgs []Message) int {
	size := 0
	for i := range msgs {
		size += msgs[i].size()
		if i > 0 && size > produceMaxBytes {
			return i
		}
	}
	return len(msgs)
}

func (m *Message) size() int {
	n := len(m.Key) + len(m.Value) + recordOverhead
	for _, h := range m.Headers {
		n += len(h.Key) + len(h.Value) + 8
	}
	return n
}

// produce writes one batch.
func (s *KafkaSink) produce(ctx context.Context, msgs []Message) error {
	if len(msgs) == 1 && msgs[0].size() > requestMaxBytes {
		return ErrRefused
	}
	id, transaction, err := s.identity(ctx)
	if err != nil {
		return err
	}
	s.buf = appendBatch(s.buf[:0], id, msgs)
	res, err := s.client.RawProduce(ctx, &kafka.RawProduceRequest{
		Topic: s.topic, Partition: s.number, RequiredAcks: kafka.RequireAll, TransactionalID: transaction,
		RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(s.buf)},
	})
	if err == nil {
		err = res.Error
	}
	switch {
	case err == nil:
		s.tail = max(s.tail, res.BaseOffset+int64(len(msgs)))
	case errors.Is(err, kafka.DuplicateSequenceNumber):
		// It is there already, and so long that the broker no longer knows where.
	case errors.Is(err, kafka.MessageSizeTooLarge), errors.Is(err, kafka.InvalidTimestamp), errors.Is(err, kafka.InvalidRecord):
		s.unsure = 0
		return fmt.Errorf("%w: %w", ErrRefused, err)
	default:
		s.unsure = len(msgs)
		s.buf = nil // what was given up may be on its way still
		return err
	}
	s.unsure = 0
	s.sequence = following(s.sequence, len(msgs))
	s.written = msgs[len(msgs)-1].place()
	return nil
}

// identity returns what the next batch says of its writer, and the transactional id where
// it belongs to a transaction.
func (s *KafkaSink) identity(ctx context.Context) (id batchID, transaction string, err error) {
	if s.by == nil {
		return nobody, "", nil
	}
	p := &s.by.producer
	if !s.by.ours {
		return id, "", kafka.InvalidProducerEpoch // taking it back was not finished
	}
	id = batchID{producer: int64(p.number), epoch: int16(p.epoch), sequence: s.sequence}
	if s.by.mode == Transactional {
		id.transactional, transaction = true, p.id
		err = p.begin(ctx, s)
	}
	return id, transaction, err
}

// ErrRefused means that the topic does not take the message, however often it is sent.
var ErrRefused = errors.New("the topic refuses the message (its size, its time, or that it has no key)")
