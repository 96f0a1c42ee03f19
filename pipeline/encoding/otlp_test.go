package encoding

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/weirstream/weir/operator"
)

const second = 1_000_000_000

func text(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

func list(all ...*commonpb.AnyValue) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: all}}}
}

func attr(key string, value *commonpb.AnyValue) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: value}
}

func message(metrics ...*metricspb.Metric) *metricspb.MetricsData {
	return &metricspb.MetricsData{ResourceMetrics: []*metricspb.ResourceMetrics{{
		Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
			attr("service.name", text("api")), attr("host.name", text("web-7")),
		}},
		ScopeMetrics: []*metricspb.ScopeMetrics{{
			Scope: &commonpb.InstrumentationScope{Name: "lib", Version: "1"}, Metrics: metrics,
		}},
	}}}
}

func gauge(name string, points ...*metricspb.NumberDataPoint) *metricspb.Metric {
	return &metricspb.Metric{Name: name, Data: &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{DataPoints: points}}}
}

func double(v float64, attributes ...*commonpb.KeyValue) *metricspb.NumberDataPoint {
	return &metricspb.NumberDataPoint{
		TimeUnixNano: second, Attributes: attributes,
		Value: &metricspb.NumberDataPoint_AsDouble{AsDouble: v},
	}
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// everyKind has one point of each kind that OTLP knows.
func everyKind() *metricspb.MetricsData {
	sum, least := 60.0, 0.5
	return message(
		gauge("cpu", double(0.5, attr("cpu", text("1")), attr("a", text("=")))),
		&metricspb.Metric{Name: "requests", Data: &metricspb.Metric_Sum{Sum: &metricspb.Sum{
			AggregationTemporality: metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE, IsMonotonic: true,
			DataPoints: []*metricspb.NumberDataPoint{{
				StartTimeUnixNano: second, TimeUnixNano: 2*second + 999_999, Value: &metricspb.NumberDataPoint_AsInt{AsInt: -12},
				Exemplars: []*metricspb.Exemplar{{TraceId: []byte("0123456789abcdef"), SpanId: []byte("01234567")}},
			}},
		}}},
		&metricspb.Metric{Name: "latency", Data: &metricspb.Metric_Histogram{Histogram: &metricspb.Histogram{
			AggregationTemporality: metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA,
			DataPoints: []*metricspb.HistogramDataPoint{{
				StartTimeUnixNano: second, TimeUnixNano: 3 * second, Count: 100, Sum: &sum,
				BucketCounts: []uint64{50, 48, 2, 0}, ExplicitBounds: []float64{1, 2, 4},
			}},
		}}},
		&metricspb.Metric{Name: "size", Data: &metricspb.Metric_ExponentialHistogram{ExponentialHistogram: &metricspb.ExponentialHistogram{
			AggregationTemporality: metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE,
			DataPoints: []*metricspb.ExponentialHistogramDataPoint{{
				TimeUnixNano: 4 * second, Count: 100, Sum: &sum, Scale: 0, ZeroCount: 10, Min: &least,
				Positive: &metricspb.ExponentialHistogramDataPoint_Buckets{Offset: -1, BucketCounts: []uint64{80, 0, 5, 5}},
			}},
		}}},
		&metricspb.Metric{Name: "rpc", Data: &metricspb.Metric_Summary{Summary: &metricspb.Summary{
			DataPoints: []*metricspb.SummaryDataPoint{{
				TimeUnixNano: 5 * second, Count: 4, Sum: 10,
				QuantileValues: []*metricspb.SummaryDataPoint_ValueAtQuantile{
					{Quantile: 0.5, Value: 2}, {Quantile: 0.999, Value: 9}, {Quantile: 0.07, Value: 1}, {Quantile: 1, Value: math.NaN()},
				},
			}},
		}}},
	)
}

func TestOTLPReadsEveryKindOfMetric(t *testing.T) {
	got, faults := NewOTLP(OTLPOptions{Scope: true}).Decode(nil, Record{Value: marshal(t, everyKind())})
	const suffix = ";host.name=web-7,service.name=api;lib"
	want := []told{
		{0, `cpu,a=\=,cpu=1` + suffix, 1000, values{"": 0.5}},
		{1, "requests" + suffix, 2000, values{"": -12}},
		// 100 in two seconds. Rank 99 is halfway through the two observations between 2 and 4.
		{2, "latency" + suffix, 3000, values{"count": 50, "mean": 0.6, "p99": 3}},
		// Rank 99 is 4/5 through the five between 4 and 8.
		{3, "size" + suffix, 4000, values{"count": 100, "mean": 0.6, "p99": 7.2}},
		{4, "rpc" + suffix, 5000, values{"count": 4, "mean": 2.5, "p50": 2, "p99.9": 9, "p7": 1}},
	}
	if diff := cmp.Diff(want, tell(got)); diff != "" || len(faults) > 0 {
		t.Fatal(diff, faults)
	}
	type kinds map[string]operator.Kind
	const cumulative, mean = operator.Cumulative, operator.CumulativeMean
	counted := []kinds{{}, {"": cumulative}, {}, {"count": cumulative, "mean": mean}, {"count": cumulative, "mean": mean}}
	for i, ev := range got {
		now := kinds{}
		for _, f := range ev.Fields {
			if f.Kind != operator.Instant {
				now[string(f.Name)] = f.Kind
			}
		}
		if diff := cmp.Diff(counted[i], now); diff != "" || ev.Start != 0 && ev.Start != 1000 {
			t.Error(i, ev.Start, diff)
		}
	}
	if got[1].Start != 1000 {
		t.Errorf("requests are counted since %d", got[1].Start)
	}
}

func TestOTLPOptionsSayWhatNamesAStream(t *testing.T) {
	value := marshal(t, message(gauge("m;x", double(1, attr("b", text("2")), attr("a", text("1"))))))
	for want, options := range map[string]OTLPOptions{
		`m\;x,a=1,b=2;host.name=web-7,service.name=api`:     {},
		`m\;x,a=1,b=2;host.name=web-7,service.name=api;lib`: {Scope: true},
		`m\;x`:                     {Resource: []string{}, Point: []string{}},
		`m\;x;;lib`:                {Resource: []string{}, Point: []string{}, Scope: true},
		`m\;x,b=2;host.name=web-7`: {Resource: []string{"host.name"}, Point: []string{"b", "c"}},
	} {
		got, faults := NewOTLP(options).Decode(nil, Record{Value: value})
		if len(got) != 1 || string(got[0].Stream) != want {
			t.Errorf("%+v: %v %v, want %s", options, tell(got), faults, want)
		}
	}
}

func TestOTLPAttributesOfEveryKindAreText(t *testing.T) {
	pairs := &commonpb.KeyValueList{Values: []*commonpb.KeyValue{attr("z", text("y")), attr("k", list(text("v")))}}
	for want, v := range map[string]*commonpb.AnyValue{
		"":                  {},
		"true":              {Value: &commonpb.AnyValue_BoolValue{BoolValue: true}},
		"-9007199254740993": {Value: &commonpb.AnyValue_IntValue{IntValue: -9007199254740993}},
		"0.1":               {Value: &commonpb.AnyValue_DoubleValue{DoubleValue: 0.1}},
		"00ff":              {Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{0, 255}}},
		`[a\,b]`:            list(text("a"), text("b")),
		`{k\=[v]\,z\=y}`:    {Value: &commonpb.AnyValue_KvlistValue{KvlistValue: pairs}},
	} {
		value := marshal(t, message(gauge("m", double(1, attr("a", v)))))
		got, faults := NewOTLP(OTLPOptions{Resource: []string{}}).Decode(nil, Record{Value: value})
		if len(got) != 1 || string(got[0].Stream) != "m,a="+want {
			t.Errorf("%v %v, want %s", tell(got), faults, want)
		}
	}
}

func TestOTLPBadPointsLeaveTheOthers(t *testing.T) {
	deep := text("x")
	for range maxAttributeDepth + 1 {
		deep = list(deep)
	}
	bad := &metricspb.Metric{Name: "h", Data: &metricspb.Metric_Histogram{Histogram: &metricspb.Histogram{
		DataPoints: []*metricspb.HistogramDataPoint{
			{TimeUnixNano: second, Count: 1, BucketCounts: []uint64{1}, ExplicitBounds: []float64{1, 2}},
			{TimeUnixNano: second, Count: 1, BucketCounts: []uint64{1, 0, 0}, ExplicitBounds: []float64{2, 1}},
		},
	}}}
	none := &metricspb.NumberDataPoint{TimeUnixNano: second, Flags: 1}
	value := marshal(t, message(
		gauge("m", double(1), double(math.NaN()), double(math.Inf(1)), none, &metricspb.NumberDataPoint{TimeUnixNano: second}),
		gauge("", double(1)),
		gauge("m", double(1, attr("a", text("1")), attr("a", text("2"))), double(1, attr("a", deep)),
			double(1, attr("a", text(strings.Repeat("x", MaxStreamBytes)))), double(8)),
		bad, gauge("m", double(9)),
	))
	got, faults := NewOTLP(OTLPOptions{Resource: []string{}}).Decode(nil, Record{Value: value})
	want := []told{{0, "m", 1000, values{"": 1}}, {9, "m", 1000, values{"": 8}}, {12, "m", 1000, values{"": 9}}}
	if diff := cmp.Diff(want, tell(got)); diff != "" {
		t.Error(diff)
	}
	reason := map[int]string{
		1: ReasonBadValue, 2: ReasonBadValue, 4: ReasonNoValue, 5: ReasonNoStream, 6: ReasonDuplicateKey,
		7: ReasonBadStream, 8: ReasonTooLarge, 10: ReasonBadValue, 11: ReasonBadValue,
	}
	if diff := cmp.Diff(reason, reasons(faults)); diff != "" {
		t.Error(diff, faults)
	}
}

func TestOTLPBrokenProtobufCostsOnlyItsPart(t *testing.T) {
	value := marshal(t, message(gauge("m", double(1), double(2), double(3))))
	// The second point's time field, cut by a length that is too short for it.
	i := bytes.LastIndex(value, binary.LittleEndian.AppendUint64(nil, math.Float64bits(2)))
	value[i-1] = 4<<3 | 7 // no such wire type
	got, faults := NewOTLP(OTLPOptions{}).Decode(nil, Record{Value: value})
	if diff := cmp.Diff(map[int]string{1: ReasonMalformed}, reasons(faults)); diff != "" || len(got) != 2 {
		t.Error(got, diff)
	}
	got, faults = NewOTLP(OTLPOptions{}).Decode(nil, Record{Value: []byte("no protobuf")})
	if len(got) > 0 || len(faults) != 1 || faults[0].Reason != ReasonMalformed {
		t.Error(got, faults)
	}
}

func TestOTLPWithoutATimeHasTheRecords(t *testing.T) {
	value := marshal(t, message(gauge("m", &metricspb.NumberDataPoint{Value: &metricspb.NumberDataPoint_AsInt{AsInt: 3}})))
	got, _ := NewOTLP(OTLPOptions{}).Decode(nil, Record{Value: value, Time: 55})
	if len(got) != 1 || got[0].Time != 55 {
		t.Error(got)
	}
	_, faults := NewOTLP(OTLPOptions{}).Decode(nil, Record{Value: value, Time: -1})
	if diff := cmp.Diff(map[int]string{0: ReasonBadTime}, reasons(faults)); diff != "" {
		t.Error(diff)
	}
}

func TestOTLPJSONIsTheSameAsProtobuf(t *testing.T) {
	for _, numbers := range []bool{false, true} {
		value, err := protojson.MarshalOptions{UseEnumNumbers: numbers}.Marshal(everyKind())
		if err != nil {
			t.Fatal(err)
		}
		want, _ := NewOTLP(OTLPOptions{}).Decode(nil, Record{Value: marshal(t, everyKind())})
		got, faults := NewOTLPJSON(OTLPOptions{}).Decode(nil, Record{Value: value})
		if diff := cmp.Diff(cmpString(want, nil), cmpString(got, faults)); diff != "" {
			t.Error(diff)
		}
	}
}

// The text follows the OTLP specification's JSON mapping: hexadecimal ids, 64-bit
// integers as strings or numbers, enums as numbers, unknown members ignored.
func TestOTLPJSONFollowsOTLPsOwnRules(t *testing.T) {
	value := `{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"api"}}]},
		"scopeMetrics":[{"scope":{"name":"lib"},"unknownMember":{"a":[1]},"metrics":[
		{"name":"n","sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[
			{"asInt":"7","startTimeUnixNano":"1544712660300000000","timeUnixNano":1544712660400000000,
			 "attributes":[{"key":"k","value":{"intValue":"5"}}],
			 "exemplars":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","asDouble":1}]},
			{"asInt":8,"timeUnixNano":"1544712660500000000"},
			{"asDouble":"NaN","timeUnixNano":"1544712660500000000"}]}}]}]}]}`
	got, faults := NewOTLPJSON(OTLPOptions{}).Decode(nil, Record{Value: []byte(value)})
	want := []told{
		{0, "n,k=5;service.name=api", 1544712660400, values{"": 70}}, // 7 in 100 ms
		{1, "n;service.name=api", 1544712660500, values{"": 8}},
	}
	if diff := cmp.Diff(want, tell(got)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[int]string{2: ReasonBadValue}, reasons(faults)); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"{", "[]", `{"resourceMetrics":5}`, `{"resourceMetrics":[{"resource":{"attributes":[{"key":"\ud800"}]}}]}`} {
		got, faults = NewOTLPJSON(OTLPOptions{}).Decode(nil, Record{Value: []byte(bad)})
		if diff := cmp.Diff(map[int]string{WholeRecord: ReasonNotJSON}, reasons(faults)); diff != "" || len(got) > 0 {
			t.Error(bad, got, diff)
		}
	}
}

// The official module writes and reads; what it reads is named and counted once more here.
func TestOTLPReadsWhatTheOfficialModuleReads(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		words := rapid.StringMatching(`[a-c,=;\\é]{1,3}`)
		var metrics []*metricspb.Metric
		for range rapid.IntRange(0, 4).Draw(rt, "metrics") {
			var points []*metricspb.NumberDataPoint
			for range rapid.IntRange(0, 4).Draw(rt, "points") {
				p := double(rapid.Float64Range(-1e300, 1e300).Draw(rt, "v"), attr("k", text(words.Draw(rt, "value"))))
				p.TimeUnixNano = rapid.Uint64Min(1).Draw(rt, "time")
				points = append(points, p)
			}
			metrics = append(metrics, gauge(words.Draw(rt, "name"), points...))
		}
		value := marshal(t, message(metrics...))
		var official metricspb.MetricsData
		if err := proto.Unmarshal(value, &official); err != nil {
			rt.Fatal(err)
		}
		var want []string
		escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`, `=`, `\=`, `;`, `\;`).Replace
		for _, m := range official.ResourceMetrics[0].ScopeMetrics[0].Metrics {
			for _, p := range m.GetGauge().DataPoints {
				want = append(want, fmt.Sprintf("%s,k=%s %d %v", escape(m.Name),
					escape(p.Attributes[0].Value.GetStringValue()), p.TimeUnixNano/1e6, p.GetAsDouble()+0))
			}
		}
		got, faults := NewOTLP(OTLPOptions{Resource: []string{}}).Decode(nil, Record{Value: value})
		var have []string
		for _, p := range got {
			have = append(have, fmt.Sprintf("%s %d %v", p.Stream, p.Time, p.Fields[0].Value))
		}
		if diff := cmp.Diff(want, have); diff != "" || len(faults) > 0 {
			rt.Fatal(diff, faults)
		}
	})
}

func FuzzOTLP(f *testing.F) {
	f.Add(marshal(f, everyKind()))
	f.Add(marshal(f, message(gauge("m", double(1, attr("a", list(text("b"))))))))
	f.Fuzz(func(t *testing.T, value []byte) {
		d := NewOTLP(OTLPOptions{Scope: true})
		checkPromises(t, d, value)
		if proto.Unmarshal(value, &metricspb.MetricsData{}) != nil {
			return
		}
		_, faults := d.Decode(nil, Record{Value: value})
		for _, fault := range faults {
			if fault.Reason == ReasonMalformed {
				t.Fatalf("%v, but the official module reads it", fault)
			}
		}
	})
}

func FuzzOTLPJSON(f *testing.F) {
	value, err := protojson.Marshal(everyKind())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) { checkPromises(t, NewOTLPJSON(OTLPOptions{}), value) })
}

// hundredPoints is what a Collector's host metrics look like.
func hundredPoints() *metricspb.MetricsData {
	var metrics []*metricspb.Metric
	for i := range 10 {
		var points []*metricspb.NumberDataPoint
		for cpu := range 10 {
			points = append(points, double(float64(cpu), attr("cpu", text(fmt.Sprint("cpu", cpu))), attr("state", text("user"))))
		}
		metrics = append(metrics, gauge(fmt.Sprint("system.cpu.utilization.", i), points...))
	}
	return message(metrics...)
}

func TestDecodingOTLPAllocatesNothingOnceGrown(t *testing.T) {
	d := NewOTLP(OTLPOptions{})
	value := append(marshal(t, everyKind()), marshal(t, hundredPoints())...)
	var points []operator.Event
	step := func() {
		d.Reset()
		points, _ = d.Decode(points[:0], Record{Value: value})
	}
	for range 10 {
		step()
	}
	// The names of two uncommon quantiles and of p100, which is NaN.
	if n := testing.AllocsPerRun(10, step); n > 3 || len(points) != 105 {
		t.Errorf("%v allocations, %d points", n, len(points))
	}
}

// A megabyte of the smallest points with a long resource in common would make a hundred
// megabytes of names.
func TestOTLPNamesAreBoundedTogether(t *testing.T) {
	points := make([]*metricspb.NumberDataPoint, MaxPoints)
	for i := range points {
		points[i] = double(1)
	}
	m := message(gauge("m", points...))
	m.ResourceMetrics[0].Resource.Attributes[0].Value = text(strings.Repeat("x", MaxStreamBytes-100))
	value := marshal(t, m)
	d := NewOTLP(OTLPOptions{})
	var got []operator.Event
	var faults []Fault
	n := allocated(func() { got, faults = d.Decode(nil, Record{Value: value}) })
	if len(faults) != 1 || faults[0].Reason != ReasonTooLarge || len(got) < 30_000 || n > 4*MaxNameBytes {
		t.Errorf("%d points, %v, %d bytes", len(got), faults, n)
	}
}

func BenchmarkOTLP(b *testing.B) {
	benchmark(b, NewOTLP(OTLPOptions{}), marshal(b, hundredPoints()), 100)
}

func BenchmarkOTLPJSON(b *testing.B) {
	value, err := protojson.Marshal(hundredPoints())
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, NewOTLPJSON(OTLPOptions{}), value, 100)
}

// The official module makes a tree of structs of the bytes, without names of streams.
func BenchmarkOTLPOfficial(b *testing.B) {
	value := marshal(b, hundredPoints())
	var m metricspb.MetricsData
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if err := proto.Unmarshal(value, &m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/point")
}
