package encoding

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/operator"
)

// What is written is read back by the decoder of OTLP, as a Collector would read it.
func TestGaugesAreMetricsByStreamAndField(t *testing.T) {
	predictions := []operator.Prediction{*plainPrediction(), *namedPrediction()}
	value, err := AppendGauges([]byte("x"), predictions)
	if err != nil {
		t.Fatal(err)
	}
	again, err := AppendGauges([]byte("x"), predictions)
	if err != nil || !bytes.Equal(value, again) {
		t.Fatalf("the second time it is %x, not %x (%v)", again, value, err)
	}
	events, faults := NewOTLP(OTLPOptions{Scope: true}).Decode(nil, Record{Value: value[1:]})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	got := map[string]float64{}
	for _, ev := range events {
		if ev.Time != recordTime {
			t.Errorf("%s at %d", ev.Stream, ev.Time)
		}
		got[string(ev.Stream)] = ev.Fields[0].Value
	}
	want := map[string]float64{}
	add := func(name, attributes string, v float64) { want[name+attributes+";;"+scope] = v }
	add(gaugeScore, ",weir.stream=web-7/cpu", 2.71)
	add(gaugeP, ",weir.stream=web-7/cpu", 1.4e-6)
	add(gaugeValue, ",weir.stream=web-7/cpu", 0.93)
	add(gaugeForecast, ",weir.stream=web-7/cpu", 0.41)
	add(gaugeLower, ",weir.stream=web-7/cpu", 0.28)
	add(gaugeUpper, ",weir.stream=web-7/cpu", 0.55)
	add(gaugeScore, ",weir.stream=web-7", 2.71)
	add(gaugeP, ",weir.stream=web-7", 1.4e-6)
	for field, v := range map[string][4]float64{"cpu": {0.93, 0.41, 0.28, 0.55}, "mem": {0.41, 0.4, 0.39, 0.425}} {
		for i, name := range []string{gaugeValue, gaugeForecast, gaugeLower, gaugeUpper} {
			add(name, ",weir.field="+field+",weir.stream=web-7", v[i])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
