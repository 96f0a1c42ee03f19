package encoding

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/weirstream/weir/operator"
)

func plainPrediction() *operator.Prediction {
	return &operator.Prediction{
		Event: operator.Event{
			Stream: []byte("web-7/cpu"), Offset: 918273, Index: operator.WholeRecord, Time: recordTime,
			Fields: []operator.Field{{Value: 0.93}},
		},
		Forecasts:    []operator.Forecast{{YHat: 0.41, Lower: 0.28, Upper: 0.55}},
		PValue:       1.4e-6,
		AnomalyScore: 2.71,
		IsAnomaly:    true,
		Phase:        operator.Ready,
		N:            18231,
		GapSeconds:   60,
	}
}

func namedPrediction() *operator.Prediction {
	p := plainPrediction()
	p.Stream = []byte("web-7")
	p.Fields = []operator.Field{{Name: []byte("cpu"), Value: 0.93}, {Name: []byte("mem"), Value: 0.41}}
	p.Forecasts = append(p.Forecasts, operator.Forecast{YHat: 0.4, Lower: 0.39, Upper: 0.425})
	p.Attribution = []float64{0.9375, 0.0625}
	return p
}

func TestAppendJSONIsTheFixedOutput(t *testing.T) {
	const model = "telemetry-s@ab12cd34"
	id := AppendID(nil, "events", 3, &plainPrediction().Event)
	tests := []struct {
		p    *operator.Prediction
		want string
	}{
		{plainPrediction(), `{"id":"events-3-918273","stream":"web-7/cpu","ts":"2026-11-23T10:28:00.000Z","value":0.93,` +
			`"yhat":0.41,"yhat_lower":0.28,"yhat_upper":0.55,"p_value":1.4e-6,"anomaly_score":2.71,"is_anomaly":true,` +
			`"state":"ready","n":18231,"gap_s":60,"model":"telemetry-s@ab12cd34"}`},
		{namedPrediction(), `{"id":"events-3-918273","stream":"web-7","ts":"2026-11-23T10:28:00.000Z",` +
			`"values":{"cpu":0.93,"mem":0.41},"yhat":{"cpu":0.41,"mem":0.4},"yhat_lower":{"cpu":0.28,"mem":0.39},` +
			`"yhat_upper":{"cpu":0.55,"mem":0.425},"p_value":1.4e-6,"anomaly_score":2.71,"is_anomaly":true,` +
			`"attribution":{"cpu":0.9375,"mem":0.0625},` +
			`"state":"ready","n":18231,"gap_s":60,"model":"telemetry-s@ab12cd34"}`},
	}
	for _, test := range tests {
		got := string(AppendJSON([]byte("before "), test.p, id, model))
		if got != "before "+test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
		p := *test.p
		buf := make([]byte, 0, 4096)
		allocs := testing.AllocsPerRun(100, func() {
			AppendID(buf[:0], "events", 3, &operator.Event{Offset: 918273, Index: operator.WholeRecord})
			AppendJSON(buf[:0], &p, id, model)
		})
		if allocs > 0 {
			t.Errorf("AppendJSON allocates %v times", allocs)
		}
	}
}

func TestPValueHasFourDigitsAndIsNeverZero(t *testing.T) {
	for p, want := range map[float64]string{
		1: "1", 0.5: "0.5", 0.123456: "0.1235", 0.99999: "1", 0.00123456: "0.001235", 0.0001: "0.0001",
		0.0000123456: "1.235e-5", 1.4e-6: "1.4e-6", 1e-10: "1e-10", 5e-324: "4.941e-324", 0: "4.941e-324",
		math.NaN(): "null",
	} {
		if got := string(appendPValue(nil, p)); got != want {
			t.Errorf("%v: %s, want %s", p, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.Float64Range(5e-324, 1).Draw(t, "p")
		text := string(appendPValue(nil, p))
		got, err := strconv.ParseFloat(text, 64)
		if err != nil || !(got > 0) || got > 1 {
			t.Fatalf("%v: %s: %v", p, text, err)
		}
		if p > 1e-300 && math.Abs(got-p) > 0.5001e-3*p {
			t.Fatalf("%v: %s is too far away", p, text)
		}
		digits := strings.TrimLeft(strings.ReplaceAll(strings.Split(text, "e")[0], ".", ""), "0")
		if len(digits) > 4 {
			t.Fatalf("%v: %s has more than four digits", p, text)
		}
	})
}

func TestFloatsAreThoseOfEncodingJSON(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, f float64) {
		want, err := json.Marshal(f + 0) // no -0
		if err != nil {
			want = []byte("null")
		}
		if got := appendFloat(nil, f); string(got) != string(want) {
			t.Fatalf("%x: %s, want %s", f, got, want)
		}
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 1e-6, 9.99e-7, 1e-7, 1e-10, 1e20, 1e21, 1e22, -1e100, math.MaxFloat64, math.NaN(), math.Inf(1), math.Inf(-1)} {
		check(t, f)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.Float64().Draw(t, "float")) })
}

func TestTimesHaveThreeDecimals(t *testing.T) {
	for ms, want := range map[int64]string{
		minTime: "0001-01-01T00:00:00.000Z", maxTime: "9999-12-31T23:59:59.999Z", -1: "1969-12-31T23:59:59.999Z",
		recordTime + 7: "2026-11-23T10:28:00.007Z",
	} {
		if got := string(appendTime(nil, ms)); got != want {
			t.Errorf("%d: %s, want %s", ms, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(minTime, maxTime).Draw(t, "ms")
		text := appendTime(nil, ms)
		if want := time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z"); string(text) != want {
			t.Fatalf("%d: %s, want %s", ms, text, want)
		}
		if back, ok := parseTime(text); !ok || back != ms {
			t.Fatalf("%d: %s reads back as %d", ms, text, back)
		}
	})
}

// output is what a consumer in Go would unmarshal into.
type output struct {
	ID           string             `json:"id"`
	Stream       string             `json:"stream"`
	Time         time.Time          `json:"ts"`
	Value        float64            `json:"value"`
	Values       map[string]float64 `json:"values"`
	YHat         json.RawMessage    `json:"yhat"`
	PValue       float64            `json:"p_value"`
	AnomalyScore float64            `json:"anomaly_score"`
	IsAnomaly    bool               `json:"is_anomaly"`
	Attribution  map[string]float64 `json:"attribution"`
	State        string             `json:"state"`
	N            int64              `json:"n"`
	GapSeconds   float64            `json:"gap_s"`
	Model        string             `json:"model"`
}

func TestEveryASCIICharacterReadsBack(t *testing.T) {
	for c := range rune(utf8.RuneSelf) {
		text := appendString(nil, string(c))
		var got string
		if err := json.Unmarshal(text, &got); err != nil || got != string(c) {
			t.Errorf("%q is written %s, which reads %q: %v", c, text, got, err)
		}
	}
}

func FuzzEncodeIsJSONThatReadsBack(f *testing.F) {
	f.Add("events-0-1", "web\x00\x7f\"\\\n\u2028é😀", "m", "field", int64(recordTime), 0.1, -0.2, 1e-7)
	f.Add("\xff", "\xed\xa0\x80", "\xc3", "", int64(0), math.Inf(1), math.NaN(), 0.0)
	f.Fuzz(func(t *testing.T, id, stream, model, field string, ms int64, value, yhat, p float64) {
		if ms < minTime || ms > maxTime {
			return
		}
		pred := plainPrediction()
		pred.Stream, pred.Time, pred.PValue, pred.AnomalyScore = []byte(stream), ms, p, yhat
		pred.Fields[0].Value = value
		pred.Forecasts[0].YHat = yhat
		if field != "" {
			pred.Fields[0].Name = []byte(field)
			pred.Attribution = []float64{1}
		}
		text := AppendJSON(nil, pred, []byte(id), model)
		if !json.Valid(text) || !utf8.Valid(text) {
			t.Fatalf("no valid JSON: %q", text)
		}
		for _, c := range text {
			if c < ' ' {
				t.Fatalf("more than one line: %q", text)
			}
		}
		var got output
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		wantText := func(name, got, want string) {
			if strings.ToValidUTF8(want, "") == want && got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		wantText("id", got.ID, id)
		wantText("stream", got.Stream, stream)
		wantText("model", got.Model, model)
		if got.Time.UnixMilli() != ms || got.State != "ready" || got.N != 18231 || !got.IsAnomaly {
			t.Errorf("%q reads back as %+v", text, got)
		}
		if field != "" {
			got.Value = got.Values[strings.ToValidUTF8(field, "\uFFFD")]
		}
		if utf8.ValidString(field) && isFinite(value) && got.Value != value {
			t.Errorf("value %v reads back as %v", value, got.Value)
		}
		if isFinite(yhat) && got.AnomalyScore != yhat {
			t.Errorf("score %v reads back as %v", yhat, got.AnomalyScore)
		}
	})
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// What one Weir writes, another can read: a scores topic is an input as well.
func TestOutputDecodesAsInput(t *testing.T) {
	d := newTestDecoder(t)
	var ev operator.Event
	rapid.Check(t, func(t *rapid.T) {
		p := plainPrediction()
		p.Stream = []byte(rapid.StringN(1, 40, -1).Draw(t, "stream"))
		p.Time = rapid.Int64Range(minTime, maxTime).Draw(t, "ms")
		p.Fields[0].Value = rapid.Float64().Draw(t, "value") + 0
		if err := decodeOne(d, &ev, nil, AppendJSON(nil, p, []byte("t-0-0"), "m"), 0); err != nil {
			t.Fatal(err)
		}
		if string(ev.Stream) != string(p.Stream) || ev.Time != p.Time || ev.Fields[0].Value != p.Fields[0].Value {
			t.Fatalf("got %+v, want %+v", ev, p.Event)
		}
	})
}
