// Package oidcauthotel reports to OpenTelemetry what signet does: metrics and spans for logins,
// refreshes, machine tokens and logouts, for requests that guards refuse, and for calls to a Store.
//
//	telemetry, err := oidcauthotel.New(oidcauthotel.Options{})
//	config.Hooks = telemetry.Hooks(config.Hooks)
//	config.Session.Store = telemetry.Store(config.Session.Store)
//
// No attribute identifies a user, a session or a token, and each has few values, so a metric never
// has more than a few dozen time series. Requests that need neither an operation nor a Store call
// cost nothing, because only those are measured. With an instrumented transport in
// Config.HTTPClient, such as otelhttp's, calls to the provider become child spans.
package oidcauthotel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/signet-go/signet/oidcauth"
)

// scope names the instrumentation.
const scope = "github.com/signet-go/signet/oidcauth/oidcauthotel"

// Names of the metrics. Durations are in seconds.
const (
	OperationDuration = "signet.operation.duration" // by signet.operation, signet.outcome and, of failures, error.type
	SessionsEnded     = "signet.sessions.ended"     // by signet.reason: user, replaced, provider
	RequestsDenied    = "signet.requests.denied"    // by signet.reason: login_required, step_up, denied
	StoreDuration     = "signet.store.duration"     // by signet.store.method and signet.outcome
)

// Attributes of metrics and spans.
const (
	operationKey   = attribute.Key("signet.operation")
	outcomeKey     = attribute.Key("signet.outcome")
	reasonKey      = attribute.Key("signet.reason")
	storeMethodKey = attribute.Key("signet.store.method")
	errorTypeKey   = attribute.Key("error.type")
)

// Options say where the telemetry goes.
type Options struct {
	// MeterProvider and TracerProvider make the instruments. Nil means OpenTelemetry's global ones,
	// which do nothing until the application sets them.
	MeterProvider  metric.MeterProvider
	TracerProvider trace.TracerProvider
}

// Telemetry has the instruments. Create it with New. It is safe for concurrent use, even by several
// Authenticators.
type Telemetry struct {
	tracer     trace.Tracer
	operations metric.Float64Histogram
	ended      metric.Int64Counter
	denied     metric.Int64Counter
	store      metric.Float64Histogram
}

// Bounds of the histograms: an operation waits for the provider, which takes from milliseconds to
// its timeout; a Store answers faster.
var (
	operationBounds = metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
	storeBounds     = metric.WithExplicitBucketBoundaries(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3)
)

// New creates the instruments. The error is the MeterProvider's.
func New(o Options) (*Telemetry, error) {
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	meter := o.MeterProvider.Meter(scope)
	t := &Telemetry{tracer: o.TracerProvider.Tracer(scope)}
	var err1, err2, err3, err4 error
	t.operations, err1 = meter.Float64Histogram(OperationDuration, metric.WithUnit("s"), operationBounds,
		metric.WithDescription("Logins, callbacks, token refreshes, machine tokens and logouts"))
	t.ended, err2 = meter.Int64Counter(SessionsEnded, metric.WithUnit("{session}"), metric.WithDescription("Sessions that a logout ended"))
	t.denied, err3 = meter.Int64Counter(RequestsDenied, metric.WithUnit("{request}"), metric.WithDescription("Requests that a guard refused"))
	t.store, err4 = meter.Float64Histogram(StoreDuration, metric.WithUnit("s"), storeBounds, metric.WithDescription("Calls to the session store"))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, fmt.Errorf("oidcauthotel: %w", err)
	}
	return t, nil
}

// Hooks returns hooks that measure and then call those of next, so the application's own hooks keep
// working.
func (t *Telemetry) Hooks(next oidcauth.Hooks) oidcauth.Hooks {
	hooks := next
	hooks.Logout = func(ctx context.Context, u *oidcauth.User, reason oidcauth.LogoutReason) {
		t.ended.Add(ctx, 1, metric.WithAttributes(reasonKey.String(string(reason))))
		if next.Logout != nil {
			next.Logout(ctx, u, reason)
		}
	}
	hooks.Deny = func(r *http.Request, u *oidcauth.User, err error) {
		t.denied.Add(r.Context(), 1, metric.WithAttributes(reasonKey.String(denial(err))))
		if next.Deny != nil {
			next.Deny(r, u, err)
		}
	}
	hooks.Observe = func(ctx context.Context, op oidcauth.Operation) (context.Context, func(error)) {
		ctx, end := t.observe(ctx, op)
		if next.Observe == nil {
			return ctx, end
		}
		ctx, endNext := next.Observe(ctx, op)
		return ctx, func(err error) { endNext(err); end(err) }
	}
	return hooks
}

// observe measures one operation, and puts a span around it.
func (t *Telemetry) observe(ctx context.Context, op oidcauth.Operation) (context.Context, func(error)) {
	began := time.Now()
	operation := operationKey.String(string(op))
	ctx, span := t.tracer.Start(ctx, "signet "+string(op), trace.WithAttributes(operation))
	return ctx, func(err error) {
		attributes := append([]attribute.KeyValue{operation}, outcome(err)...)
		t.operations.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(attributes...))
		span.SetAttributes(attributes...)
		if err != nil && !ours(err) { // what the error says may quote what somebody sent
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
