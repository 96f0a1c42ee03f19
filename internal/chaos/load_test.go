package chaos

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weirstream/weir/internal/sample"
)

const (
	partitions = 4
	streams    = 64
	rowEvery   = 20 * time.Millisecond // about 1,500 events a second
	poisonRows = 40                    // so often one record is no event
	poisonKey  = "no event"
)

// A load writes telemetry to a topic, at a steady rate, until it is told to stop.
type load struct {
	topic  string
	stop   context.CancelFunc
	done   chan error
	paused atomic.Bool
	row    int // next to write; the load's own while it runs
}

// run writes rows, one after the other and each durable before the next, and returns when
// ctx ends.
func (l *load) run(ctx context.Context, to *kgo.Client) error {
	rows, err := sample.Streams()
	if err != nil {
		return err
	}
	tick := time.NewTicker(rowEvery)
	defer tick.Stop()
	for ; ; l.row++ {
		// A record under way is not abandoned: it would be unknown what was written.
		if err := to.ProduceSync(context.Background(), l.records(rows)...).FirstErr(); err != nil {
			return fmt.Errorf("write events: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// records are the events of the present row. Three streams of four have one only every
// second, fourth or eighth row: between two of their events lie checkpoints at which they
// are not saved.
func (l *load) records(telemetry []sample.Stream) []*kgo.Record {
	var row []*kgo.Record
	for i := range streams {
		if l.row%(1<<(i%4)) != 0 {
			continue
		}
		s := &telemetry[i%len(telemetry)]
		at := (l.row + 100*i) % len(s.Values)
		name := fmt.Sprintf("%s#%d", s.Name, i)
		row = append(row, &kgo.Record{
			Topic: l.topic, Partition: partitionOf(name), Key: []byte(name),
			Value: fmt.Appendf(nil, `{"stream":%q,"ts":%d,"value":%s}`, name, sample.Start.UnixMilli()+int64(l.row)*60_000,
				strconv.FormatFloat(s.Values[at], 'g', -1, 64)),
		})
	}
	if l.row%poisonRows == poisonRows-1 {
		row = append(row, &kgo.Record{
			Topic: l.topic, Partition: int32(l.row % partitions), Key: []byte(poisonKey), Value: []byte("no JSON"),
		})
	}
	return row
}

func partitionOf(stream string) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(stream)) // never fails
	return int32(h.Sum32() % partitions)
}
