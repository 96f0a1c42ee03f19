package cli

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/weirstream/weir/internal/sample"
	"github.com/weirstream/weir/pipeline"
)

// BenchmarkPipeline measures the whole way of an event in each delivery mode, from a topic
// that holds a backlog of b.N of them to acknowledged scores and saved states, over TCP to
// Kafka and Redis (the embedded ones unless WEIR_TEST_KAFKA and WEIR_TEST_REDIS name
// others). Allocations and bytes are those of the process, the embedded servers among them.
func BenchmarkPipeline(b *testing.B) {
	for _, mode := range []pipeline.DeliveryMode{pipeline.ExactlyOnce, pipeline.Transactional, pipeline.AtLeastOnce} {
		b.Run(string(mode), func(b *testing.B) { benchmarkPipeline(b, mode) })
	}
}

func benchmarkPipeline(b *testing.B, mode pipeline.DeliveryMode) {
	r := newRig(b, 8)
	if err := r.produceBacklog(b, b.N); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	_, stop := r.operate(b, "kafka.session_timeout=10s", "kafka.heartbeat_interval=1s", "state.checkpoint.every=1s",
		"service.log.level=warn", "delivery="+string(mode))
	until(b, 10*time.Minute, "backlog scored", func() bool {
		n, err := r.ends(b.Context(), r.name+".scores")
		return err == nil && n >= int64(b.N)
	})
	if err := stop(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	// On a busy machine this says more.
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/event")
}

// processorTime is what this process has used of the processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// produceBacklog writes n events of the sample's streams.
func (r *rig) produceBacklog(b *testing.B, n int) error {
	b.Helper()
	streams, err := sample.Streams()
	if err != nil {
		return err
	}
	parts := make([][]pipeline.Message, r.width)
	for i := range n {
		s, row := &streams[i%len(streams)], i/len(streams)
		at := s.Times[0] + int64(row)*60000
		p := i % len(streams) % r.width
		parts[p] = append(parts[p], pipeline.Message{
			Key: []byte(s.Name),
			Value: fmt.Appendf(nil, `{"stream":%q,"ts":%d,"value":%s}`, s.Name, at,
				strconv.FormatFloat(s.Values[row%len(s.Values)], 'g', -1, 64)),
		})
		if len(parts[p]) == 1000 {
			if err := r.produce(b.Context(), p, parts[p]); err != nil {
				return err
			}
			parts[p] = nil
		}
	}
	for p, rest := range parts {
		if err := r.produce(b.Context(), p, rest); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkPipelineWatched is BenchmarkPipeline with somebody who looks at the live page:
// the list's first screen and one stream.
func BenchmarkPipelineWatched(b *testing.B) {
	r := newRig(b, 8)
	if err := r.produceBacklog(b, b.N); err != nil {
		b.Fatal(err)
	}
	address := freeAddress("127.0.0.1:0")
	b.ResetTimer()
	_, stop := r.operate(b, "kafka.session_timeout=10s", "kafka.heartbeat_interval=1s", "state.checkpoint.every=1s",
		"service.log.level=warn", "service.http.listen="+address)
	seen := make(chan int64, 1)
	go func() { seen <- lookAt("http://" + address + "/api/v1/events?limit=40&stream=machine-1-2%2Ff00") }()
	until(b, 10*time.Minute, "backlog scored", func() bool {
		n, err := r.ends(b.Context(), r.name+".scores")
		return err == nil && n >= int64(b.N)
	})
	if err := stop(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(<-seen), "bytes-seen")
}

// lookAt reads what a server sends until it ends, and returns how much that was.
func lookAt(url string) (n int64) {
	for range 100 {
		res, err := http.Get(url)
		if err != nil {
			time.Sleep(20 * time.Millisecond) // not yet listening
			continue
		}
		n, _ = io.Copy(io.Discard, res.Body) // its end is no error here
		_ = res.Body.Close()
		return n
	}
	return 0
}
