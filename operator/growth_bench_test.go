package operator

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/weirstream/weir/statestore"
)

// BenchmarkGrowth plays b.N events to one stream, and says what an event costs and how
// many bytes the stream has at its beginning and at its end. With -benchtime 10000000x
// the end is the ten millionth event.
func BenchmarkGrowth(b *testing.B) {
	o, _ := open(b, loadBuiltin(b), statestore.NewMemory(), 1, testConfig)
	const batch, from = 100, 100
	events, offset := make([]Event, batch), int64(0)
	play := func() time.Duration {
		for i := range events {
			events[i] = plain("s", offset, float64(60*offset), wave(offset))
			offset++
		}
		began := time.Now()
		apply(b, o, events...)
		return time.Since(began)
	}
	// window is the least time of a batch among many, since others disturb most of them.
	window := func() (ns, bytes float64) {
		least := time.Hour
		for range 200 {
			least = min(least, play())
		}
		return float64(least.Nanoseconds()) / batch, float64(len(o.record("s")))
	}
	for offset < from {
		play()
	}
	early, small := window()
	for offset < int64(b.N) {
		play()
	}
	late, large := window()
	b.ReportMetric(early, "ns/event-early")
	b.ReportMetric(late, "ns/event-late")
	b.ReportMetric(small, "bytes-early")
	b.ReportMetric(large, "bytes-late")
}

// BenchmarkLiveStreams has b.N streams in memory (-benchtime 100000x) and says what one
// takes, and what all of them cost the garbage collector.
func BenchmarkLiveStreams(b *testing.B) {
	cfg := testConfig
	cfg.MaxStreams = b.N
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	o, _ := open(b, loadBuiltin(b), statestore.NewMemory(), 1, cfg)
	for offset := range int64(b.N) {
		apply(b, o, plain(fmt.Sprint("host-", offset, "/cpu"), offset, 0, 1))
	}
	least := time.Hour
	for range 5 {
		began := time.Now()
		runtime.GC()
		least = min(least, time.Since(began))
	}
	runtime.ReadMemStats(&after)
	pause := after.PauseNs[(after.NumGC+255)%256]
	for i := range uint32(5) {
		pause = min(pause, after.PauseNs[(after.NumGC-i+255)%256])
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "bytes/stream")
	b.ReportMetric(float64(after.HeapObjects-before.HeapObjects)/float64(b.N), "objects/stream")
	b.ReportMetric(float64(least.Nanoseconds())/float64(b.N), "ns-GC/stream")
	b.ReportMetric(float64(pause)/1e3, "us-pause")
	runtime.KeepAlive(o)
}
