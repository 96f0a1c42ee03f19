package encoding

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weirstream/weir/operator"
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// isCount reports whether the event's first field, by name, counts.
func isCount(ev *operator.Event) bool { return ev.Fields[0].Kind == operator.Cumulative }

func TestRemoteWrite1TakesCountersByTheirNames(t *testing.T) {
	for name, counts := range map[string]bool{
		"http_requests_total": true, "latency_bucket": true, "latency_count": true, "latency_sum": true,
		"total": false, "count": false, "requests_totals": false,
	} {
		sample := protowire.AppendTag(nil, 1, protowire.Fixed64Type)
		sample = protowire.AppendFixed64(sample, math.Float64bits(3))
		pair := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "__name__")
		pair = protowire.AppendString(protowire.AppendTag(pair, 2, protowire.BytesType), name)
		series := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), pair)
		series = protowire.AppendBytes(protowire.AppendTag(series, 2, protowire.BytesType), sample)
		request := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), series)
		got, faults := NewRemoteWrite().Decode(nil, Record{Value: snappy.Encode(nil, request)})
		if len(got) != 1 || isCount(&got[0]) != counts {
			t.Errorf("%s: %+v %v", name, got, faults)
		}
	}
}

func TestRemoteWrite1ReadsWhatPrometheusWrites(t *testing.T) {
	got, faults := NewRemoteWrite().Decode(nil, Record{Value: golden(t, "remote_write_v1.snappy")})
	up := `up,instance=a\,b\=c:9100,job=node`
	want := []told{
		{0, up, 1795429680000, values{"": 1}},
		{2, up, 1795429710000, values{"": 0.25}}, // 1 was stale
		{7, "latency", -1, values{"": -2}},
		{8, "latency", 5, values{"count": 4, "mean": 2.5}},
		{9, "latency", 6, values{"count": 2.5, "mean": 2}},
	}
	if diff := cmp.Diff(want, tell(got)); diff != "" {
		t.Fatal(diff)
	}
	reason := map[int]string{3: ReasonNoStream, 4: ReasonDuplicateKey, 5: ReasonBadValue, 6: ReasonBadValue}
	if diff := cmp.Diff(reason, reasons(faults)); diff != "" {
		t.Error(diff)
	}
	for i, counts := range []bool{false, false, false, true, false} {
		if isCount(&got[i]) != counts {
			t.Errorf("%+v", got[i])
		}
	}
}

func TestRemoteWrite2ReadsWhatPrometheusWrites(t *testing.T) {
	got, faults := NewRemoteWrite().Decode(nil, Record{Value: golden(t, "remote_write_v2.snappy")})
	want := []told{
		{0, "requests_total,job=api", 1795429680000, values{"": 7}},
		{1, "requests_total,job=api", 1795429695000, values{"": 9}},
		{3, "temperature,job=°C", 1795429680000, values{"": -3.5}},
		{5, "requests_total", 5, values{"count": 4, "mean": 2.5}}, // 4 and 6 were stale
	}
	if diff := cmp.Diff(want, tell(got)); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff(map[int]string{2: ReasonMalformed}, reasons(faults)); diff != "" {
		t.Error(diff)
	}
	for i, start := range []int64{1795420000000, 1795420000000, 0, 2} {
		if got[i].Start != start || isCount(&got[i]) != (start != 0) {
			t.Errorf("%+v, want start %d", got[i], start)
		}
	}
}

func TestRemoteWriteRefusesWhatIsNoRequest(t *testing.T) {
	series := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), nil)
	both := protowire.AppendBytes(protowire.AppendTag(series, 4, protowire.BytesType), nil)
	for name, c := range map[string]struct {
		value  []byte
		reason string
	}{
		"no snappy":           {[]byte("\xff\xff\xff\xff\xff\xff"), ReasonMalformed},
		"cut off":             {golden(t, "remote_write_v1.snappy")[:100], ReasonMalformed},
		"not compressed":      {both, ReasonMalformed},
		"no protobuf":         {snappy.Encode(nil, []byte("no protobuf")), ReasonMalformed},
		"both versions":       {snappy.Encode(nil, both), ReasonMalformed},
		"announces 1 GiB":     {binary.AppendUvarint(nil, 1<<30), ReasonTooLarge},
		"announces 32 MiB":    {binary.AppendUvarint(nil, MaxValueBytes), ReasonMalformed},
		"uncompressed 33 MiB": {snappy.Encode(nil, make([]byte, MaxValueBytes+1)), ReasonTooLarge},
	} {
		d := NewRemoteWrite()
		var points []operator.Event
		var faults []Fault
		n := allocated(func() { points, faults = d.Decode(nil, Record{Value: c.value}) })
		if diff := cmp.Diff(map[int]string{WholeRecord: c.reason}, reasons(faults)); diff != "" || len(points) > 0 || n > 1<<20 {
			t.Errorf("%s: %s%v, %d bytes", name, diff, faults, n)
		}
	}
}

func FuzzRemoteWrite(f *testing.F) {
	for _, name := range []string{"remote_write_v1.snappy", "remote_write_v2.snappy"} {
		plain, err := snappy.Decode(nil, golden(f, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain, true)
		f.Add(golden(f, name), false)
	}
	f.Fuzz(func(t *testing.T, value []byte, compress bool) {
		if compress {
			value = snappy.Encode(nil, value)
		}
		checkPromises(t, NewRemoteWrite(), value)
	})
}

// writeRequest is a request of version 1.0 with one sample of each of n series.
func writeRequest(n int) []byte {
	message := func(dst []byte, tag protowire.Number, inner []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(dst, tag, protowire.BytesType), inner)
	}
	var request []byte
	for i := range n {
		var series []byte
		for _, l := range [][2]string{
			{"__name__", "node_cpu_seconds_total"},
			{"cpu", fmt.Sprint(i)},
			{"instance", "web-7:9100"},
			{"job", "node"},
			{"mode", "user"},
		} {
			series = message(series, 1, message(message(nil, 1, []byte(l[0])), 2, []byte(l[1])))
		}
		sample := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), math.Float64bits(float64(i)))
		sample = protowire.AppendVarint(protowire.AppendTag(sample, 2, protowire.VarintType), 1795429680000)
		request = message(request, 1, message(series, 2, sample))
	}
	return snappy.Encode(nil, request)
}

func TestDecodingRemoteWriteAllocatesNothingOnceGrown(t *testing.T) {
	d := NewRemoteWrite()
	value := writeRequest(100)
	var points []operator.Event
	step := func() {
		d.Reset()
		points, _ = d.Decode(points[:0], Record{Value: value})
	}
	for range 10 {
		step()
	}
	if n := testing.AllocsPerRun(10, step); n != 0 || len(points) != 100 {
		t.Errorf("%v allocations, %d points", n, len(points))
	}
}

func BenchmarkRemoteWrite(b *testing.B) {
	benchmark(b, NewRemoteWrite(), writeRequest(100), 100)
}
