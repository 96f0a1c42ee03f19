package encoding

import (
	"encoding/json"
	"testing"

	"github.com/weirstream/weir/operator"
)

// benchRecords are typical records: short, with an RFC 3339 time, with fields,
// with numeric strings, and with members that Weir does not read.
var benchRecords = []string{
	`{"stream":"host-17/cpu","ts":1732358400123,"value":12.3}`,
	`{"stream":"web-7/cpu","ts":"2026-11-23T10:28:00Z","value":0.9312345678901234}`,
	`{"stream":"web-7","ts":"2026-11-23T11:28:00.250+01:00","values":{"cpu":0.93,"mem":"0.41","net":1.25e6,"disk":7}}`,
	`{"host":"host-17","dc":"fra-1","rack":"r12","unit":"percent","tags":{"team":"db","tier":"gold"},"seq":918273,` +
		`"ok":true,"note":"µ-service überlastet","kind":"gauge","stream":"host-17/cpu","ts":1732358400123,"value":12.3}`,
}

var benchNames = []string{"short", "rfc3339", "fields", "long"}

func BenchmarkDecode(b *testing.B) {
	for i, record := range benchRecords {
		value := []byte(record)
		b.Run(benchNames[i], func(b *testing.B) {
			d := newTestDecoder(b)
			var events []operator.Event
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			for b.Loop() {
				d.Reset()
				events, _ = d.Decode(events[:0], Record{Value: value})
			}
			if len(events) != 1 {
				b.Fatal(events)
			}
		})
	}
}

// BenchmarkDecodeEncodingJSON is the same work, without the checks beyond JSON,
// by encoding/json.
func BenchmarkDecodeEncodingJSON(b *testing.B) {
	for i, record := range benchRecords {
		value := []byte(record)
		b.Run(benchNames[i], func(b *testing.B) {
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			for b.Loop() {
				var ev struct {
					Stream string         `json:"stream"`
					Time   any            `json:"ts"`
					Value  *float64       `json:"value"`
					Values map[string]any `json:"values"`
				}
				if err := json.Unmarshal(value, &ev); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for name, p := range map[string]*operator.Prediction{"value": plainPrediction(), "values": namedPrediction()} {
		b.Run(name, func(b *testing.B) {
			id := AppendID(nil, "events", 3, &plainPrediction().Event)
			buf := AppendJSON(nil, p, id, "telemetry-s@ab12cd34")
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				buf = AppendJSON(buf[:0], p, id, "telemetry-s@ab12cd34")
			}
		})
	}
}
