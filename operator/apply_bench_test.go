package operator

import (
	"fmt"
	"testing"

	"github.com/weirstream/weir/statestore"
)

// BenchmarkApply measures the built-in model over 1000 streams that are all in memory.
func BenchmarkApply(b *testing.B) {
	const streams = 1000
	for _, size := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			o, _ := open(b, loadBuiltin(b), statestore.NewMemory(), 1, testConfig)
			events := make([]Event, streams)
			offset := int64(0)
			round := func() { // the next event of each stream
				for i := range events {
					events[i] = plain(fmt.Sprint("host-", i, "/cpu"), offset, float64(60*(offset/streams)), wave(offset))
					offset++
				}
			}
			round()
			apply(b, o, events...)
			b.ReportAllocs()
			at := streams
			for b.Loop() {
				if at == streams {
					b.StopTimer()
					round()
					at = 0
					b.StartTimer()
				}
				apply(b, o, events[at:at+size]...)
				at += size
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkRecord measures the record of a stream of the built-in model.
func BenchmarkRecord(b *testing.B) {
	m := loadBuiltin(b)
	o, _ := open(b, m, statestore.NewMemory(), 1, testConfig)
	apply(b, o, minutely("s", 0, 100)...)
	record := o.record("s")
	b.Run("encode", func(b *testing.B) {
		s, buf := o.cache.live["s"], make([]byte, 0, len(record))
		b.SetBytes(int64(len(record)))
		b.ReportAllocs()
		for b.Loop() {
			buf = s.appendBinary(buf[:0], m.lineage)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(record)))
		b.ReportAllocs()
		for b.Loop() {
			var s stream
			if err := s.decode(record, m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
