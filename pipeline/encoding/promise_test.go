package encoding

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/operator"
)

// decoder is what all decoders have, for tests of what they all promise.
type decoder interface {
	Decode(dst []operator.Event, r Record) ([]operator.Event, []Fault)
	Reset()
}

// checkPromises checks what Point, Fault and the package say of any record.
func checkPromises(t *testing.T, d decoder, value []byte) {
	t.Helper()
	r := Record{Value: value, Time: 1}
	first := operator.Event{Stream: []byte("of an earlier record")}
	points, faults := d.Decode([]operator.Event{first}, r)
	if len(points) < 1 || !bytes.Equal(points[0].Stream, first.Stream) {
		t.Fatal("the points are not appended")
	}
	points = points[1:]
	if len(points) > MaxPoints || len(faults) > MaxPoints+1 {
		t.Fatalf("%d points and %d faults", len(points), len(faults))
	}
	used := map[int]bool{}
	last := WholeRecord - 1
	for _, p := range points {
		checkPoint(t, p)
		if p.Index <= last {
			t.Fatalf("point %d comes behind point %d", p.Index, last)
		}
		last = p.Index
		used[p.Index] = true
	}
	for _, f := range faults {
		if f.Point != WholeRecord && used[f.Point] || f.Reason == "" || !utf8.ValidString(f.Detail) || len(f.Detail) > 600 {
			t.Fatalf("fault %+v", f)
		}
		used[f.Point] = true
	}
	was := cmpString(points, faults)
	again, more := d.Decode(nil, r)
	if now := cmpString(again, more); now != was {
		t.Fatal("the second decoding differs: ", cmp.Diff(was, now))
	}
	d.Reset()
}

func checkPoint(t *testing.T, p operator.Event) {
	t.Helper()
	if len(p.Stream) == 0 || len(p.Stream) > MaxStreamBytes || !utf8.Valid(p.Stream) {
		t.Fatalf("stream %q", p.Stream)
	}
	for _, f := range p.Fields {
		if f.Kind == operator.CumulativeMean && !slices.ContainsFunc(p.Fields, func(f operator.Field) bool { return f.Kind == operator.Cumulative }) {
			t.Fatalf("a mean without its count: %+v", p)
		}
	}
	if p.Time < minTime || p.Time > maxTime || len(p.Fields) == 0 || len(p.Fields) > MaxFields {
		t.Fatalf("point %+v", p)
	}
	for i, f := range p.Fields {
		if math.IsNaN(f.Value) || math.IsInf(f.Value, 0) || f.Value == 0 && math.Signbit(f.Value) {
			t.Fatalf("value %v", f.Value)
		}
		if i > 0 && bytes.Compare(p.Fields[i-1].Name, f.Name) >= 0 {
			t.Fatalf("field %q behind %q", f.Name, p.Fields[i-1].Name)
		}
	}
}

// cmpString is all of a result as text.
func cmpString(points []operator.Event, faults []Fault) string {
	var b strings.Builder
	for _, p := range points {
		fmt.Fprintf(&b, "%d %q %d %v %d\n", p.Index, p.Stream, p.Time, p.Fields, p.Start)
	}
	for _, f := range faults {
		fmt.Fprintf(&b, "%+v\n", f)
	}
	return b.String()
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzInflux(f *testing.F) {
	f.Add([]byte("m,b=2,a=1 f=1,i=-2i,u=3u,t=T,s=\"x,y\\\" z=1\",e=-1.5e-3 1556813561098765432\n# c\n"))
	f.Add([]byte("a\\ b,c\\,d=e\\=f g\\ h=1\r\nx v=\"\n\ny v=1"))
	f.Fuzz(func(t *testing.T, value []byte) { checkPromises(t, newInflux(t, time.Nanosecond), value) })
}

func TestTombstonesAndEmptyValuesAreFaultsOfTheRecord(t *testing.T) {
	for name, d := range map[string]decoder{
		"influx": newInflux(t, time.Nanosecond), "otlp": NewOTLP(OTLPOptions{}), "otlp_json": NewOTLPJSON(OTLPOptions{}),
		"prometheus": NewRemoteWrite(), "json": newTestDecoder(t),
	} {
		for reason, value := range map[string][]byte{ReasonTombstone: nil, ReasonEmptyValue: {}} {
			points, faults := d.Decode(nil, Record{Value: value})
			if diff := cmp.Diff(map[int]string{WholeRecord: reason}, reasons(faults)); diff != "" || len(points) > 0 {
				t.Error(name, diff)
			}
		}
	}
}

func TestPointsBeyondTheLimitAreOneFault(t *testing.T) {
	in := bytes.Repeat([]byte("m v=1\n"), MaxPoints+2)
	points, faults := newInflux(t, time.Nanosecond).Decode(nil, Record{Value: in})
	if diff := cmp.Diff(map[int]string{MaxPoints: ReasonTooLarge}, reasons(faults)); diff != "" || len(points) != MaxPoints {
		t.Error(len(points), diff)
	}
}

func TestLongNamesAreFaults(t *testing.T) {
	long := strings.Repeat("a", MaxStreamBytes+1)
	in := long + " v=1\nm " + long + "=1\nm " + strings.Repeat("a=1,", MaxFields) + "b=1\nm v=1\n"
	points, faults := newInflux(t, time.Nanosecond).Decode(nil, Record{Value: []byte(in)})
	want := map[int]string{0: ReasonTooLarge, 1: ReasonTooLarge, 2: ReasonTooLarge}
	if diff := cmp.Diff(want, reasons(faults)); diff != "" || len(points) != 1 || points[0].Index != 3 {
		t.Error(points, diff)
	}
}

// The points of earlier records must stay as they are while the decoder's memory grows.
func TestPointsStayUntilReset(t *testing.T) {
	d := newInflux(t, time.Nanosecond)
	var points []operator.Event
	var want []told
	for i := range int64(5000) {
		points, _ = d.Decode(points, Record{Value: []byte("m,t=a v=1,a\\ b=2"), Time: i})
		want = append(want, told{0, "m,t=a", i, values{"v": 1, "a b": 2}})
	}
	if diff := cmp.Diff(want, tell(points)); diff != "" {
		t.Error(diff)
	}
}

func TestDecodingInfluxAllocatesNothingOnceGrown(t *testing.T) {
	d := newInflux(t, time.Nanosecond)
	value := bytes.Repeat([]byte(`cpu,region=eu,host=we\ b usage=0.93123456789,co\ res=8i,ok=true,s="x" 1795429680000000000`+"\n"), 100)
	var points []operator.Event
	step := func() {
		d.Reset()
		points, _ = d.Decode(points[:0], Record{Value: value})
	}
	for range 5 {
		step()
	}
	if n := testing.AllocsPerRun(10, step); n != 0 || len(points) != 100 {
		t.Errorf("%v allocations, %d points", n, len(points))
	}
}

func BenchmarkInflux(b *testing.B) {
	d := newInflux(b, time.Nanosecond)
	value := bytes.Repeat([]byte("cpu,host=web-7,region=eu usage=0.93,cores=8i,ok=true 1795429680000000000\n"), 100)
	benchmark(b, d, value, 100)
}

// benchmark reports the time for one of the record's points.
func benchmark(b *testing.B, d decoder, value []byte, points int) {
	b.Helper()
	var dst []operator.Event
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		d.Reset()
		dst, _ = d.Decode(dst[:0], Record{Value: value})
	}
	if len(dst) != points {
		b.Fatalf("%d points, not %d", len(dst), points)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(points), "ns/point")
}
