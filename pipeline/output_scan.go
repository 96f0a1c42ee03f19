package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/weirstream/weir/statestore"
)

// Names of the headers that say which event an output answers, and for which group.
const (
	headerSource  = "weir-source"
	headerGroup   = "weir-group"
	headerLineage = "weir-lineage"
)

// scanFirst is how far before the log's end an output partition is looked through at
// first. Usually the last record is already the one that is looked for.
const scanFirst = 256

// source returns a reader of the partition that the sink writes to.
func (s *KafkaSink) source() *KafkaSource {
	return NewKafkaSource(s.client, s.topic, s.number, false, nil)
}

// resume finds up to which place the partition's outputs are in the log. Its end
// was somewhere at or after the given offset when the present epoch's mark was asked for.
//
// From there it reads up to the mark. If there is nothing of ours in between, it looks back
// from the end, farther and farther, to where the note says that everything later lies, at
// most to the log's first record. Outputs are written in the order of their events, so the
// last one of ours says it all; other inputs' outputs and other groups' may lie between.
func (s *KafkaSink) resume(ctx context.Context, known knowledge, end int64) error {
	s.sequence, s.unsure = 0, 0
	first, _, err := s.source().bounds(ctx)
	if err != nil {
		return err
	}
	if note, ok := known.notes[s.topic+"-"+strconv.Itoa(s.number)]; ok {
		s.written = latest(s.written, note.upTo)
		if note.tail <= end { // else the topic was made anew
			first = max(first, note.tail)
		}
	} else if !known.past {
		first = max(first, end)
	}
	scan := &outputScan{sink: s, last: nowhere}
	mark, err := scan.untilMark(ctx, max(first, end))
	if err != nil {
		return err
	}
	for high, width := end, int64(scanFirst); high > first && scan.last == nowhere; width *= 4 {
		low := max(first, high-width)
		if err := scan.between(ctx, low, high); err != nil {
			return err
		}
		high = low
	}
	s.written, s.tail = latest(s.written, scan.last), mark+1
	return nil
}

// An outputScan looks for the last output of one input partition.
type outputScan struct {
	sink *KafkaSink
	last place // greatest place found
	mark int64 // offset of the epoch's mark, NoOffset before it was seen
}

// untilMark reads from an offset on until the present epoch's mark is there, and returns
// where it is. The broker writes it after it has acknowledged that it will.
func (o *outputScan) untilMark(ctx context.Context, from int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	o.mark = statestore.NoOffset
	src := o.sink.source()
	src.position = from
	for o.mark == statestore.NoOffset {
		if err := o.step(ctx, src, 1<<63-1); err != nil {
			return 0, fmt.Errorf("wait for the mark of epoch %d (another producer's open transaction may hold it back): %w",
				o.sink.by.producer.epoch, err)
		}
	}
	return o.mark, nil
}

// between reads the records from offset low up to high.
func (o *outputScan) between(ctx context.Context, low, high int64) error {
	src := o.sink.source()
	src.position = low
	for src.position < high {
		if err := o.step(ctx, src, high); err != nil {
			return err
		}
	}
	return nil
}

// step reads what one fetch brings, up to an offset, and moves the source past it.
func (o *outputScan) step(ctx context.Context, src *KafkaSource, high int64) error {
	part, _, err := src.roundTrip(ctx)
	if err != nil {
		return fmt.Errorf("fetch %s at offset %d: %w", src, src.position, err)
	}
	stream, ok := part.RecordSet.Records.(*protocol.RecordStream)
	if !ok || len(stream.Records) == 0 {
		return ctx.Err() // nothing yet
	}
	aborted := newAbortFilter(part.AbortedTransactions)
	next := src.position + 1
	for _, batch := range stream.Records {
		last, err := o.batch(batch, aborted, src.position, high)
		if err != nil {
			return fmt.Errorf("read %s at offset %d: %w", src, src.position, err)
		}
		next = max(next, last+1)
	}
	src.position = next
	return nil
}

// batch looks at one batch's records from one offset up to another, and returns the
// greatest offset in it.
func (o *outputScan) batch(batch protocol.RecordReader, aborted *abortFilter, low, high int64) (last int64, err error) {
	keep := true
	switch b := batch.(type) {
	case *protocol.ControlBatch:
		return o.marker(b, aborted)
	case *protocol.RecordBatch:
		keep = !(b.Attributes.Transactional() && aborted.covers(b.ProducerID, b.BaseOffset))
	}
	last = statestore.NoOffset
	for {
		rec, err := batch.ReadRecord()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		closeBytes(rec.Key, rec.Value)
		last = rec.Offset
		if keep && low <= rec.Offset && rec.Offset < high {
			o.look(rec.Headers)
		}
	}
}

// marker looks at a control batch: the present epoch's is the mark.
func (o *outputScan) marker(b *protocol.ControlBatch, aborted *abortFilter) (last int64, err error) {
	p := &o.sink.by.producer
	last = statestore.NoOffset
	for {
		m, err := b.ReadControlRecord()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		last = m.Offset
		aborted.end(b.ProducerID)
		if b.ProducerID != int64(p.number) {
			continue
		}
		if int(b.ProducerEpoch) > p.epoch {
			return last, kafka.InvalidProducerEpoch
		}
		if int(b.ProducerEpoch) == p.epoch && o.mark == statestore.NoOffset {
			o.mark = m.Offset
		}
	}
}

// look takes note of an output of this input partition and group.
func (o *outputScan) look(headers []kafka.Header) {
	owner := o.sink.by.owner
	group, source := "", ""
	for i := range headers { // a record that came with such headers has ours behind them
		switch headers[i].Key {
		case headerGroup:
			group = string(headers[i].Value)
		case headerSource:
			source = string(headers[i].Value)
		}
	}
	if group != owner.group.cfg.ID {
		return
	}
	if p, ours := parseSource(source, owner.Topic, owner.Partition); ours {
		o.last = latest(o.last, p)
	}
}
