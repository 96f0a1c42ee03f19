package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline/encoding"
)

// gaugesOfRecord is how many predictions one record of metrics holds at most, all of them of
// one input record: so the same event gives the same bytes, however it was fetched.
const gaugesOfRecord = 200

// encodeGauges queues the predictions as metrics.
func (w *Worker) encodeGauges(all []operator.Prediction) error {
	for len(all) > 0 {
		n := 1
		for n < min(len(all), gaugesOfRecord) && all[n].Offset == all[0].Offset {
			n++
		}
		value, err := encoding.AppendGauges(nil, all[:n])
		if err != nil {
			return fmt.Errorf("metrics of %s-%d-%d: %w", w.Topic, w.Partition, all[0].Offset, err)
		}
		at := place{all[0].Offset, all[0].Index}
		w.gauges = append(w.gauges, Message{
			Offset: at.offset, Index: at.index, Time: max(all[0].Time, 0), Key: all[0].Stream, Value: value,
			Headers: []kafka.Header{
				{Key: headerSource, Value: appendSource(nil, w.Topic, w.Partition, at)},
				{Key: headerGroup, Value: w.group},
				{Key: headerLineage, Value: w.model},
			},
		})
		all = all[n:]
	}
	return nil
}

// writeGauges sends the metrics. One that the topic cannot take is left out: the scores have
// all that it says.
func (w *Worker) writeGauges(ctx context.Context) error {
	err := w.writeSome(ctx, w.gauges)
	for i := 0; errors.Is(err, ErrRefused) && i < len(w.gauges); i++ {
		if one := w.writeSome(ctx, w.gauges[i:i+1]); one != nil && !errors.Is(one, ErrRefused) {
			return one
		}
	}
	if err != nil && errors.Is(err, ErrRefused) {
		w.Log.Warn("the topic of metrics does not take all of them", "topic", w.Topic, "partition", w.Partition, "err", err)
		return nil
	}
	return err
}

func (w *Worker) writeSome(ctx context.Context, gauges []Message) error {
	return w.send(ctx, "produce metrics", w.Gauges, gauges)
}
