package oidcauthotel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/signet-go/signet/session"
)

// Store returns s with each call measured and in a span. Neither contains keys or values. A nil
// Store stays nil.
func (t *Telemetry) Store(s session.Store) session.Store {
	if s == nil {
		return nil
	}
	return &measuredStore{telemetry: t, store: s}
}

// A measuredStore is a Store whose calls are measured.
type measuredStore struct {
	telemetry *Telemetry
	store     session.Store
}

// A storeMethod is what is said of each call of one method. It is made once: requests wait for a
// Store, and should not wait for its telemetry too.
type storeMethod struct {
	span     string
	name     attribute.KeyValue
	start    []trace.SpanStartOption
	answered []metric.RecordOption
}

var (
	get    = newStoreMethod("get")
	set    = newStoreMethod("set")
	add    = newStoreMethod("add")
	swap   = newStoreMethod("swap")
	remove = newStoreMethod("delete")
)

func newStoreMethod(method string) *storeMethod {
	name := storeMethodKey.String(method)
	return &storeMethod{
		span: "signet store " + method, name: name,
		start:    []trace.SpanStartOption{trace.WithAttributes(name), trace.WithSpanKind(trace.SpanKindClient)},
		answered: []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(name, outcomeKey.String(ok)))},
	}
}

// begin begins the call of a method. A Store that says no has answered: there is no third outcome.
func (s *measuredStore) begin(ctx context.Context, m *storeMethod) (context.Context, func(error)) {
	began := time.Now()
	ctx, span := s.telemetry.tracer.Start(ctx, m.span, m.start...)
	return ctx, func(err error) {
		took := time.Since(began).Seconds()
		if err == nil {
			s.telemetry.store.Record(ctx, took, m.answered...)
		} else {
			attributes := []attribute.KeyValue{m.name, outcomeKey.String(failed), errorTypeKey.String(errorType(err))}
			s.telemetry.store.Record(ctx, took, metric.WithAttributes(attributes...))
			span.SetAttributes(attributes...)
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

func (s *measuredStore) Get(ctx context.Context, keys ...string) (values [][]byte, err error) {
	ctx, end := s.begin(ctx, get)
	defer func() { end(err) }()
	return s.store.Get(ctx, keys...)
}

func (s *measuredStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) (err error) {
	ctx, end := s.begin(ctx, set)
	defer func() { end(err) }()
	return s.store.Set(ctx, key, value, ttl)
}

func (s *measuredStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	ctx, end := s.begin(ctx, add)
	defer func() { end(err) }()
	return s.store.Add(ctx, key, value, ttl)
}

func (s *measuredStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (swapped bool, err error) {
	ctx, end := s.begin(ctx, swap)
	defer func() { end(err) }()
	return s.store.Swap(ctx, key, old, value, ttl)
}

func (s *measuredStore) Delete(ctx context.Context, key string, old []byte) (deleted bool, err error) {
	ctx, end := s.begin(ctx, remove)
	defer func() { end(err) }()
	return s.store.Delete(ctx, key, old)
}
