package pipeline

import (
	"context"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// maxLinks bounds the links of a batch's span. Only events whose own trace is sampled are
// linked, so that the rest costs nothing.
const maxLinks = 64

// headers are a message's headers as the W3C trace context reads them.
type headers []kafka.Header

// Get implements propagation.TextMapCarrier.
func (h headers) Get(key string) string {
	for i := range h {
		if h[i].Key == key {
			return string(h[i].Value)
		}
	}
	return ""
}

// Set implements propagation.TextMapCarrier; nothing is ever set.
func (headers) Set(string, string) {}

// Keys implements propagation.TextMapCarrier.
func (headers) Keys() []string { return nil }

// trace begins the span of a batch, which is linked to the traces that its events belong to.
// The outputs carry their events' own trace context on.
func (w *Worker) trace(ctx context.Context) (context.Context, trace.Span) {
	if w.Tracer == nil || len(w.batch.Messages) == 0 {
		return ctx, trace.SpanFromContext(context.Background()) // which records nothing
	}
	return w.Tracer.Start(ctx, "process "+w.Topic, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithNewRoot(),
		trace.WithLinks(w.links()...), trace.WithAttributes(
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.name", "process"),
			attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.destination.name", w.Topic),
			attribute.Int("messaging.destination.partition.id", w.Partition),
			attribute.String("messaging.consumer.group.name", w.Group),
			attribute.Int64("messaging.kafka.offset", w.batch.Messages[0].Offset),
			attribute.Int("messaging.batch.message_count", len(w.batch.Messages)),
		))
}

// links are the sampled traces of the batch's events, the first of them.
func (w *Worker) links() (links []trace.Link) {
	for i := range w.batch.Messages {
		if len(w.batch.Messages[i].Headers) == 0 {
			continue
		}
		ctx := propagation.TraceContext{}.Extract(context.Background(), headers(w.batch.Messages[i].Headers))
		if sc := trace.SpanContextFromContext(ctx); sc.IsValid() && sc.IsSampled() {
			links = append(links, trace.Link{SpanContext: sc})
		}
		if len(links) == maxLinks {
			break
		}
	}
	return links
}

// endSpan ends a span with what went wrong, if anything.
func endSpan(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
