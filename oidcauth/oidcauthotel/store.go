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

// Store returns s with each call measured and in a span. Keys and values stay out of both. A nil
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

// begin begins the call of a method.
func (s *measuredStore) begin(ctx context.Context, method string) (context.Context, func(error)) {
	began := time.Now()
	name := storeMethodKey.String(method)
	ctx, span := s.telemetry.tracer.Start(ctx, "signet store "+method, trace.WithAttributes(name), trace.WithSpanKind(trace.SpanKindClient))
	return ctx, func(err error) {
		attributes := append([]attribute.KeyValue{name}, storeOutcome(err)...)
		s.telemetry.store.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(attributes...))
		if err != nil {
			span.SetAttributes(attributes...)
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// storeOutcome has no third case: a Store that says no has answered.
func storeOutcome(err error) []attribute.KeyValue {
	if err == nil {
		return []attribute.KeyValue{outcomeKey.String(ok)}
	}
	return []attribute.KeyValue{outcomeKey.String(failed), errorTypeKey.String(errorType(err))}
}

func (s *measuredStore) Get(ctx context.Context, keys ...string) (values [][]byte, err error) {
	ctx, end := s.begin(ctx, "get")
	defer func() { end(err) }()
	return s.store.Get(ctx, keys...)
}

func (s *measuredStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) (err error) {
	ctx, end := s.begin(ctx, "set")
	defer func() { end(err) }()
	return s.store.Set(ctx, key, value, ttl)
}

func (s *measuredStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	ctx, end := s.begin(ctx, "add")
	defer func() { end(err) }()
	return s.store.Add(ctx, key, value, ttl)
}

func (s *measuredStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (swapped bool, err error) {
	ctx, end := s.begin(ctx, "swap")
	defer func() { end(err) }()
	return s.store.Swap(ctx, key, old, value, ttl)
}

func (s *measuredStore) Delete(ctx context.Context, key string, old []byte) (deleted bool, err error) {
	ctx, end := s.begin(ctx, "delete")
	defer func() { end(err) }()
	return s.store.Delete(ctx, key, old)
}
