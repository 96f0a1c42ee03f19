package cli

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/weirstream/weir/pipeline"
)

// BenchmarkRecovery kills an operator with so many live streams (SIGKILL), starts another,
// and measures from the log line that says that it owns the partition to the first new output
// in the topic. States are loaded as their events come, so the number of streams must not
// matter. Run with -benchtime 1x on the servers of WEIR_TEST_KAFKA and WEIR_TEST_REDIS.
func BenchmarkRecovery(b *testing.B) {
	for _, streams := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			r := newRig(b, 1)
			settings := []string{"service.log.level=info", "state.checkpoint.every=1s"}
			first := startOperator(b, r, settings...)
			r.oneEventEach(b, streams, 0)
			scores := pipeline.NewKafkaSource(r.conn.Client(), r.name+".scores", 0, false, nil)
			next := int64(0)
			for n := 0; n < streams; {
				batch := fetchSome(b, scores)
				n, next = n+len(batch.Messages), batch.Next
			}
			time.Sleep(2 * time.Second) // two checkpoints: what is to be saved is saved
			kill(b, first.Cmd)
			r.oneEventEach(b, 1000, 1)

			b.ResetTimer()
			var took time.Duration
			for b.Loop() {
				if _, err := scores.Seek(b.Context(), next, false); err != nil {
					b.Fatal(err)
				}
				second := startOperator(b, r, settings...)
				batch := fetchSome(b, scores)
				took += time.Since(assignedAt(b, second))
				for len(batch.Messages) > 0 && batch.Next < next+1000 {
					batch = fetchSome(b, scores)
				}
				next = batch.Next
				time.Sleep(2 * time.Second)
				kill(b, second.Cmd)
				r.oneEventEach(b, 1000, 2)
			}
			b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms-to-first-output")
		})
	}
}

// oneEventEach writes an event of each of so many streams.
func (r *rig) oneEventEach(b *testing.B, streams, row int) {
	b.Helper()
	var msgs []pipeline.Message
	for i := range streams {
		name := fmt.Sprintf("stream-%d", i)
		msgs = append(msgs, pipeline.Message{
			Key:   []byte(name),
			Value: fmt.Appendf(nil, `{"stream":%q,"ts":%d,"value":%d}`, name, 1795429680000+int64(row)*60000, i%17),
		})
		if len(msgs) == 1000 || i == streams-1 {
			if err := r.produce(b.Context(), 0, msgs); err != nil {
				b.Fatal(err)
			}
			msgs = msgs[:0]
		}
	}
}

// fetchSome returns the next batch that holds messages.
func fetchSome(b *testing.B, s *pipeline.KafkaSource) (batch pipeline.Batch) {
	b.Helper()
	for len(batch.Messages) == 0 {
		if err := s.Fetch(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	return batch
}

var joinedLine = regexp.MustCompile(`(?m)^time=(\S+) .*msg="joined group".*partitions=1`)

// assignedAt is when an operator was given its partition.
func assignedAt(b *testing.B, p *process) time.Time {
	b.Helper()
	line := joinedLine.FindStringSubmatch(p.log.String())
	if line == nil {
		b.Fatalf("no partition was joined:\n%s", p.log.String())
	}
	at, err := time.Parse(time.RFC3339Nano, line[1])
	if err != nil {
		b.Fatal(err)
	}
	return at
}
