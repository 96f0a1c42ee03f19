package encoding

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func headers(pairs ...string) []Header {
	var all []Header
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, Header{pairs[i], []byte(pairs[i+1])})
	}
	return all
}

func TestCloudEventInBinaryModeKeepsItsValue(t *testing.T) {
	in := Record{Value: []byte("m v=1"), Time: 5, Headers: headers(
		"content-type", "text/plain", "ce_specversion", "1.0", "ce_id", "a", "ce_source", "/s", "ce_type", "t",
		"ce_time", "2026-11-23T10:28:00.25+01:00")}
	want := in
	want.Time = time.Date(2026, 11, 23, 9, 28, 0, 250e6, time.UTC).UnixMilli()
	got, fault := UnwrapCloudEvent(in)
	if diff := cmp.Diff(want, got); diff != "" || fault != nil {
		t.Error(diff, fault)
	}
}

func TestRecordsThatAreNoCloudEventStayAsTheyAre(t *testing.T) {
	for _, in := range []Record{
		{},
		{Value: []byte(`{"specversion":"1.0"}`), Time: 5},
		{Value: []byte("x"), Time: -1, Headers: headers("content-type", "application/json", "ce_id", "a")},
		{Value: []byte("x"), Headers: headers("content-type", "")},
	} {
		got, fault := UnwrapCloudEvent(in)
		if diff := cmp.Diff(in, got); diff != "" || fault != nil {
			t.Error(diff, fault)
		}
	}
}

func TestCloudEventInStructuredModeGivesItsData(t *testing.T) {
	const attributes = `{"specversion":"1.0","id":"a","source":"/s","type":"t","extension":5,`
	for _, c := range []struct{ name, rest, value, typ string }{
		{"an object", `"data":{"a": [1.0]}}`, `{"a": [1.0]}`, "application/json"},
		{"a JSON string", `"data":"x"}`, `"x"`, "application/json"},
		{"a +json string", `"datacontenttype":"application/x+json;charset=utf-8","data":"x"}`, `"x"`, "application/x+json;charset=utf-8"},
		{"text", `"datacontenttype":"text/plain","data":"m v=1\nn v=2"}`, "m v=1\nn v=2", "text/plain"},
		{"base64", `"datacontenttype":"application/x-protobuf","data_base64":"AP8="}`, "\x00\xff", "application/x-protobuf"},
		{"no data", `"data":null}`, "", "application/json"},
	} {
		in := Record{
			Value: []byte(attributes + c.rest), Time: 5,
			Headers: headers("content-type", "application/cloudevents+json; charset=UTF-8", "traceparent", "p"),
		}
		got, fault := UnwrapCloudEvent(in)
		want := Record{Value: []byte(c.value), Time: 5, Headers: headers("content-type", c.typ, "traceparent", "p")}
		if diff := cmp.Diff(want, got); diff != "" || fault != nil {
			t.Error(c.name, diff, fault)
		}
	}
}

func TestCloudEventFaults(t *testing.T) {
	const good = `{"specversion":"1.0","id":"a","source":"/s","type":"t","time":"2026-11-23T10:28:00Z","data":1}`
	structured := headers("content-type", "application/cloudevents+json")
	if _, fault := UnwrapCloudEvent(Record{Value: []byte(good), Headers: structured}); fault != nil {
		t.Fatal(fault)
	}
	for _, c := range []struct{ old, with, reason string }{
		{`"1.0"`, `"0.3"`, ReasonMalformed},
		{`"1.0"`, `1.0`, ReasonMalformed},
		{`"id":"a"`, `"id":""`, ReasonMalformed},
		{`"source"`, `"SOURCE"`, ReasonMalformed},
		{"10:28:00Z", "10:28", ReasonBadTime},
		{`"data":1`, `"data":1,"data_base64":"AA=="`, ReasonMalformed},
		{`"data":1`, `"data_base64":"?"`, ReasonMalformed},
		{`"data":1`, `"data":`, ReasonNotJSON},
		{good, `[]`, ReasonNotJSON},
		{`"data":1`, "\"data\":\"\xff\"", ReasonNotJSON},
	} {
		value := []byte(strings.Replace(good, c.old, c.with, 1))
		_, fault := UnwrapCloudEvent(Record{Value: value, Headers: structured})
		if fault == nil || fault.Reason != c.reason || fault.Point != WholeRecord {
			t.Errorf("%s: %v, want %s", value, fault, c.reason)
		}
	}
	for _, r := range []Record{
		{Headers: structured},
		{Value: []byte("[]"), Headers: headers("content-type", "application/cloudevents-batch+json")},
		{Value: []byte("x"), Headers: headers("ce_specversion", "1.0", "ce_id", "a", "ce_source", "/s")},
	} {
		if _, fault := UnwrapCloudEvent(r); fault == nil {
			t.Errorf("%s: no fault", r.Value)
		}
	}
}

func TestDecodersReadWhatACloudEventCarries(t *testing.T) {
	r, fault := UnwrapCloudEvent(Record{
		Value:   []byte(`{"specversion":"1.0","id":"a","source":"/s","type":"t","time":"1970-01-01T00:00:01Z","datacontenttype":"text/plain","data":"m v=1"}`),
		Headers: headers("content-type", "application/cloudevents+json"),
	})
	if fault != nil {
		t.Fatal(fault)
	}
	got, faults := newInflux(t, time.Nanosecond).Decode(nil, r)
	if diff := cmp.Diff([]told{{0, "m", 1000, values{"v": 1}}}, tell(got)); diff != "" {
		t.Error(diff, faults)
	}
}

func FuzzCloudEvent(f *testing.F) {
	f.Add([]byte(`{"specversion":"1.0","id":"a","source":"/s","type":"t","time":"2026-11-23T10:28:00Z","data":{}}`), "application/cloudevents+json", "1.0")
	f.Add([]byte("x"), "text/plain", "1.0")
	f.Fuzz(func(t *testing.T, value []byte, typ, version string) {
		r := Record{Value: value, Time: 1, Headers: headers("content-type", typ, "ce_specversion", version, "ce_id", "a", "ce_source", "/s", "ce_type", "t")}
		got, fault := UnwrapCloudEvent(r)
		if fault == nil && (got.Time < minTime || got.Time > maxTime || len(got.Value) > len(value)) {
			t.Fatalf("%+v", got)
		}
		if fault != nil && (fault.Reason == "" || fault.Point != WholeRecord) {
			t.Fatalf("%+v", fault)
		}
	})
}
