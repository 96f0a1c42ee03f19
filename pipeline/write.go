package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// write sends the batch's outputs and dead letters and waits until they are durable. Each
// topic gets its part in the order of the events.
func (w *Worker) write(ctx context.Context) error {
	err := w.writeScores(ctx, w.scores)
	if errors.Is(err, ErrRefused) {
		err = w.writeFittingScores(ctx)
	}
	if err != nil {
		return err
	}
	if err := w.writeLetters(ctx, endOfLog); err != nil {
		return err
	}
	return w.writeGauges(ctx)
}

// endOfLog is beyond every offset.
const endOfLog = 1<<63 - 1

// send writes messages, if there are any, however often it takes.
func (w *Worker) send(ctx context.Context, op string, sink Sink, msgs []Message) error {
	if len(msgs) == 0 {
		return nil
	}
	return w.Retry.Do(ctx, "kafka", op, func(ctx context.Context) error { return sink.Write(ctx, msgs) })
}

func (w *Worker) writeScores(ctx context.Context, scores []Message) error {
	return w.send(ctx, "produce", w.Scores, scores)
}

// writeFittingScores sends the scores one by one. The record of one that the topic cannot
// take becomes a dead letter: names of fields stand in a score five times, so a few long
// ones must not stop a partition for good. The letter goes out ahead of the next score:
// whoever finds that one in the log takes everything before it for written.
func (w *Worker) writeFittingScores(ctx context.Context) error {
	at := 0
	for i := range w.scores {
		err := w.writeScores(ctx, w.scores[i:i+1])
		if errors.Is(err, ErrRefused) {
			for w.batch.Messages[at].Offset != w.scores[i].Offset {
				at++
			}
			w.deadLetter(ctx, &w.batch.Messages[at], letterRefused+w.scores[i].Index, oneFault(ReasonScoreRefused, err.Error()))
			err = w.writeLetters(ctx, w.scores[i].Offset)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeLetters sends the dead letters of the events up to offset last.
func (w *Worker) writeLetters(ctx context.Context, last int64) error {
	slices.SortFunc(w.letters, func(a, b Message) int { return a.place().compare(b.place()) })
	n := 0
	for n < len(w.letters) && w.letters[n].Offset <= last {
		n++
	}
	err := w.writeThem(ctx, w.letters[:n])
	if errors.Is(err, ErrRefused) {
		err = w.writeShortened(ctx, w.letters[:n])
	}
	w.letters = slices.Delete(w.letters, 0, n)
	return err
}

func (w *Worker) writeThem(ctx context.Context, letters []Message) error {
	return w.send(ctx, "dead letter", w.DeadLetters, letters)
}

// writeShortened sends the dead letters one by one, and of one that the topic cannot take
// only why it is there: the source offset in its headers says where the record lies.
func (w *Worker) writeShortened(ctx context.Context, letters []Message) error {
	for i := range letters {
		err := w.writeThem(ctx, letters[i:i+1])
		if errors.Is(err, ErrRefused) {
			err = w.writeThem(ctx, []Message{shortened(&letters[i])})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shortened is a dead letter without its value, and of its headers only the reason's.
func shortened(letter *Message) Message {
	short := *letter
	short.Time = time.Now().UnixMilli() // the record's may be what is refused
	short.Key, short.Value = shorten(letter.Key), []byte{}
	short.Headers = []kafka.Header{{Key: "weir-value-dropped", Value: fmt.Appendf(nil, "%d bytes", len(letter.Value))}}
	for _, h := range letter.Headers {
		if strings.HasPrefix(h.Key, "__connect.errors.") || h.Key == headerSource || h.Key == headerGroup {
			short.Headers = append(short.Headers, kafka.Header{Key: shorten(h.Key), Value: shorten(h.Value)})
		}
	}
	return short
}

// shorten cuts what is too long to be kept.
func shorten[S string | []byte](s S) S {
	const most = 1 << 10
	return s[:min(len(s), most)]
}
