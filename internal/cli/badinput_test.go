package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/pipeline"
)

// badRecords are records that are no events, by the reason their dead letters give.
var badRecords = []struct {
	name, reason string
	key, value   []byte
}{
	{"not JSON", "not_json", []byte("k"), []byte("value=1")},
	{"truncated JSON", "not_json", []byte("k"), []byte(`{"stream":"a","value":1`)},
	{"JSON with a tail", "not_json", []byte("k"), []byte(`{"stream":"a","value":1}}`)},
	{"an array", "not_object", []byte("k"), []byte(`[{"stream":"a","value":1}]`)},
	{"empty value", "empty_value", []byte("k"), []byte{}},
	{"tombstone", "tombstone", []byte("k"), nil},
	{"no stream and no key", "no_stream", nil, []byte(`{"value":1}`)},
	{"a number for a stream", "bad_stream", []byte("k"), []byte(`{"stream":7,"value":1}`)},
	{"no value", "no_value", []byte("k"), []byte(`{"stream":"a"}`)},
	{"null value", "no_value", []byte("k"), []byte(`{"stream":"a","value":null}`)},
	{"NaN", "not_json", []byte("k"), []byte(`{"stream":"a","value":NaN}`)},
	{"NaN in a string", "bad_value", []byte("k"), []byte(`{"stream":"a","value":"NaN"}`)},
	{"Infinity", "not_json", []byte("k"), []byte(`{"stream":"a","value":Infinity}`)},
	{"1e400", "bad_value", []byte("k"), []byte(`{"stream":"a","value":1e400}`)},
	{"a string that is no number", "bad_value", []byte("k"), []byte(`{"stream":"a","value":"twelve"}`)},
	{"true for a value", "bad_value", []byte("k"), []byte(`{"stream":"a","value":true}`)},
	{"a time that is no time", "bad_time", []byte("k"), []byte(`{"stream":"a","ts":"yesterday","value":1}`)},
	{"a time beyond the calendar", "bad_time", []byte("k"), []byte(`{"stream":"a","ts":1e300,"value":1}`)},
	{"a stream id of 1 MB", "too_large", []byte("k"), []byte(`{"stream":"` + strings.Repeat("s", 1000000) + `","value":1}`)},
	{"a value of 10 MB", "too_large", []byte("k"), []byte(`{"stream":"a","pad":"` + strings.Repeat("p", 10<<20) + `","value":1}`)},
	{"deep nesting", "too_large", []byte("k"), []byte(`{"stream":"a","value":1,"deep":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`)},
	{"duplicate keys", "duplicate_key", []byte("k"), []byte(`{"stream":"a","value":1,"value":2}`)},
	{"invalid UTF-8", "not_json", []byte("k"), []byte("{\"stream\":\"a\xff\",\"value\":1}")},
	{"value and values", "bad_value", []byte("k"), []byte(`{"stream":"a","value":1,"values":{"x":1}}`)},
}

// oddRecords are unusual events that must be taken.
var oddRecords = []struct{ name, value, phase string }{
	{"an unknown field", `{"stream":"odd","ts":1795429680000,"value":1,"host":"web-7","tags":{"a":[1,2]}}`, "warming"},
	{"a numeric string", `{"stream":"odd","ts":1795429740000,"value":"1.5"}`, "warming"},
	{"a repeated time", `{"stream":"odd","ts":1795429740000,"value":2}`, "warming"},
	{"a time going backwards", `{"stream":"odd","ts":1795429680000,"value":3}`, "late"},
	{"a time in the far past", `{"stream":"odd","ts":"0001-01-02T00:00:00Z","value":3}`, "late"},
	{"the greatest float64", `{"stream":"odd","ts":1795429800000,"value":1.7976931348623157e308}`, "warming"},
	{"the least float64", `{"stream":"odd","ts":1795429860000,"value":-1.7976931348623157e308}`, "warming"},
	{"a time in the far future", `{"stream":"odd","ts":"9999-12-30T00:00:00Z","value":1}`, "warming"},
	{"the time after it", `{"stream":"odd","ts":1795429920000,"value":1}`, "late"},
}

// TestBadInputIsDeadLetteredAndNothingElse puts every bad record between the events of a
// good stream, on the real path, and looks at what comes out on both sides.
func TestBadInputIsDeadLetteredAndNothingElse(t *testing.T) {
	r := newRig(t, 1)
	good := outageEvents(0, len(badRecords)+len(oddRecords))
	for i, row := range good {
		msgs := row[:1]
		switch {
		case i < len(badRecords):
			msgs = append(msgs, pipeline.Message{Key: badRecords[i].key, Value: badRecords[i].value})
		default:
			msgs = append(msgs, pipeline.Message{Key: []byte("k"), Value: []byte(oddRecords[i-len(badRecords)].value)})
		}
		for _, m := range msgs {
			if err := r.produce(t.Context(), 0, []pipeline.Message{m}); err != nil {
				t.Fatalf("produce record %d: %v", i, err)
			}
		}
		good[i] = row[:1]
	}
	svc, _ := r.operate(t)
	until(t, time.Minute, "every record taken", func() bool {
		scores, errScores := r.ends(t.Context(), r.name+".scores")
		letters, errLetters := r.ends(t.Context(), r.name+".dlq")
		return errScores == nil && errLetters == nil &&
			scores >= int64(len(good)+len(oddRecords)) && letters >= int64(len(badRecords))
	})
	waitReady(t, svc, true)
	checkLetters(t, r.read(t, r.name+".dlq", 0))
	checkScores(t, r.read(t, r.name+".scores", 0), good)
}

func checkLetters(t *testing.T, letters []pipeline.Message) {
	t.Helper()
	if len(letters) != len(badRecords) {
		t.Fatalf("%d dead letters, want %d", len(letters), len(badRecords))
	}
	for i, bad := range badRecords {
		reason, detail := pipeline.DeadLetterReason(letters[i].Headers)
		if reason != bad.reason || detail == "" {
			t.Errorf("%s: dead letter says %q (%s), want %q", bad.name, reason, detail, bad.reason)
		}
		dropped := false
		for _, h := range letters[i].Headers {
			dropped = dropped || h.Key == "weir-value-dropped"
		}
		switch {
		case dropped && len(bad.value) <= 1<<20:
			t.Errorf("%s: the dead letter lacks the record's value of %d bytes", bad.name, len(bad.value))
		case !dropped && !bytes.Equal(letters[i].Value, bad.value):
			t.Errorf("%s: the dead letter's value is not the record's", bad.name)
		}
		if !bytes.Equal(letters[i].Key, bad.key) {
			t.Errorf("%s: the dead letter's key is %q, want %q", bad.name, letters[i].Key, bad.key)
		}
	}
}

// checkScores wants of the good stream what it gives alone, and of the odd one the phases.
func checkScores(t *testing.T, scores []pipeline.Message, good [][]pipeline.Message) {
	t.Helper()
	var outputs [][]byte
	for _, m := range scores {
		outputs = append(outputs, m.Value)
	}
	got := byStream(t, outputs)
	var lines, alone, faults bytes.Buffer
	for _, row := range good {
		lines.Write(append(row[0].Value, '\n'))
	}
	if code := Main(t.Context(), []string{"score"}, &lines, &alone, &faults); code != exitOK {
		t.Fatalf("weir score: exit code %d: %s", code, faults.String())
	}
	want := byStream(t, bytes.Split(bytes.TrimSpace(alone.Bytes()), []byte("\n")))
	if g, w := strings.Join(got[`"stream-0"`], "\n"), strings.Join(want[`"stream-0"`], "\n"); g != w {
		t.Errorf("the good stream's scores among bad records:\n%s\nalone:\n%s", g, w)
	}
	if len(got[`"odd"`]) != len(oddRecords) {
		t.Fatalf("%d outputs of odd events, want %d", len(got[`"odd"`]), len(oddRecords))
	}
	for i, odd := range oddRecords {
		if !strings.Contains(got[`"odd"`][i], `"state":"`+odd.phase+`"`) {
			t.Errorf("%s: want state %q in %s", odd.name, odd.phase, got[`"odd"`][i])
		}
	}
}
