package encoding

import (
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"

	"github.com/weirstream/weir/operator"
)

const eventSchema = `{"type":"record","name":"Event","namespace":"acme","fields":[
	{"name":"stream","type":["null","string"]},
	{"name":"ts","type":{"type":"long","logicalType":"timestamp-micros"}},
	{"name":"value","type":["null","double","long",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2},"string"]},
	{"name":"values","type":["null",{"type":"map","values":["null","float","int"]}]}]}`

func newAvro(t testing.TB) *Avro {
	t.Helper()
	d := NewAvro(DefaultJSONNames())
	d.Learn("7", []string{eventSchema})
	return d
}

// avroEvent is a record of eventSchema, whose id is 7.
func avroEvent(t testing.TB, fields map[string]any) []byte {
	t.Helper()
	data, err := avro.MustParse(eventSchema).Encode(fields)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, 7), data...)
}

func TestAvroReadsEventsByTheirSchema(t *testing.T) {
	at := time.UnixMilli(recordTime).Add(900 * time.Microsecond)
	for name, test := range map[string]struct {
		fields map[string]any
		want   decoded
	}{
		"a double": {map[string]any{"stream": "s", "ts": at, "value": 0.5}, plainEvent("s", recordTime, 0.5)},
		"a long":   {map[string]any{"stream": "s", "ts": at, "value": int64(-3)}, plainEvent("s", recordTime, -3)},
		"a string": {map[string]any{"stream": "s", "ts": at, "value": "1.5e3"}, plainEvent("s", recordTime, 1500)},
		"a decimal, stream by key": {
			map[string]any{"ts": at, "value": big.NewRat(1225, 100)},
			plainEvent("key", recordTime, 12.25),
		},
		"fields": {
			map[string]any{"stream": "s", "ts": at, "values": map[string]any{"mem": int32(4), "cpu": float32(0.5), "net": nil}},
			decoded{"s", recordTime, map[string]float64{"cpu": 0.5, "mem": 4}, "cpu mem "},
		},
	} {
		got, faults := newAvro(t).Decode(nil, Record{Key: []byte("key"), Value: avroEvent(t, test.fields)})
		if len(faults) > 0 || len(got) != 1 || got[0].Index != operator.WholeRecord {
			t.Errorf("%s: %+v %v", name, got, faults)
			continue
		}
		if diff := cmp.Diff(test.want, describe(&got[0])); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAvroFramingsNameTheSchema(t *testing.T) {
	guid, err := hex.DecodeString("7f1ad5a9000000000000000000000042")
	if err != nil {
		t.Fatal(err)
	}
	for want, r := range map[string]Record{
		"16909060":                             {Value: []byte{0, 1, 2, 3, 4, 'x'}},
		"7f1ad5a9-0000-0000-0000-000000000042": {Value: append(append([]byte{1}, guid...), 'x')},
		"5":                                    {Value: []byte("x"), Headers: []Header{{"__value_schema_id", []byte{0, 0, 0, 0, 5}}}},
	} {
		name, data, ok := SchemaOf(r)
		if name != want || string(data) != "x" || !ok {
			t.Errorf("%q %q %v, want %s", name, data, ok, want)
		}
	}
}

func TestAvroRefusesWithAReason(t *testing.T) {
	at := time.UnixMilli(recordTime)
	good := avroEvent(t, map[string]any{"stream": "s", "ts": at, "value": 1.0})
	d := newAvro(t)
	d.Learn("8", nil)
	d.Learn("9", []string{`{"type":"record"`})
	d.Learn("10", []string{`"double"`})
	framed := func(id byte, data string) []byte { return append([]byte{0, 0, 0, 0, id}, data...) }
	for name, test := range map[string]struct {
		value  []byte
		reason string
	}{
		"no framing":      {[]byte("{}"), ReasonMalformed},
		"not registered":  {framed(8, "x"), ReasonUnknownSchema},
		"schema no Avro":  {framed(9, "x"), ReasonUnknownSchema},
		"never asked for": {framed(11, "x"), ReasonUnknownSchema},
		"no record":       {framed(10, "12345678"), ReasonMalformed},
		"cut off":         {good[:len(good)-1], ReasonMalformed},
		"text behind":     {append(good, 0), ReasonMalformed},
		"no value":        {avroEvent(t, map[string]any{"stream": "s", "ts": at}), ReasonNoValue},
		"both":            {avroEvent(t, map[string]any{"stream": "s", "ts": at, "value": 1.0, "values": map[string]any{"a": int32(1)}}), ReasonBadValue},
		"text":            {avroEvent(t, map[string]any{"stream": "s", "ts": at, "value": "full"}), ReasonBadValue},
		"year 10000":      {avroEvent(t, map[string]any{"stream": "s", "ts": time.UnixMilli(maxTime + 1), "value": 1.0}), ReasonBadTime},
		"long name":       {avroEvent(t, map[string]any{"stream": strings.Repeat("s", MaxStreamBytes+1), "ts": at, "value": 1.0}), ReasonTooLarge},
		"no stream":       {avroEvent(t, map[string]any{"ts": at, "value": 1.0}), ReasonNoStream},
	} {
		got, faults := d.Decode(nil, Record{Value: test.value, Time: recordTime})
		if diff := cmp.Diff(map[int]string{WholeRecord: test.reason}, reasons(faults)); diff != "" || len(got) > 0 {
			t.Errorf("%s: %v %v %s", name, got, faults, diff)
		}
	}
}

func TestAvroSchemasMayReferToOthers(t *testing.T) {
	d := NewAvro(DefaultJSONNames())
	inner := `{"type":"record","name":"Load","fields":[{"name":"cpu","type":"float"},{"name":"mem","type":"float"}]}`
	outer := `{"type":"record","name":"Event","fields":[{"name":"stream","type":"string"},{"name":"values","type":"Load"}]}`
	d.Learn("1", []string{inner, outer})
	value := []byte{0, 0, 0, 0, 1, 2, 's', 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40}
	got, faults := d.Decode(nil, Record{Value: value, Time: recordTime})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if diff := cmp.Diff(decoded{"s", recordTime, map[string]float64{"cpu": 1, "mem": 2}, "cpu mem "}, describe(&got[0])); diff != "" {
		t.Error(diff)
	}
}

func FuzzAvro(f *testing.F) {
	f.Add(avroEvent(f, map[string]any{"stream": "s", "ts": time.UnixMilli(recordTime), "value": 0.5}))
	f.Add(avroEvent(f, map[string]any{"ts": time.UnixMilli(recordTime), "values": map[string]any{"a": int32(1), "b": float32(2)}}))
	f.Fuzz(func(t *testing.T, value []byte) { checkPromises(t, newAvro(t), value) })
}
