package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// transactionTimeout is after how long without an end the coordinator aborts a
	// transaction. It must outlast the time between two checkpoints, and not the broker's
	// transaction.max.timeout.ms (15 minutes).
	transactionTimeout = time.Minute
	concurrentWait     = 20 * time.Millisecond
	concurrentTries    = 250
)

// A producer is one partition's identity towards the brokers that take its outputs. Every
// taking of the identity is an epoch, and a broker that has seen an epoch in a partition
// refuses every lower one there.
type producer struct {
	client *kafka.Client
	id     string // the transactional id

	number int // the producer id that the transactional id stands for
	epoch  int

	begun  []*KafkaSink // partitions of the open transaction
	ending bool         // its end was asked for, the answer is not there yet
}

// transactionalID names the writer of the outputs of one input partition.
func transactionalID(group, topic string, partition int) string {
	return group + "/" + topic + "/" + strconv.Itoa(partition)
}

// take begins the next epoch. What an earlier one has in an open transaction is aborted.
func (p *producer) take(ctx context.Context) error {
	p.begun, p.ending = nil, false
	err := p.settled(ctx, func() error {
		res, err := p.client.InitProducerID(ctx, &kafka.InitProducerIDRequest{
			TransactionalID: p.id, TransactionTimeoutMs: int(transactionTimeout / time.Millisecond),
			ProducerID: -1, ProducerEpoch: -1,
		})
		if err == nil {
			err = res.Error
		}
		if err == nil {
			p.number, p.epoch = res.Producer.ProducerID, res.Producer.ProducerEpoch
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("take transactional id %q (allow Write and Describe on it, or set delivery: at_least_once): %w", p.id, err)
	}
	return nil
}

// fence writes this epoch's mark into the sinks' partitions, after which they take nothing
// of a lower one. The mark is the end of a transaction in which nothing was written: a
// control batch, which readers of Kafka do not hand out.
func (p *producer) fence(ctx context.Context, sinks ...*KafkaSink) error {
	for _, s := range sinks {
		if err := p.begin(ctx, s); err != nil {
			return err
		}
	}
	return p.end(ctx)
}

// begin adds a sink's partition to the transaction, which it opens if there is none.
func (p *producer) begin(ctx context.Context, s *KafkaSink) error {
	if slices.Contains(p.begun, s) {
		return nil
	}
	err := p.settled(ctx, func() error {
		res, err := p.client.AddPartitionsToTxn(ctx, &kafka.AddPartitionsToTxnRequest{
			TransactionalID: p.id, ProducerID: p.number, ProducerEpoch: p.epoch,
			Topics: map[string][]kafka.AddPartitionToTxn{s.topic: {{Partition: s.number}}},
		})
		if err != nil {
			return err
		}
		for _, part := range res.Topics[s.topic] {
			if part.Error != nil {
				return part.Error
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("begin a transaction of %q on %s-%d: %w", p.id, s.topic, s.number, err)
	}
	p.begun = append(p.begun, s)
	return nil
}

// end commits the open transaction. It may be called again after an error.
func (p *producer) end(ctx context.Context) error {
	p.ending = true
	err := p.settled(ctx, func() error {
		res, err := p.client.EndTxn(ctx, &kafka.EndTxnRequest{
			TransactionalID: p.id, ProducerID: p.number, ProducerEpoch: p.epoch, Committed: true,
		})
		if err == nil {
			err = res.Error
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("commit the transaction of %q: %w", p.id, err)
	}
	p.begun, p.ending = nil, false
	return nil
}

// settled calls fn again while the coordinator is still ending the transaction before:
// its answer to the end comes ahead of the marks in the partitions.
func (p *producer) settled(ctx context.Context, fn func() error) error {
	for try := 1; ; try++ {
		err := fn()
		if !errors.Is(err, kafka.ConcurrentTransactions) || try == concurrentTries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(concurrentWait):
		}
	}
}

// overtaken reports whether a broker no longer takes this epoch or this sequence: another
// process has taken the identity, or the broker has forgotten it.
func overtaken(err error) bool {
	for _, code := range []kafka.Error{
		kafka.InvalidProducerEpoch, kafka.ProducerFenced, kafka.OutOfOrderSequenceNumber, kafka.UnknownProducerId,
		kafka.InvalidProducerIDMapping, kafka.InvalidTransactionState, kafka.TransactionCoordinatorFenced,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}
