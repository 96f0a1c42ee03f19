package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/operator"
)

// ReasonScoreRefused says that the output topic does not take the record's score. Its
// stream has learnt the event all the same.
const ReasonScoreRefused = "score_refused"

// decode turns the batch's messages into events, and those that cannot be used into
// dead letters.
func (w *Worker) decode(ctx context.Context) {
	w.events = w.events[:0]
	w.Decoder.Reset()
	for i := range w.batch.Messages {
		m := &w.batch.Messages[i]
		ev := w.nextEvent()
		ev.Offset = m.Offset
		if err := w.decodeOne(ev, m); err != nil {
			w.events = w.events[:len(w.events)-1]
			w.deadLetter(ctx, m, err)
		}
	}
}

// nextEvent grows w.events by one, reusing the memory of an earlier batch's event.
func (w *Worker) nextEvent() *operator.Event {
	n := len(w.events)
	if n < cap(w.events) {
		w.events = w.events[:n+1]
	} else {
		w.events = append(w.events, operator.Event{})
	}
	return &w.events[n]
}

func (w *Worker) decodeOne(ev *operator.Event, m *Message) error {
	if len(m.Value) > w.MaxBytes {
		return &DecodeError{
			Reason: ReasonTooLarge,
			Detail: fmt.Sprintf("value of %d bytes, input.max_bytes is %d", len(m.Value), w.MaxBytes),
		}
	}
	return w.Decoder.Decode(ev, m.Key, m.Value, m.Time)
}

// deadLetter queues m for the dead-letter topic with what is wrong with it.
func (w *Worker) deadLetter(ctx context.Context, m *Message, err error) {
	var bad *DecodeError
	if !errors.As(err, &bad) {
		bad = &DecodeError{Reason: ReasonNotJSON, Detail: err.Error()}
	}
	w.letters = append(w.letters, Message{
		Offset: m.Offset, Time: m.Time, Key: m.Key, Value: m.Value,
		Headers: DeadLetterHeaders(m.Headers, w.Service, w.Topic, w.Partition, m.Offset, bad),
	})
	w.Metrics.DeadLetter(ctx, bad.Reason)
}

// encode turns predictions into output messages, and rejected events into dead letters.
// Both come in the order of the batch's messages.
func (w *Worker) encode(ctx context.Context, r operator.Result) {
	at := 0
	for i := range r.Predictions {
		p := &r.Predictions[i]
		for w.batch.Messages[at].Offset != p.Offset {
			at++
		}
		w.encodeOne(p, &w.batch.Messages[at])
	}
	at = 0
	for _, rej := range r.Rejected {
		for w.batch.Messages[at].Offset != rej.Offset {
			at++
		}
		w.deadLetter(ctx, &w.batch.Messages[at], &DecodeError{Reason: rej.Reason, Detail: rej.Detail})
	}
	w.tellLost(r.Lost)
	w.Metrics.Result(ctx, &r)
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
	w.values = AppendID(w.values, w.Topic, w.Partition, p.Offset)
	id := w.values[from:len(w.values):len(w.values)]
	from = len(w.values)
	w.values = AppendJSON(w.values, p, id, w.modelTag)
	value := w.values[from:len(w.values):len(w.values)]
	w.scores = append(w.scores, Message{
		Offset: m.Offset, Time: m.Time, Key: m.Key, Value: value, Headers: w.outputHeaders(id, m.Headers),
	})
}

// outputHeaders says where an output comes from and keeps the event's trace context.
func (w *Worker) outputHeaders(id []byte, in []kafka.Header) []kafka.Header {
	out := make([]kafka.Header, 0, 4)
	out = append(out, kafka.Header{Key: "weir-source", Value: id}, kafka.Header{Key: "weir-lineage", Value: w.model})
	for _, h := range in {
		if h.Key == "traceparent" || h.Key == "tracestate" {
			out = append(out, h)
		}
	}
	return out
}
