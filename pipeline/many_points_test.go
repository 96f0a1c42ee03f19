package pipeline

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/pipeline/encoding"
	"github.com/weirstream/weir/statestore"
)

// influxWorker returns a worker that reads line protocol.
func influxWorker(t *testing.T, store statestore.Store, log []Message, scores, letters Sink) *Worker {
	t.Helper()
	w := newWorker(t, newOperator(tinyModel(t), store), &sliceSource{log: log, size: 1}, scores, letters)
	decoder, err := encoding.NewDecoder(encoding.Options{
		Encoding: "influx", JSON: encoding.DefaultJSONNames(), InfluxPrecision: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Decoder = decoder
	return w
}

func TestRecordOfManyPointsIsAnsweredPointByPoint(t *testing.T) {
	log := texts(4, "cpu,host=a v=1 1000\ncpu,host=b v=2 1000\nno protocol\ncpu,host=a v=3 2000\ncpu v=inf 1\n", "cpu,host=a v=4 3000")
	scores, letters := &sliceSink{}, &sliceSink{}
	if err := influxWorker(t, statestore.NewMemory(), log, scores, letters).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range scores.log {
		var out struct {
			ID, Stream string
			N          int
		}
		if err := json.Unmarshal(scores.log[i].Value, &out); err != nil {
			t.Fatal(err)
		}
		if source := headerOf(&scores.log[i], "weir-source"); source != out.ID {
			t.Errorf("id %s, source %s", out.ID, source)
		}
		got = append(got, fmt.Sprintf("%s %s %d", out.ID, out.Stream, out.N))
	}
	want := []string{"events-3-4-0 cpu,host=a 1", "events-3-4-1 cpu,host=b 1", "events-3-4-3 cpu,host=a 2", "events-3-5-0 cpu,host=a 3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(letters.log) != 1 || string(letters.log[0].Value) != string(log[0].Value) {
		t.Fatalf("%d dead letters", len(letters.log))
	}
	reason, detail := DeadLetterReason(letters.log[0].Headers)
	if wantDetail := `2 of the record's events cannot be used, the first being number 2: `; reason != encoding.ReasonMalformed ||
		len(detail) < len(wantDetail) || detail[:len(wantDetail)] != wantDetail {
		t.Errorf("%s: %s", reason, detail)
	}
}

// A record's points are many events at one offset: what a checkpoint has saved holds all of
// them, and reading the record again gives none a second time.
func TestPointsOfARecordReadAgainAreSkipped(t *testing.T) {
	log := texts(0, "cpu,host=a v=1 1000\ncpu,host=b v=2 1000\ncpu,host=a v=3 2000\n", "cpu,host=a v=4 3000")
	store, once, again := statestore.NewMemory(), &sliceSink{}, &sliceSink{}
	if err := influxWorker(t, store, log, once, &sliceSink{}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := influxWorker(t, store, log, again, &sliceSink{})
	if err := w.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Source = &sliceSource{log: log} // from the beginning, whatever the cursor says
	if err := w.Source.Fetch(t.Context(), &w.batch); err != nil {
		t.Fatal(err)
	}
	if err := w.process(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(once.log) != 4 || len(again.log) != 0 {
		t.Errorf("%d answers, and %d more to the same records", len(once.log), len(again.log))
	}
}
