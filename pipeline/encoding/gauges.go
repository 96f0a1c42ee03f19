package encoding

import (
	"math"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/weirstream/weir/operator"
)

// Names of the metrics and attributes of a Gauges' records.
const (
	gaugeScore    = "weir.anomaly_score"
	gaugeP        = "weir.p_value"
	gaugeValue    = "weir.value"
	gaugeForecast = "weir.forecast"
	gaugeLower    = "weir.forecast.lower"
	gaugeUpper    = "weir.forecast.upper"
	gaugeStream   = "weir.stream"
	gaugeField    = "weir.field"
)

// lastNano is the last millisecond whose nanoseconds an int64 holds, in the year 2262.
const lastNano = math.MaxInt64 / int64(time.Millisecond)

// scope names what made the metrics.
const scope = "github.com/weirstream/weir"

// AppendGauges appends predictions as OpenTelemetry metrics in protobuf (otlp_proto): gauges
// at the events' times, with the stream's name as attribute weir.stream.
//
//	weir.anomaly_score, weir.p_value                  one point an event
//	weir.value, weir.forecast, weir.forecast.lower,   one point a field, with the attribute
//	weir.forecast.upper                               weir.field where the field has a name
//
// What Prometheus makes of them is a series for each stream: they are for thousands of
// streams, not for millions.
func AppendGauges(dst []byte, predictions []operator.Prediction) ([]byte, error) {
	names := [...]string{gaugeScore, gaugeP, gaugeValue, gaugeForecast, gaugeLower, gaugeUpper}
	var points [len(names)][]*metricspb.NumberDataPoint
	for i := range predictions {
		p := &predictions[i]
		of := []*commonpb.KeyValue{attribute(gaugeStream, p.Stream)}
		points[0] = append(points[0], gaugePoint(p, of, p.AnomalyScore))
		points[1] = append(points[1], gaugePoint(p, of, p.PValue))
		for j, f := range p.Fields {
			of := of
			if len(f.Name) > 0 {
				of = []*commonpb.KeyValue{of[0], attribute(gaugeField, f.Name)}
			}
			forecast := p.Forecasts[j]
			for k, v := range [...]float64{f.Value, forecast.YHat, forecast.Lower, forecast.Upper} {
				points[2+k] = append(points[2+k], gaugePoint(p, of, v))
			}
		}
	}
	metrics := make([]*metricspb.Metric, len(names))
	for i, name := range names {
		metrics[i] = &metricspb.Metric{Name: name, Data: &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{DataPoints: points[i]}}}
	}
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, &metricspb.MetricsData{
		ResourceMetrics: []*metricspb.ResourceMetrics{{
			ScopeMetrics: []*metricspb.ScopeMetrics{{Scope: &commonpb.InstrumentationScope{Name: scope}, Metrics: metrics}},
		}},
	})
}

func attribute(key string, value []byte) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: string(value)}}}
}

func gaugePoint(p *operator.Prediction, of []*commonpb.KeyValue, v float64) *metricspb.NumberDataPoint {
	return &metricspb.NumberDataPoint{
		Attributes: of, TimeUnixNano: uint64(min(max(p.Time, 0), lastNano)) * uint64(time.Millisecond),
		Value: &metricspb.NumberDataPoint_AsDouble{AsDouble: v},
	}
}
