package pipeline

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/pipeline/encoding"
	"github.com/weirstream/weir/statestore"
)

func TestScoresAreWrittenAsMetricsRecordByRecord(t *testing.T) {
	points := ""
	for i := range gaugesOfRecord + 50 {
		points += fmt.Sprintf("m,host=h%d v=%d 1000\n", i, i)
	}
	log := texts(7, points, "m,host=h1 v=1 2000", "no protocol")
	var first []string
	for _, size := range []int{1, 3} { // however many records a fetch brings
		scores, gauges := &sliceSink{}, &sliceSink{}
		w := influxWorker(t, statestore.NewMemory(), log, scores, &sliceSink{})
		w.Source, w.Gauges = &sliceSource{log: log, size: size}, gauges
		if err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var places []string
		events := 0
		for i := range gauges.log {
			places = append(places, headerOf(&gauges.log[i], headerSource))
			got, faults := encoding.NewOTLP(encoding.OTLPOptions{}).Decode(nil, encoding.Record{Value: gauges.log[i].Value})
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			events += len(got)
		}
		if diff := cmp.Diff([]string{"events-3-7-0", fmt.Sprintf("events-3-7-%d", gaugesOfRecord), "events-3-8-0"}, places); diff != "" {
			t.Error(diff)
		}
		if want := 6 * len(scores.log); events != want {
			t.Errorf("%d points of %d scores, want %d", events, len(scores.log), want)
		}
		if first == nil {
			first = gauges.values()
		} else if diff := cmp.Diff(first, gauges.values()); diff != "" {
			t.Error("the records depend on the fetches: ", diff)
		}
	}
}

func TestMetricsThatTheTopicDoesNotTakeAreLeftOut(t *testing.T) {
	log := texts(0, `{"stream":"a","value":1}`, `{"stream":"b","value":1}`)
	gauges, scores := &narrowSink{limit: 1}, &sliceSink{}
	w := newWorker(t, newOperator(tinyModel(t), statestore.NewMemory()), &sliceSource{log: log}, scores, &sliceSink{})
	w.Gauges = gauges
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(scores.log) != 2 || len(gauges.log) != 0 {
		t.Errorf("%d scores, %d metrics", len(scores.log), len(gauges.log))
	}
}
