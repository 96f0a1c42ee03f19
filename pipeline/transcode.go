package pipeline

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline/encoding"
)

// ReasonScoreRefused says that the output topic does not take the record's score. Its
// stream has learnt the event all the same.
const ReasonScoreRefused = "score_refused"

// decode turns the batch's messages into events, and those that cannot be used into
// dead letters.
func (w *Worker) decode(ctx context.Context) error {
	w.events = w.events[:0]
	w.Decoder.Reset()
	for i := range w.batch.Messages {
		m := &w.batch.Messages[i]
		var faults []encoding.Fault
		var err error
		if w.events, faults, err = w.decodeOne(ctx, w.events, w.Decoder, m); err != nil {
			return err
		}
		if len(faults) > 0 {
			w.deadLetter(ctx, m, letterDecode, faults)
		}
	}
	return nil
}

// A history is a part of the log that is read again for what its streams learn from it.
type history struct {
	worker  *Worker
	batch   Batch
	decoder *encoding.Decoder
	events  []operator.Event
}

// decode turns the batch's messages into events. Those that cannot be used became dead
// letters when they were read first.
func (h *history) decode(ctx context.Context) (err error) {
	h.events = h.events[:0]
	h.decoder.Reset()
	for i := range h.batch.Messages {
		if h.events, _, err = h.worker.decodeOne(ctx, h.events, h.decoder, &h.batch.Messages[i]); err != nil {
			return err
		}
	}
	return nil
}

// decodeOne appends the events of one message to dst, and says what is wrong with it.
func (w *Worker) decodeOne(ctx context.Context, dst []operator.Event, d *encoding.Decoder, m *Message) ([]operator.Event, []encoding.Fault, error) {
	if len(m.Value) > w.MaxBytes {
		return dst, oneFault(encoding.ReasonTooLarge, fmt.Sprintf("value of %d bytes, input.max_bytes is %d", len(m.Value), w.MaxBytes)), nil
	}
	r := m.Record(w.headers[:0])
	w.headers = r.Headers
	if err := w.learnSchema(ctx, d, r); err != nil {
		return dst, nil, err
	}
	at := len(dst)
	dst, faults := d.Decode(dst, r)
	for ; at < len(dst); at++ {
		dst[at].Offset, dst[at].Logged = m.Offset, m.Time
	}
	return dst, faults, nil
}

// learnSchema asks the registry for the record's schema. A registry that does not answer is
// waited for, as Kafka and the store are: what a record means must not depend on when it is
// read.
func (w *Worker) learnSchema(ctx context.Context, d *encoding.Decoder, r encoding.Record) error {
	if w.Registry == nil {
		return nil
	}
	name, missing := d.MissingSchema(r)
	if !missing {
		return nil
	}
	return w.Retry.Do(ctx, "registry", "read schema", func(ctx context.Context) error {
		texts, err := w.Registry.Schema(ctx, name)
		if err == nil {
			d.LearnSchema(name, texts)
		}
		return err
	})
}

// The indices of a record's dead letters: of what cannot be decoded, of events that their
// streams cannot take, and from letterRefused on of scores that their topic refuses, by
// the event's index.
const (
	letterDecode  = operator.WholeRecord
	letterReject  = 0
	letterRefused = 2
)

// oneFault is a fault of a whole message.
func oneFault(reason, detail string) []encoding.Fault {
	return []encoding.Fault{{Point: encoding.WholeRecord, Reason: reason, Detail: detail}}
}

// deadLetter queues m for the dead-letter topic with the first of its faults: one letter,
// however many of the record's events cannot be used. The others have been taken. The index
// tells the letters of one record apart.
func (w *Worker) deadLetter(ctx context.Context, m *Message, index int, faults []encoding.Fault) {
	first := faults[0]
	if first.Point != encoding.WholeRecord {
		first.Detail = fmt.Sprintf("%d of the record's events cannot be used, the first being number %d: %s",
			len(faults), first.Point, first.Detail)
	}
	headers := append(DeadLetterHeaders(m.Headers, w.Service, w.Topic, w.Partition, m.Offset, &first),
		kafka.Header{Key: headerSource, Value: appendSource(nil, w.Topic, w.Partition, place{m.Offset, index})},
		kafka.Header{Key: headerGroup, Value: w.group})
	w.letters = append(w.letters, Message{Offset: m.Offset, Index: index, Time: m.Time, Key: m.Key, Value: m.Value, Headers: headers})
	for i := range faults {
		w.Metrics.DeadLetter(ctx, faults[i].Reason)
	}
}

// encode turns predictions into output messages, and rejected events into dead letters.
// Both come in the order of the batch's messages.
func (w *Worker) encode(ctx context.Context, r operator.Result) error {
	at := 0
	for i := range r.Predictions {
		p := &r.Predictions[i]
		for w.batch.Messages[at].Offset != p.Offset {
			at++
		}
		w.encodeOne(p, &w.batch.Messages[at])
	}
	w.rejected(ctx, r.Rejected)
	w.tellLost(r.Lost)
	w.Metrics.Result(ctx, &r)
	if w.Gauges == nil {
		return nil
	}
	return w.encodeGauges(r.Predictions)
}

// rejected queues dead letters of the events that their streams cannot take, one a record.
func (w *Worker) rejected(ctx context.Context, all []operator.Rejection) {
	at := 0
	for len(all) > 0 {
		offset := all[0].Offset
		for w.batch.Messages[at].Offset != offset {
			at++
		}
		var faults []encoding.Fault
		for len(all) > 0 && all[0].Offset == offset {
			faults = append(faults, encoding.Fault{Point: all[0].Index, Reason: all[0].Reason, Detail: all[0].Detail})
			all = all[1:]
		}
		w.deadLetter(ctx, &w.batch.Messages[at], letterReject, faults)
	}
}

// tellLost logs that streams began anew because of their stored records: the first of a
// batch, for after a change of the model it is all of them.
func (w *Worker) tellLost(lost []operator.LostStream) {
	if len(lost) == 0 {
		return
	}
	w.Log.Warn("streams began anew: their stored records cannot be used",
		"topic", w.Topic, "partition", w.Partition, "streams", len(lost), "first", lost[0].Stream, "err", lost[0].Err)
}

// encodeOne queues the output of one event.
func (w *Worker) encodeOne(p *operator.Prediction, m *Message) {
	from := len(w.values)
	w.values = encoding.AppendID(w.values, w.Topic, w.Partition, &p.Event)
	id := w.values[from:len(w.values):len(w.values)]
	from = len(w.values)
	w.values = encoding.AppendJSON(w.values, p, id, w.modelTag)
	value := w.values[from:len(w.values):len(w.values)]
	w.scores = append(w.scores, Message{
		Offset: m.Offset, Index: p.Event.Index, Time: m.Time, Key: m.Key, Value: value, Headers: w.outputHeaders(id, m.Headers),
	})
}

// outputHeaders says where an output comes from and keeps the event's trace context.
func (w *Worker) outputHeaders(id []byte, in []kafka.Header) []kafka.Header {
	out := make([]kafka.Header, 0, 5)
	out = append(out, kafka.Header{Key: headerSource, Value: id}, kafka.Header{Key: headerGroup, Value: w.group},
		kafka.Header{Key: headerLineage, Value: w.model})
	for _, h := range in {
		if h.Key == "traceparent" || h.Key == "tracestate" {
			out = append(out, h)
		}
	}
	return out
}
