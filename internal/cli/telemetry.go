package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/weirstream/weir/internal/web"
	"github.com/weirstream/weir/pipeline"
)

// telemetry is what a running service says about itself: health, metrics that Prometheus
// may scrape, and, where the environment says where to, metrics and traces over OTLP.
type telemetry struct {
	health   *web.Health
	metrics  *pipeline.Metrics
	registry *prometheus.Registry
	tracer   trace.Tracer // nil where nobody takes traces
	shutdown []func(context.Context) error
}

// instrumentation names what measures.
const instrumentation = "github.com/weirstream/weir"

func newTelemetry(service string, labels pipeline.MetricLabels, gauges func() pipeline.Gauges, environ []string) (*telemetry, error) {
	ctx := context.Background() // of exporters, which connect when they first send
	env := readOTelEnv(environ)
	about, err := otelResource(ctx, service)
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	options := []sdkmetric.Option{sdkmetric.WithReader(exporter), sdkmetric.WithResource(about)}
	reader, err := env.metricReader(ctx)
	if err != nil {
		return nil, err
	}
	if reader != nil {
		options = append(options, sdkmetric.WithReader(reader))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	t := &telemetry{health: web.NewHealth("kafka", "state"), registry: registry, shutdown: []func(context.Context) error{provider.Shutdown}}
	traces, err := env.tracerProvider(ctx, about)
	if err != nil {
		return nil, err
	}
	if traces != nil {
		t.tracer = traces.Tracer(instrumentation)
		t.shutdown = append(t.shutdown, traces.Shutdown)
	}
	return t, t.measure(provider.Meter(instrumentation), labels, gauges)
}

// measure makes the instruments.
func (t *telemetry) measure(meter metric.Meter, labels pipeline.MetricLabels, gauges func() pipeline.Gauges) (err error) {
	if t.metrics, err = pipeline.NewMetrics(meter, labels); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if _, err := pipeline.ObserveGauges(meter, gauges); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// lastExport bounds how long a stop waits for what is still to be sent.
const lastExport = 5 * time.Second

// stop sends out what is left.
func (t *telemetry) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastExport)
	defer cancel()
	var err error
	for _, shutdown := range t.shutdown {
		err = errors.Join(err, shutdown(ctx))
	}
	return err
}

// serve answers /livez, /readyz, /metrics and, with everything else, the page at address
// until ctx ends; an empty address means not at all. The returned function waits for the
// end.
func (t *telemetry) serve(ctx context.Context, address string, page http.Handler, log *slog.Logger) (wait func() error, err error) {
	if address == "" {
		return func() error { return t.stop(ctx) }, nil
	}
	mux := t.health.Mux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{}))
	mux.Handle("/", page)
	server, err := web.Listen(ctx, address, mux)
	if err != nil {
		return nil, err
	}
	log.Info("listening", "http", "http://"+server.Addr().String(), "paths", "/ /api/v1 /livez /readyz /metrics")
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	return func() error {
		return errors.Join(<-done, t.stop(ctx))
	}, nil
}
