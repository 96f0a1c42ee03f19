package encoding

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
)

func newDecoder(t testing.TB, encoding string) *Decoder {
	t.Helper()
	d, err := NewDecoder(Options{Encoding: encoding, JSON: DefaultJSONNames(), InfluxPrecision: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// samples are records by their encoding.
func samples(t testing.TB) map[string][][]byte {
	otlpJSON, err := protojson.Marshal(everyKind())
	if err != nil {
		t.Fatal(err)
	}
	return map[string][][]byte{
		"json":       {[]byte(`{"stream":"a","value":1}`), []byte(" \n{ \"value\": 1 }"), []byte("[1]"), []byte("\x00"), {}},
		"otlp_proto": {marshal(t, everyKind()), marshal(t, hundredPoints())},
		"otlp_json":  {otlpJSON},
		"prometheus": {golden(t, "remote_write_v1.snappy"), golden(t, "remote_write_v2.snappy")},
		"influx":     {[]byte("m v=1\n"), []byte("\n# comment\nwetter,ort=Köln grad=3.5 1795429680000000000")},
	}
}

func TestAutoReadsWhatEachEncodingReads(t *testing.T) {
	for encoding, values := range samples(t) {
		for _, value := range values {
			r := Record{Key: []byte("k"), Value: value, Time: 5}
			want, wantFaults := newDecoder(t, encoding).Decode(nil, r)
			got, faults := newDecoder(t, "auto").Decode(nil, r)
			if diff := cmp.Diff(cmpString(want, wantFaults), cmpString(got, faults)); diff != "" {
				t.Errorf("%s %.40q: %s", encoding, value, diff)
			}
		}
	}
}

func TestAutoBelievesTheContentType(t *testing.T) {
	for _, test := range []struct {
		want    string
		headers []Header
	}{
		{"otlp_proto", headers("content-type", "application/x-protobuf")},
		{"prometheus", headers("content-type", "application/x-protobuf", "content-encoding", "snappy")},
		{"prometheus", headers("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")},
		{"json", headers("content-type", "application/json; charset=utf-8")},
		{"influx", headers("content-type", "text/plain")},
		{"influx", headers("content-type", "")},
	} {
		if got := recognise(Record{Value: []byte("m v=1"), Headers: test.headers}); got != test.want {
			t.Errorf("%v: %s, want %s", test.headers, got, test.want)
		}
	}
}

// Events of one encoding must stay as they are while records of another follow.
func TestEventsOfMixedEncodingsStayUntilReset(t *testing.T) {
	auto := newDecoder(t, "auto")
	all := samples(t)
	names := []string{"json", "otlp_proto", "otlp_json", "prometheus", "influx"}
	for range 3 {
		auto.Reset()
		events, _ := auto.Decode(nil, Record{})
		var want string
		for range 50 {
			for _, name := range names {
				for _, value := range all[name] {
					r := Record{Key: []byte("k"), Value: value, Time: 5}
					events, _ = auto.Decode(events, r)
					one, _ := newDecoder(t, name).Decode(nil, r)
					want += cmpString(one, nil)
				}
			}
		}
		if diff := cmp.Diff(want, cmpString(events, nil)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestAnEncodingThatIsUnknownIsAnError(t *testing.T) {
	if _, err := NewDecoder(Options{Encoding: "xml", JSON: DefaultJSONNames(), InfluxPrecision: time.Second}); err == nil {
		t.Error("xml was accepted")
	}
}

func TestAFaultyCloudEventIsAFaultOfTheRecord(t *testing.T) {
	r := Record{Value: []byte(`{"value":1}`), Headers: headers("ce_specversion", "0.3")}
	events, faults := newDecoder(t, "json").Decode(nil, r)
	if diff := cmp.Diff(map[int]string{WholeRecord: ReasonMalformed}, reasons(faults)); diff != "" || len(events) > 0 {
		t.Error(events, diff)
	}
}

func FuzzAuto(f *testing.F) {
	for _, values := range samples(f) {
		for _, value := range values {
			f.Add(value)
		}
	}
	f.Add(bytes.Repeat([]byte{0x0a, 0}, 20))
	f.Fuzz(func(t *testing.T, value []byte) { checkPromises(t, newDecoder(t, "auto"), value) })
}
