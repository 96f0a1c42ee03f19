package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/weirstream/weir/internal/web"
	"github.com/weirstream/weir/pipeline"
)

// telemetry is what a running service says about itself: health, and metrics that
// Prometheus may scrape.
type telemetry struct {
	health   *web.Health
	metrics  *pipeline.Metrics
	registry *prometheus.Registry
	provider *sdkmetric.MeterProvider
}

func newTelemetry(labels pipeline.MetricLabels, gauges func() pipeline.Gauges) (*telemetry, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	meter := provider.Meter("github.com/weirstream/weir")
	metrics, err := pipeline.NewMetrics(meter, labels)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	if _, err := pipeline.ObserveGauges(meter, gauges); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return &telemetry{
		health: web.NewHealth("kafka", "state"), metrics: metrics, registry: registry, provider: provider,
	}, nil
}

// serve answers /livez, /readyz, /metrics and, with everything else, the page at address
// until ctx ends; an empty address means not at all. The returned function waits for the
// end.
func (t *telemetry) serve(ctx context.Context, address string, page http.Handler, log *slog.Logger) (wait func() error, err error) {
	if address == "" {
		return func() error { return t.provider.Shutdown(context.WithoutCancel(ctx)) }, nil
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
		return errors.Join(<-done, t.provider.Shutdown(context.WithoutCancel(ctx)))
	}, nil
}
