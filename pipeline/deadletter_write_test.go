package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/pipeline/encoding"
	"github.com/weirstream/weir/statestore"
)

// A narrowSink takes no message beyond a size, and no request with such a message.
type narrowSink struct {
	sliceSink
	limit int
}

func (s *narrowSink) Write(ctx context.Context, msgs []Message) error {
	for i := range msgs {
		if n := msgs[i].size(); n > s.limit {
			return fmt.Errorf("message of %d bytes: %w", n, ErrRefused)
		}
	}
	return s.sliceSink.Write(ctx, msgs)
}

func TestBadRecordsReachTheDeadLettersAloneAndDisturbNobody(t *testing.T) {
	m := tinyModel(t)
	good := slices.Concat(minutely("a", 0, 40), minutely("b", 100, 40))
	var log []Message
	bad := map[int64]string{}
	for i, m := range good {
		m.Offset *= 10
		good[i] = m
		log = append(log, m)
		for j, b := range []struct{ reason, value string }{
			{encoding.ReasonNotJSON, `{"value":1`},
			{encoding.ReasonEmptyValue, ""},
			{encoding.ReasonNoValue, `{"stream":"a"}`},
			{encoding.ReasonBadValue, `{"value":"NaN"}`},
			{encoding.ReasonBadTime, `{"value":1,"ts":"soon"}`},
			{encoding.ReasonTooLarge, `{"value":1,"note":"` + strings.Repeat("x", 1000) + `"}`},
		} {
			offset := m.Offset + int64(j) + 1
			log = append(log, Message{
				Offset: offset, Time: m.Time, Key: m.Key, Value: []byte(b.value),
				Headers: []kafka.Header{{Key: "origin", Value: []byte("sensor")}},
			})
			bad[offset] = b.reason
		}
	}
	want, got, letters := &sliceSink{}, &sliceSink{}, &sliceSink{}
	for sink, log := range map[*sliceSink][]Message{want: good, got: log} {
		store := statestore.NewMemory()
		w := newWorker(t, newOperator(m, store), &sliceSource{log: log, size: 33}, sink, letters)
		w.MaxBytes = 500
		if err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want.values(), got.values()); diff != "" {
		t.Errorf("scores (-without bad records +with them):\n%s", diff)
	}
	if len(letters.log) != len(bad) {
		t.Errorf("%d dead letters, want %d", len(letters.log), len(bad))
	}
	for i := range letters.log {
		l := &letters.log[i]
		in := log[slices.IndexFunc(log, func(m Message) bool { return m.Offset == l.Offset })]
		if reason, detail := DeadLetterReason(l.Headers); reason != bad[l.Offset] || detail == "" {
			t.Errorf("offset %d: reason %q, detail %q, want %q", l.Offset, reason, detail, bad[l.Offset])
		}
		if string(l.Value) != string(in.Value) || string(l.Key) != string(in.Key) || l.Time != in.Time ||
			headerOf(l, "origin") != "sensor" || headerOf(l, headerOffset) != fmt.Sprint(l.Offset) {
			t.Errorf("offset %d: the letter is not the record: %+v", l.Offset, l)
		}
	}
}

func TestRejectedEventsReachTheDeadLetters(t *testing.T) {
	field := func(from, n int) string {
		var fields []string
		for i := from; i < from+n; i++ {
			fields = append(fields, fmt.Sprintf(`"f%d":1`, i))
		}
		return `{"stream":"s","values":{` + strings.Join(fields, ",") + `}}`
	}
	scores, letters := &sliceSink{}, &sliceSink{}
	log := texts(5, field(0, encoding.MaxFields), field(10, encoding.MaxFields), "no json", field(0, 1))
	w := newWorker(t, newOperator(tinyModel(t), statestore.NewMemory()), &sliceSource{log: log}, scores, letters)
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range letters.log {
		reason, _ := DeadLetterReason(letters.log[i].Headers)
		got = append(got, fmt.Sprintf("%s %s %s", headerOf(&letters.log[i], headerOffset), reason, headerOf(&letters.log[i], headerStage)))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"6 too_many_fields " + stageApply, "7 not_json " + stageDecode}, got); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if len(scores.log) != 2 {
		t.Errorf("%d scores, want 2", len(scores.log))
	}
}

func TestDeadLetterThatIsTooLargeIsShortened(t *testing.T) {
	log := texts(0, "bad", strings.Repeat("x", 5000), "bad too", "y")
	log[1].Key = []byte(strings.Repeat("k", 3000))
	log[3].Headers = []kafka.Header{{Key: "trace", Value: []byte(strings.Repeat("h", 5000))}, {Key: "small", Value: []byte("s")}}
	letters := &narrowSink{limit: 4000}
	w := newWorker(t, newOperator(tinyModel(t), statestore.NewMemory()), &sliceSource{log: log}, &sliceSink{}, letters)
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range letters.log {
		l := &letters.log[i]
		reason, _ := DeadLetterReason(l.Headers)
		got = append(got, fmt.Sprintf("%s %s: key of %d, %.9q, dropped %q, small %q",
			headerOf(l, headerOffset), reason, len(l.Key), l.Value, headerOf(l, "weir-value-dropped"), headerOf(l, "small")))
	}
	want := []string{
		`0 not_json: key of 0, "bad", dropped "", small ""`,
		`1 not_json: key of 1024, "", dropped "5000 bytes", small ""`,
		`2 not_json: key of 0, "bad too", dropped "", small ""`,
		`3 not_json: key of 0, "", dropped "1 bytes", small ""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

func TestScoreThatIsTooLargeBecomesADeadLetter(t *testing.T) {
	values := func(name string) string { return `{"stream":"s","values":{"` + name + `":1}}` }
	long := strings.Repeat("n", 900)
	log := texts(0, values("a"), values(long), values("a"), "bad")
	scores, letters := &narrowSink{limit: 2000}, &sliceSink{}
	w := newWorker(t, newOperator(tinyModel(t), statestore.NewMemory()), &sliceSource{log: log}, scores, letters)
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(scores.log) != 2 || scores.log[0].Offset != 0 || scores.log[1].Offset != 2 {
		t.Errorf("%d scores: %v", len(scores.log), scores.values())
	}
	got := map[string]string{}
	for i := range letters.log {
		reason, _ := DeadLetterReason(letters.log[i].Headers)
		got[string(letters.log[i].Value)] = reason
	}
	if diff := cmp.Diff(map[string]string{values(long): ReasonScoreRefused, "bad": encoding.ReasonNotJSON}, got); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}
