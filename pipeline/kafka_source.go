package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"

	"github.com/weirstream/weir/statestore"
)

const (
	fetchWait     = 500 * time.Millisecond // longest wait of the broker for a first record
	fetchLimit    = 15 * time.Second       // a broker that answers later counts as gone
	fetchMaxBytes = 1 << 20                // aimed size of a fetch; one larger batch still comes whole
)

// A KafkaSource reads one partition with plain fetch requests, as a reader of
// committed data: it leaves out aborted transactions and their markers, which
// kafka-go's Reader and Client hand out as messages.
type KafkaSource struct {
	client *kafka.Client
	topic  string
	number int
	latest bool
	commit func(ctx context.Context, next int64) error

	position int64
}

// NewKafkaSource returns a source for one partition of topic. Without a position it
// begins at the log's first offset, or at its end if latest is set. The commit
// function is called by Commit.
func NewKafkaSource(client *kafka.Client, topic string, partition int, latest bool,
	commit func(ctx context.Context, next int64) error,
) *KafkaSource {
	return &KafkaSource{client: client, topic: topic, number: partition, latest: latest, commit: commit}
}

// Seek implements [Source].
func (s *KafkaSource) Seek(ctx context.Context, offset int64, past bool) (int64, error) {
	if offset == statestore.NoOffset {
		first, end, err := s.bounds(ctx)
		if err != nil {
			return 0, err
		}
		offset = first
		if s.latest && !past {
			offset = end
		}
	}
	s.position = offset
	return offset, nil
}

// bounds returns the log's first offset and the one after its last.
func (s *KafkaSource) bounds(ctx context.Context) (first, end int64, err error) {
	res, err := s.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{
			s.topic: {kafka.FirstOffsetOf(s.number), kafka.LastOffsetOf(s.number)},
		},
		IsolationLevel: kafka.ReadCommitted,
	})
	if err != nil {
		return 0, 0, fmt.Errorf("list offsets of %s: %w", s, err)
	}
	for _, p := range res.Topics[s.topic] {
		if p.Partition != s.number {
			continue
		}
		if p.Error != nil {
			return 0, 0, fmt.Errorf("list offsets of %s: %w", s, p.Error)
		}
		return p.FirstOffset, p.LastOffset, nil
	}
	return 0, 0, fmt.Errorf("list offsets of %s: the broker did not answer for it", s)
}

// Fetch implements [Source].
func (s *KafkaSource) Fetch(ctx context.Context, b *Batch) error {
	b.Reset()
	b.Next = s.position
	part, heads, err := s.roundTrip(ctx)
	if errors.Is(err, kafka.OffsetOutOfRange) {
		return s.leaveMissing(ctx, b)
	}
	if err != nil {
		return fmt.Errorf("fetch %s at offset %d: %w", s, s.position, err)
	}
	b.End = part.LastStableOffset
	if err := s.readBatches(part, heads, b); err != nil {
		return fmt.Errorf("read %s at offset %d: %w", s, s.position, err)
	}
	s.position = b.Next
	return nil
}

// roundTrip fetches at the present position.
func (s *KafkaSource) roundTrip(ctx context.Context) (*fetch.ResponsePartition, []batchHead, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	res, err := roundTripper(s.client).RoundTrip(ctx, s.client.Addr, &fetchExchange{fetchRequest: fetchRequest{fetch.Request{
		ReplicaID:      -1,
		MaxWaitTime:    int32(fetchWait / time.Millisecond),
		MinBytes:       1,
		MaxBytes:       fetchMaxBytes,
		IsolationLevel: int8(kafka.ReadCommitted),
		SessionID:      0,
		SessionEpoch:   -1, // no fetch session
		Topics: []fetch.RequestTopic{{
			Topic: s.topic,
			Partitions: []fetch.RequestPartition{{
				Partition:          int32(s.number),
				CurrentLeaderEpoch: -1,
				FetchOffset:        s.position,
				LogStartOffset:     -1,
				PartitionMaxBytes:  fetchMaxBytes,
			}},
		}},
	}}})
	if err != nil {
		return nil, nil, err
	}
	r := res.(*fetchResponse)
	if r.ErrorCode != 0 {
		return nil, nil, kafka.Error(r.ErrorCode)
	}
	if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		return nil, nil, errors.New("the broker's answer does not name the partition")
	}
	part := &r.Topics[0].Partitions[0]
	if part.ErrorCode != 0 {
		return nil, nil, kafka.Error(part.ErrorCode)
	}
	return part, r.heads, nil
}

func roundTripper(c *kafka.Client) kafka.RoundTripper {
	if c.Transport != nil {
		return c.Transport
	}
	return kafka.DefaultTransport
}

// leaveMissing goes on from the log's first offset where retention has removed the
// position. A position beyond the log's end means that the log is not the one that
// was read before; that is an error, not a reason to wait.
func (s *KafkaSource) leaveMissing(ctx context.Context, b *Batch) error {
	first, end, err := s.bounds(ctx)
	if err != nil {
		return err
	}
	if s.position >= first {
		return fmt.Errorf("fetch %s: offset %d is beyond the log's end %d: the topic was cut or created anew; "+
			"use another kafka.group_id to start over: %w", s, s.position, end, ErrLogReplaced)
	}
	b.Missing = first - s.position
	s.position, b.Next, b.End = first, first, end
	return nil
}

// readBatches copies the records of committed data at or after the position.
func (s *KafkaSource) readBatches(part *fetch.ResponsePartition, heads []batchHead, b *Batch) error {
	stream, ok := part.RecordSet.Records.(*protocol.RecordStream)
	if !ok {
		return nil // nothing yet
	}
	aborted := newAbortFilter(part.AbortedTransactions)
	for i, records := range stream.Records {
		at := len(b.Messages)
		var keep bool
		switch r := records.(type) {
		case *protocol.ControlBatch:
			if err := s.readMarker(r, aborted, b); err != nil {
				return err
			}
			continue
		case *protocol.RecordBatch:
			keep = !(r.Attributes.Transactional() && aborted.covers(r.ProducerID, r.BaseOffset))
		default:
			keep = true // message sets of old brokers know no transactions
		}
		if err := s.readRecords(records, keep, b); err != nil {
			return err
		}
		if i < len(heads) && heads[i].appendTime != noTime {
			for ; at < len(b.Messages); at++ {
				b.Messages[at].Time = heads[i].appendTime
			}
		}
	}
	// Compaction may have removed the last records of a batch, or all.
	if n := min(len(heads), len(stream.Records)); n > 0 {
		b.Next = max(b.Next, heads[n-1].last+1)
		b.Epoch = heads[n-1].epoch
	}
	if b.Next == s.position && len(stream.Records) > 0 {
		b.Next++ // an old broker's answer, which does not tell where the batch ends
	}
	return nil
}

// readMarker steps over a commit or abort marker.
func (s *KafkaSource) readMarker(c *protocol.ControlBatch, aborted *abortFilter, b *Batch) error {
	for {
		m, err := c.ReadControlRecord()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		const abortMarker = 0
		if m.Type == abortMarker {
			aborted.end(c.ProducerID)
		}
		b.Next = max(b.Next, m.Offset+1)
	}
}

// readRecords appends the records at or after the position, and moves b.Next past
// them even where they are not kept.
func (s *KafkaSource) readRecords(r protocol.RecordReader, keep bool, b *Batch) error {
	for {
		rec, err := r.ReadRecord()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.Offset < s.position || !keep {
			closeBytes(rec.Key, rec.Value)
		} else if err := b.appendRecord(rec); err != nil {
			return err
		}
		b.Next = max(b.Next, rec.Offset+1)
	}
}

// appendRecord copies rec into the batch's memory and gives kafka-go's back.
func (b *Batch) appendRecord(rec *protocol.Record) error {
	defer closeBytes(rec.Key, rec.Value)
	key, err := b.copyBytes(rec.Key)
	if err != nil {
		return err
	}
	value, err := b.copyBytes(rec.Value)
	if err != nil {
		return err
	}
	b.Messages = append(b.Messages, Message{
		Offset: rec.Offset, Time: rec.Time.UnixMilli(), Key: key, Value: value, Headers: rec.Headers,
	})
	return nil
}

func (b *Batch) copyBytes(src protocol.Bytes) ([]byte, error) {
	if src == nil {
		return nil, nil
	}
	dst := b.take(src.Len())
	_, err := io.ReadFull(src, dst)
	return dst, err
}

func closeBytes(bs ...protocol.Bytes) {
	for _, b := range bs {
		if b != nil {
			_ = b.Close() // gives pooled memory back; cannot fail
		}
	}
}

// Commit implements [Source].
func (s *KafkaSource) Commit(ctx context.Context, next int64) error { return s.commit(ctx, next) }

// String returns the partition as operators of Kafka write it.
func (s *KafkaSource) String() string { return fmt.Sprintf("partition %s-%d", s.topic, s.number) }

// ErrLogReplaced means that the log is shorter than the cursor, so it is not the log that the
// stored states were computed from.
var ErrLogReplaced = errors.New("input log was replaced")

// An abortFilter tells which transactional batches of a fetch belong to aborted
// transactions (Kafka protocol, fetch response: aborted_transactions).
type abortFilter struct {
	pending []fetch.ResponseTransaction // by first offset
	open    map[int64]bool              // producers inside an aborted transaction
}

func newAbortFilter(txns []fetch.ResponseTransaction) *abortFilter {
	sort.Slice(txns, func(i, j int) bool { return txns[i].FirstOffset < txns[j].FirstOffset })
	return &abortFilter{pending: txns, open: make(map[int64]bool, len(txns))}
}

// covers reports whether producer's batch at offset was aborted. Offsets ascend from
// call to call.
func (f *abortFilter) covers(producer, offset int64) bool {
	for len(f.pending) > 0 && f.pending[0].FirstOffset <= offset {
		f.open[f.pending[0].ProducerID] = true
		f.pending = f.pending[1:]
	}
	return f.open[producer]
}

// end closes producer's aborted transaction at its marker.
func (f *abortFilter) end(producer int64) { delete(f.open, producer) }
