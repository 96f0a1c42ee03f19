package encoding

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/operator"
)

const recordTime = 1795429680000 // 2026-11-23T10:28:00Z

func newTestDecoder(t testing.TB) *JSON {
	t.Helper()
	d, err := NewJSON(DefaultJSONNames())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// decodeOne reads one record into ev.
func decodeOne(d *JSON, ev *operator.Event, key, value []byte, recordTime int64) error {
	events, faults := d.Decode(nil, Record{Key: key, Value: value, Time: recordTime})
	if len(faults) > 0 {
		return &faults[0]
	}
	*ev = events[0]
	return nil
}

// decoded is an Event that cmp.Diff can print.
type decoded struct {
	Stream string
	Time   int64
	Fields map[string]float64
	Order  string
}

func describe(ev *operator.Event) decoded {
	got := decoded{string(ev.Stream), ev.Time, map[string]float64{}, ""}
	for _, f := range ev.Fields {
		got.Fields[string(f.Name)] = f.Value
		got.Order += string(f.Name) + " "
	}
	return got
}

func plainEvent(stream string, time int64, value float64) decoded {
	return decoded{stream, time, map[string]float64{"": value}, " "}
}

var longestStream = strings.Repeat("s", MaxStreamBytes)

// goodRecords are the forms that the input contract names.
var goodRecords = []struct {
	name, key, value string
	want             decoded
}{
	{
		"RFC 3339", "", `{"stream":"web-7/cpu","ts":"2026-11-23T10:28:00Z","value":0.93}`,
		plainEvent("web-7/cpu", recordTime, 0.93),
	},
	{
		"milliseconds and fields, sorted", "",
		`{"stream":"web-7","ts":1795429680123,"values":{"mem":0.41,"cpu":0.93,"Mem":1}}`,
		decoded{"web-7", 1795429680123, map[string]float64{"cpu": 0.93, "mem": 0.41, "Mem": 1}, "Mem cpu mem "},
	},
	{"fraction and offset", "", `{"stream":"s","ts":"2026-11-23T11:28:00.2509+01:00","value":1}`, plainEvent("s", recordTime+250, 1)},
	{"lower case time", "", `{"stream":"s","ts":"2026-11-23t10:28:00z","value":1}`, plainEvent("s", recordTime, 1)},
	{"milliseconds in a string", "", `{"stream":"s","ts":"1795429680000","value":1}`, plainEvent("s", recordTime, 1)},
	{"milliseconds with exponent", "", `{"stream":"s","ts":1.79542968e12,"value":1}`, plainEvent("s", recordTime, 1)},
	{"before 1970", "", `{"stream":"s","ts":-1000,"value":1}`, plainEvent("s", -1000, 1)},
	{"no time", "", `{"stream":"s","value":1}`, plainEvent("s", recordTime, 1)},
	{"null time", "", `{"stream":"s","ts":null,"value":1}`, plainEvent("s", recordTime, 1)},
	{"first moment", "", `{"stream":"s","ts":"0001-01-01T00:00:00Z","value":1}`, plainEvent("s", minTime, 1)},
	{"last moment", "", `{"stream":"s","ts":"9999-12-31T23:59:59.999Z","value":1}`, plainEvent("s", maxTime, 1)},
	{"leap day", "", `{"stream":"s","ts":"2024-02-29T00:00:00Z","value":1}`, plainEvent("s", 1709164800000, 1)},
	{"stream from the key", "k/1", `{"value":1}`, plainEvent("k/1", recordTime, 1)},
	{"empty stream", "k", `{"stream":"","value":1}`, plainEvent("k", recordTime, 1)},
	{"null stream", "k", `{"stream":null,"value":1}`, plainEvent("k", recordTime, 1)},
	{"stream before key", "k", `{"stream":"s","value":1}`, plainEvent("s", recordTime, 1)},
	{"longest stream", "", `{"stream":"` + longestStream + `","value":1}`, plainEvent(longestStream, recordTime, 1)},
	{"escapes", "", `{"\u0073tream":"a\/b\"\u00e9\ud83d\ude00\n","value":1}`, plainEvent("a/b\"é😀\n", recordTime, 1)},
	{"numeric string", "", `{"stream":"s","value":"12.5"}`, plainEvent("s", recordTime, 12.5)},
	{"escaped numeric string", "", `{"stream":"s","value":"\u0031e2"}`, plainEvent("s", recordTime, 100)},
	{"minus zero", "", `{"stream":"s","value":-0.0}`, plainEvent("s", recordTime, 0)},
	{"underflow", "", `{"stream":"s","value":-1e-400}`, plainEvent("s", recordTime, 0)},
	{"null value beside values", "", `{"stream":"s","value":null,"values":{"a":1}}`, decoded{"s", recordTime, map[string]float64{"a": 1}, "a "}},
	{"null values beside value", "", `{"stream":"s","values":null,"value":1}`, plainEvent("s", recordTime, 1)},
	{"a field is null", "", `{"stream":"s","values":{"b":"2","a":null}}`, decoded{"s", recordTime, map[string]float64{"b": 2}, "b "}},
	{"unknown members", "", `{"x":[1,{"y":[]},"\u0000"],"stream":"s","x":{"value":3},"value":1,"z":1e999}`, plainEvent("s", recordTime, 1)},
	{"white space", "", " {\t\"stream\" : \"s\" ,\r\n \"values\" : { \"a\" : 1 , \"b\" : 2 } } \n", decoded{"s", recordTime, map[string]float64{"a": 1, "b": 2}, "a b "}},
	{"deep", "", `{"stream":"s","value":1,"x":` + strings.Repeat("[", maxJSONDepth-1) + strings.Repeat("]", maxJSONDepth-1) + `}`, plainEvent("s", recordTime, 1)},
}

func TestDecodeReadsWhatTheInputContractPromises(t *testing.T) {
	d := newTestDecoder(t)
	var ev operator.Event
	for _, test := range goodRecords {
		if err := decodeOne(d, &ev, []byte(test.key), []byte(test.value), recordTime); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if diff := cmp.Diff(test.want, describe(&ev)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", test.name, diff)
		}
		for _, f := range ev.Fields {
			if f.Value == 0 && math.Signbit(f.Value) {
				t.Errorf("%s: value is -0", test.name)
			}
		}
	}
}

func TestDecodeRefusesWithAReason(t *testing.T) {
	tests := []struct {
		reason      string
		key, values string // one value a line
	}{
		{ReasonNotJSON, "k", badJSON},
		{ReasonNotObject, "k", "null\n1\n[]\n\"value\"\ntrue\n [{}]"},
		{ReasonNoStream, "", `{"value":1}` + "\n" + `{"stream":null,"value":1}` + "\n" + `{"stream":"","value":1}`},
		{ReasonNoStream, "\xff", `{"value":1}`},
		{ReasonBadStream, "k", `{"stream":1,"value":1}` + "\n" + `{"stream":{},"value":1}` + "\n" + `{"stream":false,"value":1}`},
		{ReasonNoValue, "k", "{}\n" + `{"value":null}` + "\n" + `{"values":{}}` + "\n" + `{"values":{"a":null}}` + "\n" + `{"Value":1}`},
		{ReasonBadValue, "k", badValues},
		{ReasonBadTime, "k", badTimes},
		{ReasonDuplicateKey, "k", `{"value":1,"value":1}` + "\n" + `{"ts":1,"ts":null,"value":1}` + "\n" + `{"values":{"a":1,"\u0061":null}}` +
			"\n" + `{"stream":"a","stream":"a","value":1}` + "\n" + `{"values":null,"values":{"a":1}}`},
		{ReasonTooLarge, "k", `{"stream":"` + strings.Repeat("s", MaxStreamBytes+1) + `","value":1}`},
		{ReasonTooLarge, "k", `{"values":{"` + strings.Repeat("s", MaxFieldNameBytes+1) + `":1}}`},
		{ReasonTooLarge, "k", `{"value":1,"x":` + strings.Repeat("[", maxJSONDepth) + strings.Repeat("]", maxJSONDepth) + `}`},
		{ReasonTooLarge, strings.Repeat("k", MaxStreamBytes+1), `{"value":1}`},
	}
	d := newTestDecoder(t)
	for _, test := range tests {
		for value := range strings.SplitSeq(test.values, "\n") {
			checkRefused(t, d, []byte(test.key), []byte(value), test.reason)
		}
	}
	checkRefused(t, d, []byte("k"), nil, ReasonTombstone)
	checkRefused(t, d, []byte("k"), []byte{}, ReasonEmptyValue)
	checkRefused(t, d, []byte("k"), []byte("{\"value\":1,\"x\":\"\n\"}"), ReasonNotJSON)
}

const badJSON = ` 
{
{"value":1
{"value":1}}
{"value":1} {}
{"value":1,}
{"value":01}
{"value":+1}
{"value":.5}
{"value":1.}
{"value":1e}
{"value":-}
{"value":NaN}
{"value":Infinity}
{"value":-Infinity}
{"value":0x10}
{"value":1_0}
{"value":tru}
{"value":1 "x":2}
{"value" 1}
{value:1}
{'value':1}
{"value":1,"x":"\x"}
{"value":1,"x":"\u12"}
{"value":1,"x":"\u12g4"}
{"value":1,"x":"\ud800"}
{"value":1,"x":"\udc00"}
{"value":1,"x":"\ud800\ud800"}
{"value":1,"x":"\ud800\n"}
{"value":1,"x":"` + "\t" + `"}
{"value":1,"x":"` + "\xff" + `"}
{"value":1,"` + "\xc0\xaf" + `":1}
{"value":1,"x":"` + "\xed\xa0\x80" + `"}
{"value":1,"x":"
{"value":1,"x":"\
{"value":1,"x":[1,]}
{"value":1,"x":[1}
{"value":1,"x":[1]]}
{"value":1}` + "\x00" + `
` + "\xef\xbb\xbf" + `{"value":1}
{"value":true,"x":nope}
{"value":1} // no`

const badValues = `{"value":true}
{"value":[1]}
{"value":{}}
{"value":""}
{"value":"NaN"}
{"value":"Inf"}
{"value":"0x10"}
{"value":"1_0"}
{"value":" 1"}
{"value":"1 "}
{"value":"+1"}
{"value":"01"}
{"value":"1e400"}
{"value":"abc"}
{"value":1e400}
{"value":-1e400}
{"value":1,"values":{"a":1}}
{"value":1,"values":{}}
{"values":1}
{"values":[1]}
{"values":"1"}
{"values":{"":1}}
{"values":{"":null,"a":1}}
{"values":{"a":1,"b":true}}
{"values":{"a":1,"b":[]}}
{"values":{"a":1,"b":{}}}
{"values":{"a":"x"}}
{"values":{"a":1e999}}`

const badTimes = `{"ts":true,"value":1}
{"ts":[],"value":1}
{"ts":{},"value":1}
{"ts":"","value":1}
{"ts":"yesterday","value":1}
{"ts":1.5,"value":1}
{"ts":1e999,"value":1}
{"ts":253402300800000,"value":1}
{"ts":-62135596800001,"value":1}
{"ts":"-1","value":1}
{"ts":"01795429680000","value":1}
{"ts":"1795429680000.0","value":1}
{"ts":"2026-11-23","value":1}
{"ts":"2026-11-23T10:28:00","value":1}
{"ts":"2026-11-23 10:28:00Z","value":1}
{"ts":"2026-11-23T10:28Z","value":1}
{"ts":"2026-11-23T10:28:00.Z","value":1}
{"ts":"2026-11-23T10:28:00,5Z","value":1}
{"ts":"2026-11-23T10:28:00+0100","value":1}
{"ts":"2026-11-23T10:28:00+24:00","value":1}
{"ts":"2026-11-23T10:28:00+01:60","value":1}
{"ts":"2026-11-23T10:28:00ZZ","value":1}
{"ts":"2026-02-29T10:28:00Z","value":1}
{"ts":"2026-00-10T10:28:00Z","value":1}
{"ts":"2026-13-10T10:28:00Z","value":1}
{"ts":"2026-11-00T10:28:00Z","value":1}
{"ts":"2026-11-23T24:00:00Z","value":1}
{"ts":"2026-11-23T10:60:00Z","value":1}
{"ts":"2026-11-23T10:28:60Z","value":1}
{"ts":"0000-12-31T23:00:00Z","value":1}
{"ts":"0001-01-01T00:00:00+00:01","value":1}
{"ts":"9999-12-31T23:59:59-00:01","value":1}`

func checkRefused(t *testing.T, d *JSON, key, value []byte, want string) {
	t.Helper()
	var ev operator.Event
	err := decodeOne(d, &ev, key, value, recordTime)
	var fault *Fault
	if !errors.As(err, &fault) {
		t.Errorf("%.80q: %v, want reason %s", value, err, want)
		return
	}
	if fault.Reason != want {
		t.Errorf("%.80q: %v, want reason %s", value, err, want)
	}
	if fault.Detail == "" || len(fault.Detail) > 500 {
		t.Errorf("%.80q: detail has %d bytes: %s", value, len(fault.Detail), fault.Detail)
	}
}

func TestDecodeNamesTheFieldAtFault(t *testing.T) {
	d := newTestDecoder(t)
	err := decodeOne(d, &operator.Event{}, nil, []byte(`{"stream":"s","values":{"a":1,"disk":"full"}}`), recordTime)
	const want = `bad_value: value of "disk" is "\"full\"", not a number`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDecodeWithoutAnyTimeIsRefused(t *testing.T) {
	d := newTestDecoder(t)
	var ev operator.Event
	var fault *Fault
	if err := decodeOne(d, &ev, nil, []byte(`{"stream":"s","value":1}`), -1); !errors.As(err, &fault) || fault.Reason != ReasonBadTime {
		t.Errorf("no time anywhere: %v, want %s", err, ReasonBadTime)
	}
	if err := decodeOne(d, &ev, nil, []byte(`{"stream":"s","value":1,"ts":5}`), -1); err != nil {
		t.Errorf("time in the value alone: %v", err)
	}
}

func TestDecodeTakesAtMostMaxFields(t *testing.T) {
	value := func(n int) []byte {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"f%d":%d`, n-i, i)
		}
		return []byte(`{"stream":"s","values":{` + b.String()[1:] + `}}`)
	}
	d := newTestDecoder(t)
	var ev operator.Event
	if err := decodeOne(d, &ev, nil, value(MaxFields), recordTime); err != nil || len(ev.Fields) != MaxFields {
		t.Errorf("%d fields: %v, got %d", MaxFields, err, len(ev.Fields))
	}
	checkRefused(t, d, nil, value(MaxFields+1), ReasonTooLarge)
}

func TestDecodeReadsConfiguredNames(t *testing.T) {
	d, err := NewJSON(JSONNames{Stream: "host", Time: "@timestamp", Value: "v", Values: "metrics"})
	if err != nil {
		t.Fatal(err)
	}
	var ev operator.Event
	err = decodeOne(d, &ev, nil, []byte(`{"host":"h","@timestamp":5,"v":2,"stream":7,"value":"x","ts":[],"values":0}`), recordTime)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plainEvent("h", 5, 2), describe(&ev)); diff != "" {
		t.Error(diff)
	}
}

func TestJSONNamesMustDiffer(t *testing.T) {
	for _, names := range []JSONNames{{}, {"a", "b", "c", "a"}, {"a", "", "c", "d"}} {
		if _, err := NewJSON(names); err == nil {
			t.Errorf("names %q were accepted", names)
		}
	}
}

// Events are held for a batch: what was decoded first must outlive what is
// decoded later, escapes included.
func TestDecodedEventsStayUntilReset(t *testing.T) {
	d := newTestDecoder(t)
	events := make([]operator.Event, 4000)
	batch := func() {
		d.Reset()
		for i := range events {
			value := fmt.Appendf(nil, `{"stream":"a\/%d","values":{"\u0061%d":1}}`, i, i)
			if err := decodeOne(d, &events[i], nil, value, recordTime); err != nil {
				t.Fatal(err)
			}
		}
	}
	batch()
	batch()
	for i, ev := range events {
		if got, want := string(ev.Stream), fmt.Sprintf("a/%d", i); got != want {
			t.Fatalf("event %d: stream %q, want %q", i, got, want)
		}
		if got, want := string(ev.Fields[0].Name), fmt.Sprintf("a%d", i); got != want {
			t.Fatalf("event %d: field %q, want %q", i, got, want)
		}
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	d := newTestDecoder(t)
	var events []operator.Event
	key := []byte("k")
	for _, record := range append([]string{`{"\u0073tream":"a\/b","value":"\u0031"}`}, benchRecords...) {
		value := []byte(record)
		batch := func() {
			d.Reset()
			for range 1000 {
				var faults []Fault
				if events, faults = d.Decode(events[:0], Record{Key: key, Value: value, Time: recordTime}); len(faults) > 0 {
					t.Fatal(faults)
				}
			}
		}
		for range 4 { // the decoder's memory grows to the size of a batch
			batch()
		}
		if allocs := testing.AllocsPerRun(5, batch); allocs > 0 {
			t.Errorf("%s: %v allocations a batch", value, allocs)
		}
	}
}
