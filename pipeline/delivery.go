package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/statestore"
)

// A DeliveryMode is what is promised of outputs.
type DeliveryMode string

// The modes, from the default on.
const (
	// ExactlyOnce: every output is in the log once, for every reader, without transactions.
	ExactlyOnce DeliveryMode = "exactly_once"
	// Transactional: outputs and the group's offsets of a checkpoint are one transaction; a
	// reader of committed records sees every output once, when it is checkpointed.
	Transactional DeliveryMode = "transactional"
	// AtLeastOnce: after a crash or a lost acknowledgement outputs are written again, with
	// the same ids and bytes.
	AtLeastOnce DeliveryMode = "at_least_once"
)

// A Delivery is all that one partition's worker writes to Kafka: scores, dead letters and
// the group's offset.
//
// In the first two modes a worker that takes over a partition begins a new epoch of the
// partition's producer and writes its mark into the output partitions, which from then on
// take nothing of the worker before. What that one had managed to write lies before the
// mark; it is read from there, and nothing of it is written again.
type Delivery struct {
	mode     DeliveryMode
	client   *kafka.Client
	owner    *Assignment
	log      *slog.Logger
	producer producer
	sinks    []*KafkaSink
	cursor   int64 // the store's at Open
	ours     bool  // the outputs are taken over
}

// NewDelivery returns the delivery of one assigned partition to one partition of each
// output topic.
func NewDelivery(mode DeliveryMode, owner *Assignment, log *slog.Logger, sinks ...*KafkaSink) *Delivery {
	d := &Delivery{mode: mode, client: owner.group.client, owner: owner, log: log, sinks: sinks}
	if mode == AtLeastOnce {
		return d
	}
	d.producer = producer{client: d.client, id: transactionalID(owner.group.cfg.ID, owner.Topic, owner.Partition)}
	for _, s := range sinks {
		s.by = d
	}
	return d
}

// Open takes the output partitions over. The outputs of everything before the store's
// cursor are known to be there. It may be called again after an error.
func (d *Delivery) Open(ctx context.Context, cursor int64) error {
	d.cursor = cursor
	if d.mode == AtLeastOnce {
		return nil
	}
	for _, s := range d.sinks {
		s.written = latest(s.written, allBefore(cursor))
	}
	return d.takeOver(ctx)
}

// takeOver shuts out whoever wrote before and learns what is written.
func (d *Delivery) takeOver(ctx context.Context) error {
	d.ours = false
	ends := make([]int64, 0, len(d.sinks))
	for _, s := range d.sinks {
		_, end, err := s.source().bounds(ctx)
		if err != nil {
			return err
		}
		ends = append(ends, end)
	}
	if err := d.producer.take(ctx); err != nil {
		return err
	}
	// One that slept through its loss of the partition must not shut out the owner.
	if err := d.owner.Alive(ctx); err != nil {
		return err
	}
	if err := d.producer.fence(ctx, d.sinks...); err != nil {
		return err
	}
	// Only now, when no one else's transaction is open, is the group's offset the last.
	known, err := d.committed(ctx)
	if err != nil {
		return err
	}
	for i, s := range d.sinks {
		if err := s.resume(ctx, known, ends[i]); err != nil {
			return fmt.Errorf("read what is written in %s-%d: %w", s.topic, s.number, err)
		}
	}
	d.ours = true
	for _, s := range d.sinks {
		d.log.Info("output taken over", "topic", d.owner.Topic, "partition", d.owner.Partition, "epoch", d.producer.epoch,
			"output", s.topic, "written_up_to", s.written.String())
	}
	return nil
}

// regain takes the outputs over again while this process is the partition's owner: then it
// was a late one that took them away, or the broker has forgotten the producer. Nothing is
// regained of a transaction, whose outputs are lost with it.
func (d *Delivery) regain(ctx context.Context, cause error) error {
	if d.mode == Transactional {
		return fmt.Errorf("%w: %w", ErrTransactionLost, cause)
	}
	if err := d.owner.Alive(ctx); err != nil {
		return err
	}
	d.log.Warn("outputs were taken away from their owner, taking them back",
		"topic", d.owner.Topic, "partition", d.owner.Partition, "err", cause)
	return d.takeOver(ctx)
}

// Settle makes the outputs of everything before offset next final, ahead of the states
// that follow from them: in a transaction with the group's offset. In the other modes they
// are final since they were acknowledged. It may be called again after an error.
func (d *Delivery) Settle(ctx context.Context, next int64) error {
	if d.mode != Transactional {
		return nil
	}
	err := d.settle(ctx, next)
	if overtaken(err) {
		return fmt.Errorf("%w: %w", ErrTransactionLost, err)
	}
	return err
}

func (d *Delivery) settle(ctx context.Context, next int64) error {
	if d.producer.ending {
		return d.producer.end(ctx)
	}
	if err := d.addOffsets(ctx, next); err != nil {
		return fmt.Errorf("add offset %d of %s-%d to the transaction: %w", next, d.owner.Topic, d.owner.Partition, err)
	}
	return d.producer.end(ctx)
}

// addOffsets adds the group's offset to the transaction.
func (d *Delivery) addOffsets(ctx context.Context, next int64) error {
	p, group := &d.producer, d.owner.group.cfg.ID
	err := p.settled(ctx, func() error {
		res, err := d.client.AddOffsetsToTxn(ctx, &kafka.AddOffsetsToTxnRequest{
			TransactionalID: p.id, ProducerID: p.number, ProducerEpoch: p.epoch, GroupID: group,
		})
		if err == nil {
			err = res.Error
		}
		return err
	})
	if err != nil {
		return err
	}
	res, err := d.client.TxnOffsetCommit(ctx, &kafka.TxnOffsetCommitRequest{
		TransactionalID: p.id, ProducerID: p.number, ProducerEpoch: p.epoch, GroupID: group,
		GenerationID: int(d.owner.Generation), MemberID: d.owner.member,
		Topics: map[string][]kafka.TxnOffsetCommit{
			d.owner.Topic: {{Partition: d.owner.Partition, Offset: next, Metadata: d.note(next)}},
		},
	})
	if err != nil {
		return err
	}
	for _, part := range res.Topics[d.owner.Topic] {
		if part.Error != nil {
			return ofMember(part.Error)
		}
	}
	return nil
}

// Commit tells the group that everything before offset next is done with, and notes what
// is written, so that the next owner need not look far. In a transactional delivery the
// transaction has done so.
func (d *Delivery) Commit(ctx context.Context, next int64) error {
	if d.mode == Transactional {
		return nil
	}
	return d.owner.Commit(ctx, next, d.note(next))
}

// ErrTransactionLost means that the open transaction's outputs are lost: the partition is
// processed again from its last checkpoint.
var ErrTransactionLost = errors.New("the transaction was aborted")

// noteMark begins the group offset's metadata where Weir wrote it.
const noteMark = "weir/1"

// note says of each output partition up to which place it is written, when everything
// before offset next is, and where what is written later lies:
// "weir/1 scores-3=918272@918300 dlq-3=918275.0@7".
func (d *Delivery) note(next int64) string {
	if d.mode == AtLeastOnce {
		return ""
	}
	note := []byte(noteMark)
	for _, s := range d.sinks {
		note = fmt.Appendf(note, " %s-%d=%v@%d", s.topic, s.number, latest(s.written, allBefore(next)), s.tail)
	}
	return string(note)
}

// A written entry of a note.
type written struct {
	upTo place
	tail int64
}

// knowledge is what is known of the outputs before they are looked at.
type knowledge struct {
	notes map[string]written // by output partition
	// past is whether this group has processed anything of the partition.
	past bool
}

// committed reads the group's note.
func (d *Delivery) committed(ctx context.Context) (knowledge, error) {
	k := knowledge{past: d.cursor != statestore.NoOffset}
	group, topic := d.owner.group.cfg.ID, d.owner.Topic
	res, err := d.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {d.owner.Partition}}})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return k, fmt.Errorf("fetch the offset of group %q: %w", group, err)
	}
	for _, part := range res.Topics[topic] {
		if part.Error != nil {
			return k, fmt.Errorf("fetch the offset of group %q: %w", group, part.Error)
		}
		k.past = k.past || part.CommittedOffset >= 0
		k.notes = readNote(part.Metadata)
	}
	return k, nil
}

// readNote is note's inverse; what is no note says nothing.
func readNote(text string) map[string]written {
	text, ours := strings.CutPrefix(text, noteMark+" ")
	if !ours {
		return nil
	}
	notes := make(map[string]written)
	for entry := range strings.FieldsSeq(text) {
		partition, numbers, _ := strings.Cut(entry, "=")
		upTo, tail, _ := strings.Cut(numbers, "@")
		u, okU := parsePlace(upTo)
		t, okT := parseInt(tail)
		if okU && okT && t >= 0 {
			notes[partition] = written{upTo: u, tail: t}
		}
	}
	return notes
}
