package pipeline

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline/encoding"
)

func newTestMeter(t testing.TB) (metric.Meter, *sdkmetric.ManualReader) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	t.Cleanup(func() {
		if err := provider.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return provider.Meter("weir"), reader
}

func newTestMetrics(t testing.TB, meter metric.Meter) *Metrics {
	t.Helper()
	m, err := NewMetrics(meter, MetricLabels{Group: "g", Input: "in", Scores: "out"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// collect returns every data point by name and labels; of a histogram, its count
// and sum.
func collect(t *testing.T, reader *sdkmetric.ManualReader) map[string]string {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	add := func(name string, labels attribute.Set, value string) {
		got[name+" "+labels.Encoded(attribute.DefaultEncoder())] = value
	}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch points := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range points.DataPoints {
					add(m.Name, p.Attributes, fmt.Sprint(p.Value))
				}
			case metricdata.Gauge[int64]:
				for _, p := range points.DataPoints {
					add(m.Name, p.Attributes, fmt.Sprint(p.Value))
				}
			case metricdata.Gauge[float64]:
				for _, p := range points.DataPoints {
					add(m.Name, p.Attributes, fmt.Sprint(p.Value, m.Unit))
				}
			case metricdata.Histogram[float64]:
				for _, p := range points.DataPoints {
					add(m.Name, p.Attributes, fmt.Sprintf("%d in %g %s", p.Count, p.Sum, m.Unit))
				}
			}
		}
	}
	return got
}

func TestMetricsCountWhatWorkersReport(t *testing.T) {
	ctx := context.Background()
	meter, reader := newTestMeter(t)
	m := newTestMetrics(t, meter)
	m.Batch(ctx, 10, 7, 250*time.Millisecond)
	m.Batch(ctx, 5, 0, 250*time.Millisecond)
	m.Result(ctx, &operator.Result{
		Predictions: []operator.Prediction{
			{Phase: operator.Ready, IsAnomaly: true}, {Phase: operator.Ready}, {Phase: operator.Late}, {Phase: operator.Gap},
		},
		Skipped: 3, Restored: 2, Lost: make([]operator.LostStream, 1),
	})
	m.DeadLetter(ctx, encoding.ReasonNoStream)
	m.DeadLetter(ctx, encoding.ReasonNoStream)
	m.DeadLetter(ctx, "too_many_fields")
	m.Retry("produce")
	m.Checkpoint(ctx, time.Second, 40)
	m.Gap(ctx, 9)

	const in = "messaging.destination.name=in"
	want := map[string]string{
		"messaging.client.consumed.messages messaging.consumer.group.name=g," + in + ",messaging.operation.name=poll,messaging.system=kafka": "15",
		"messaging.client.sent.messages messaging.destination.name=out,messaging.operation.name=send,messaging.system=kafka":                 "7",
		"messaging.process.duration messaging.consumer.group.name=g," + in + ",messaging.operation.name=process,messaging.system=kafka":      "2 in 0.5 s",
		"weir.events " + in + ",weir.state=ready":            "2",
		"weir.events " + in + ",weir.state=late":             "1",
		"weir.events " + in + ",weir.state=gap":              "1",
		"weir.anomalies " + in:                               "1",
		"weir.skipped " + in:                                 "3",
		"weir.restores " + in:                                "2",
		"weir.restore.failures " + in:                        "1",
		"weir.deadletters " + in + ",reason=no_stream":       "2",
		"weir.deadletters " + in + ",reason=too_many_fields": "1",
		"weir.retries " + in + ",op=produce":                 "1",
		"weir.checkpoint.streams " + in:                      "40",
		"weir.checkpoint.duration " + in:                     "1 in 1 s",
		"weir.gap.events " + in:                              "9",
	}
	if diff := cmp.Diff(want, collect(t, reader)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTwoTopicsShareInstruments(t *testing.T) {
	meter, reader := newTestMeter(t)
	for _, topic := range []string{"a", "b"} {
		m, err := NewMetrics(meter, MetricLabels{Group: "g", Input: topic, Scores: "out"})
		if err != nil {
			t.Fatal(err)
		}
		m.Gap(context.Background(), 1)
	}
	want := map[string]string{
		"weir.gap.events messaging.destination.name=a": "1",
		"weir.gap.events messaging.destination.name=b": "1",
	}
	if diff := cmp.Diff(want, collect(t, reader)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestGaugesAreReadUntilStopped(t *testing.T) {
	meter, reader := newTestMeter(t)
	stop, err := ObserveGauges(meter, func() Gauges {
		return Gauges{Streams: 5, ReplayDepth: 6, Lag: 8, CheckpointAge: 1500 * time.Millisecond, Partitions: 7}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"weir.streams.active ": "5", "weir.replay.depth ": "6", "weir.lag ": "8", "weir.checkpoint.age ": "1.5s",
		"weir.partitions ": "7",
	}
	if diff := cmp.Diff(want, collect(t, reader)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, reader); len(got) > 0 {
		t.Errorf("after stop: %v", got)
	}
}

func TestMetricsWithoutAMeterCountNothing(t *testing.T) {
	m := newTestMetrics(t, nil)
	m.Batch(t.Context(), 1, 1, time.Second)
	m.Result(t.Context(), &operator.Result{Predictions: make([]operator.Prediction, 1)})
	m.DeadLetter(t.Context(), encoding.ReasonNoStream)
	m.Retry("fetch")
}

func TestCountingABatchDoesNotAllocate(t *testing.T) {
	meter, _ := newTestMeter(t)
	m := newTestMetrics(t, meter)
	ctx := context.Background()
	result := &operator.Result{Predictions: make([]operator.Prediction, 100), Skipped: 1, Restored: 1}
	allocs := testing.AllocsPerRun(100, func() {
		m.Batch(ctx, 100, 100, time.Millisecond)
		m.Result(ctx, result)
		m.Checkpoint(ctx, time.Millisecond, 1)
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}
