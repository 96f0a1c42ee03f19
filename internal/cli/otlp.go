package cli

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
)

// otelEnv is the environment of OpenTelemetry's SDKs, OTEL_…. The SDK reads most of it by
// itself: endpoint, headers, certificates, sampler, resource, intervals. What is decided here
// is whether it exports at all: not before somebody has said where to.
type otelEnv map[string]string

func readOTelEnv(environ []string) otelEnv {
	env := otelEnv{}
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") {
			env[name] = value
		}
	}
	return env
}

// exports reports whether a signal ("METRICS" or "TRACES") goes out as OTLP.
func (e otelEnv) exports(signal string) (bool, error) {
	if e["OTEL_SDK_DISABLED"] == "true" {
		return false, nil
	}
	switch exporter := e["OTEL_"+signal+"_EXPORTER"]; exporter {
	case "none":
		return false, nil
	case "otlp":
	case "":
		if e["OTEL_EXPORTER_OTLP_ENDPOINT"] == "" && e["OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT"] == "" {
			return false, nil
		}
	default:
		return false, fmt.Errorf("OTEL_%s_EXPORTER is %q; weir knows otlp and none", signal, exporter)
	}
	protocol := e["OTEL_EXPORTER_OTLP_"+signal+"_PROTOCOL"]
	if protocol == "" {
		protocol = e["OTEL_EXPORTER_OTLP_PROTOCOL"]
	}
	if protocol != "" && protocol != "http/protobuf" {
		return false, fmt.Errorf("the OTLP protocol is %q; weir speaks http/protobuf, port 4318 of a Collector", protocol)
	}
	return true, nil
}

// otelResource names this service; OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME win.
func otelResource(ctx context.Context, service string) (*resource.Resource, error) {
	return resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(semconv.ServiceName(service)), resource.WithFromEnv())
}

// metricReader returns the reader that sends metrics out, nil where none is wanted.
func (e otelEnv) metricReader(ctx context.Context) (sdkmetric.Reader, error) {
	wanted, err := e.exports("METRICS")
	if err != nil || !wanted {
		return nil, err
	}
	exporter, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("metrics to OTLP: %w", err)
	}
	return sdkmetric.NewPeriodicReader(exporter), nil
}

// tracerProvider returns what sends traces out, nil where none is wanted.
func (e otelEnv) tracerProvider(ctx context.Context, about *resource.Resource) (*sdktrace.TracerProvider, error) {
	wanted, err := e.exports("TRACES")
	if err != nil || !wanted {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces to OTLP: %w", err)
	}
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about)), nil
}
