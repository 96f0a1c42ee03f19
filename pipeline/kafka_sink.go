package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
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
type KafkaSink struct {
	client *kafka.Client
	topic  string
	number int

	records []kafka.Record
}

// NewKafkaSink returns a sink for one partition of topic.
func NewKafkaSink(client *kafka.Client, topic string, partition int) *KafkaSink {
	return &KafkaSink{client: client, topic: topic, number: partition}
}

// Write implements [Sink]. Messages go out in order, in requests of bounded size.
// A single message that the topic does not take fails with [ErrRefused].
func (s *KafkaSink) Write(ctx context.Context, msgs []Message) error {
	for most := len(msgs); len(msgs) > 0; {
		n := min(fitting(msgs), most)
		err := s.produce(ctx, msgs[:n])
		if errors.Is(err, ErrRefused) && n > 1 {
			most = (n + 1) / 2 // the topic takes less than brokers usually do, or not one of them
			continue
		}
		if err != nil {
			return fmt.Errorf("produce %d records to %s-%d: %w", n, s.topic, s.number, err)
		}
		msgs = msgs[n:]
	}
	return nil
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

func (s *KafkaSink) produce(ctx context.Context, msgs []Message) error {
	if len(msgs) == 1 && msgs[0].size() > requestMaxBytes {
		return ErrRefused
	}
	s.records = s.records[:0]
	for i := range msgs {
		m := &msgs[i]
		s.records = append(s.records, kafka.Record{
			Time: time.UnixMilli(m.Time), Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: m.Headers,
		})
	}
	res, err := s.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: s.topic, Partition: s.number, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(s.records...),
	})
	if err == nil {
		err = res.Error
	}
	if errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.InvalidTimestamp) || errors.Is(err, kafka.InvalidRecord) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// ErrRefused means that the topic does not take the message, however often it is sent.
var ErrRefused = errors.New("the topic refuses the message (its size, its time, or that it has no key)")
