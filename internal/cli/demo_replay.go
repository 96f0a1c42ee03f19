package cli

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/weirstream/weir/internal/sample"
	"github.com/weirstream/weir/pipeline"
)

// replayTick is how often the events that are due are produced.
const replayTick = 50 * time.Millisecond

// A player produces telemetry to the input topic, each stream to one partition.
type player struct {
	sinks [demoPartitions]*pipeline.KafkaSink
	due   [demoPartitions][]pipeline.Message
}

// replay produces the bundled telemetry at the given multiple of its own speed, over and
// over, until ctx ends. Event times go on from pass to pass.
func replay(ctx context.Context, kafka *pipeline.Connection, speed float64) error {
	streams, err := sample.Streams()
	if err != nil {
		return fmt.Errorf("read the bundled telemetry: %w", err)
	}
	var p player
	for i := range p.sinks {
		p.sinks[i] = pipeline.NewKafkaSink(kafka.Client(), demoInput, i)
	}
	tick := time.NewTicker(replayTick)
	defer tick.Stop()
	times := streams[0].Times // all streams have the same
	period := times[1] - times[0]
	began := time.Now()
	for row := 0; ; {
		elapsed := time.Since(began).Seconds() * speed * 1000 // of the telemetry, in ms
		for ; float64(row)*float64(period) <= elapsed; row++ {
			at := times[0] + int64(row)*period
			for i := range streams {
				p.add(streams[i].Name, at, streams[i].Values[row%len(times)])
			}
		}
		if err := p.flush(ctx); err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// add queues one event.
func (p *player) add(stream string, at int64, value float64) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(stream)) // never fails
	part := h.Sum32() % demoPartitions
	v := fmt.Appendf(nil, `{"stream":%q,"ts":%d,"value":%s}`, stream, at, strconv.FormatFloat(value, 'g', -1, 64))
	p.due[part] = append(p.due[part], pipeline.Message{Time: at, Key: []byte(stream), Value: v})
}

// flush produces what is queued.
func (p *player) flush(ctx context.Context) error {
	for i, msgs := range p.due {
		if len(msgs) == 0 {
			continue
		}
		if err := p.sinks[i].Write(ctx, msgs); err != nil {
			return err
		}
		p.due[i] = msgs[:0]
	}
	return nil
}
