package cli

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/weirstream/weir/pipeline"
)

// A collector takes OTLP over HTTP and keeps what it was sent.
type collector struct {
	mu       sync.Mutex
	spans    []*tracepb.Span
	metrics  map[string]bool
	services map[string]bool
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{metrics: map[string]bool{}, services: map[string]bool{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var traces collectortraces.ExportTraceServiceRequest
	var metrics collectormetrics.ExportMetricsServiceRequest
	switch {
	case r.URL.Path == "/v1/traces" && proto.Unmarshal(body, &traces) == nil:
		for _, rs := range traces.GetResourceSpans() {
			c.services[rs.GetResource().String()] = true
			for _, ss := range rs.GetScopeSpans() {
				c.spans = append(c.spans, ss.GetSpans()...)
			}
		}
	case r.URL.Path == "/v1/metrics" && proto.Unmarshal(body, &metrics) == nil:
		for _, rm := range metrics.GetResourceMetrics() {
			for _, sm := range rm.GetScopeMetrics() {
				for _, m := range sm.GetMetrics() {
					c.metrics[m.GetName()] = true
				}
			}
		}
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// linked returns the traces that the spans are linked to.
func (c *collector) linked() (traces []string, spans int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, span := range c.spans {
		for _, link := range span.GetLinks() {
			traces = append(traces, hex.EncodeToString(link.GetTraceId()))
		}
	}
	return traces, len(c.spans)
}

func TestTracesAndMetricsGoWhereTheEnvironmentSays(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_SERVICE_NAME", "named-by-the-environment")
	r := newRig(t, 1)
	_, stop := r.operate(t)
	const sampled, unsampled = "4bf92f3577b34da6a3ce929d0e0e4736", "5bf92f3577b34da6a3ce929d0e0e4737"
	var msgs []pipeline.Message
	for _, parent := range []string{"00-" + sampled + "-00f067aa0ba902b7-01", "00-" + unsampled + "-00f067aa0ba902b7-00", "no traceparent"} {
		msgs = append(msgs, pipeline.Message{
			Key: []byte("s"), Value: []byte(`{"value":1}`), Time: 1_780_000_000_000,
			Headers: []kafka.Header{{Key: "traceparent", Value: []byte(parent)}},
		})
	}
	if err := r.produce(t.Context(), 0, msgs); err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, "a linked span and metrics", func() bool {
		traces, _ := c.linked()
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(traces) > 0 && c.metrics["weir.events"] && c.metrics["weir.replay.depth"]
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	traces, spans := c.linked()
	if len(traces) != 1 || traces[0] != sampled || spans == 0 {
		t.Errorf("%d spans are linked to %q, want %s alone", spans, traces, sampled)
	}
	for about := range c.services {
		if !strings.Contains(about, "named-by-the-environment") {
			t.Errorf("the spans are of %s", about)
		}
	}
	for _, out := range r.read(t, r.name+".scores", 0)[:1] {
		kept := ""
		for _, h := range out.Headers {
			if h.Key == "traceparent" {
				kept = string(h.Value)
			}
		}
		if !strings.Contains(kept, sampled) {
			t.Errorf("the score's traceparent is %q", kept)
		}
	}
}

func TestNothingIsSentUnlessTheEnvironmentAsksForIt(t *testing.T) {
	for _, test := range []struct {
		environ []string
		want    bool
	}{
		{nil, false},
		{[]string{"OTEL_SERVICE_NAME=x", "OTEL=y"}, false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318"}, true},
		{[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4318"}, true},
		{[]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://c:4318"}, false},
		{[]string{"OTEL_TRACES_EXPORTER=otlp"}, true},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "OTEL_TRACES_EXPORTER=none"}, false},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "OTEL_SDK_DISABLED=true"}, false},
	} {
		if got, err := readOTelEnv(test.environ).exports("TRACES"); got != test.want || err != nil {
			t.Errorf("%q: %v %v", test.environ, got, err)
		}
	}
	for _, bad := range [][]string{
		{"OTEL_TRACES_EXPORTER=zipkin"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
	} {
		if _, err := readOTelEnv(bad).exports("TRACES"); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
}
