package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/fetch"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

const (
	flushFor    = 2 * time.Second // how long the last spans may take when the server stops
	sendFor     = 5 * time.Second // how long one batch may take, tries included
	sendEvery   = 2 * time.Second
	heldSpans   = 2048 // more are dropped: a collector that is slow must not cost memory, let alone time
	batchSpans  = 512
	tracesAgain = time.Minute // between two complaints of a collector
)

// traces makes spans of requests and of what they ask of the store, and sends them to the operator's collector. It is nil when they are off.
type traces struct {
	log      *slog.Logger
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	sample   float64
}

var _ web.Tracer = (*traces)(nil)

// newTraces makes no connection: a collector that is away is no reason not to start.
func newTraces(ctx context.Context, cfg TracesConfig, log *slog.Logger) (*traces, error) {
	if cfg.OTLPURL == "" {
		return nil, nil
	}
	otel.SetErrorHandler(&complaints{log: log, now: time.Now})
	exporter, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(collector(cfg.OTLPURL)),
		otlptracehttp.WithEncoding(otlptracehttp.EncodingProtobuf),
		otlptracehttp.WithCompression(otlptracehttp.NoCompression),
		otlptracehttp.WithHTTPClient(fetch.Client(fetch.Options{Internal: true, Timeout: sendFor, MaxBytes: 64 << 10, MaxRedirects: -1})),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: 200 * time.Millisecond, MaxInterval: time.Second, MaxElapsedTime: sendFor,
		}),
	)
	if err != nil {
		return nil, err
	}
	provider := sdk.NewTracerProvider(
		sdk.WithSampler(sdk.AlwaysSample()), // Begin has drawn already
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "gatehouse"),
			attribute.String("service.version", versionText()),
			attribute.String("service.instance.id", secret.NewID(time.Now())),
		)),
		sdk.WithBatcher(exporter, sdk.WithMaxQueueSize(heldSpans), sdk.WithMaxExportBatchSize(batchSpans),
			sdk.WithBatchTimeout(sendEvery), sdk.WithExportTimeout(sendFor)),
	)
	return &traces{log: log, provider: provider, tracer: provider.Tracer("gatehouse"), sample: cfg.Sample}, nil
}

// collector completes a URL without a path.
func collector(text string) string {
	u, err := url.Parse(text)
	if err == nil && (u.Path == "" || u.Path == "/") {
		u.Path = "/v1/traces"
		return u.String()
	}
	return text
}

// draw decides by chance alone. The flag and the trace id of a caller's traceparent could decide too, and then any stranger could have
// all of his requests collected, or none.
func (t *traces) draw() bool {
	return float64(binary.LittleEndian.Uint64(secret.Bytes(8))>>11)/(1<<53) < t.sample
}

// Begin implements web.Tracer. The name is given at the end, when the route is known.
func (t *traces) Begin(ctx context.Context, at time.Time, parent string) (context.Context, web.Span) {
	if !t.draw() {
		return ctx, nil
	}
	if p := parentOf(parent); p.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, p)
	}
	ctx, s := t.tracer.Start(ctx, "request", trace.WithTimestamp(at), trace.WithSpanKind(trace.SpanKindServer))
	return ctx, requestSpan{s}
}

// parentOf reads a traceparent that the hallway found valid, or "".
func parentOf(text string) trace.SpanContext {
	if text == "" {
		return trace.SpanContext{}
	}
	id, _ := trace.TraceIDFromHex(text[3:35])
	span, _ := trace.SpanIDFromHex(text[36:52])
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled, Remote: true})
}

type requestSpan struct{ s trace.Span }

// End implements web.Span.
func (r requestSpan) End(seen web.Seen) {
	r.s.SetName(seen.Route)
	r.s.SetAttributes(
		attribute.String("http.request.method", seen.Method),
		attribute.String("http.route", seen.Route),
		attribute.Int("http.response.status_code", seen.Status),
		attribute.String("gatehouse.trace_id", seen.Trace),
	)
	for name, value := range map[string]string{
		"gatehouse.tenant_id": seen.TenantID, "gatehouse.client_id": seen.ClientID, "gatehouse.reason": seen.Reason,
	} {
		if value != "" {
			r.s.SetAttributes(attribute.String(name, value))
		}
	}
	if seen.Status >= http.StatusInternalServerError {
		r.s.SetStatus(codes.Error, "")
	}
	r.s.End(trace.WithTimestamp(seen.At))
}

// storeSpan is sqlstore's hook: visits to the store within a traced request. Workers' visits have no request and make no spans.
func (t *traces) storeSpan(ctx context.Context, kind string) func(error) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return nil
	}
	_, s := t.tracer.Start(ctx, "store "+kind, trace.WithSpanKind(trace.SpanKindClient))
	return func(err error) {
		if err != nil {
			s.SetAttributes(attribute.String("gatehouse.reason", string(fault.From(err).Reason)))
		}
		s.End()
	}
}

// stop sends what is left, for flushFor at most.
func (t *traces) stop(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushFor)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.WarnContext(ctx, "the last spans were lost", "error", short(err))
	}
}

// complaints logs what the exporter has to say, now and then: a collector that is away for a night fails every few seconds.
type complaints struct {
	log  *slog.Logger
	now  func() time.Time
	mu   sync.Mutex
	last time.Time
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.now(); c.last.IsZero() || at.Sub(c.last) >= tracesAgain {
		c.last = at
		c.log.Warn("spans were not taken", "error", short(err))
	}
}

// short cuts what a collector answered.
func short(err error) string { return fmt.Sprintf("%.300s", err.Error()) }
