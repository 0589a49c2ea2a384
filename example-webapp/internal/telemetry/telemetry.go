// Package telemetry serves the library's figures to Prometheus.
//
// It promises that nothing is measured where nobody asked for figures, and that they are on a
// listener of their own: the public one never has them. Start at New.
package telemetry

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthotel"
	"github.com/signet-go/signet/session"
)

// A Telemetry measures, and has a page with the figures. A nil one, where nobody wants figures,
// measures nothing.
type Telemetry struct {
	measured *oidcauthotel.Telemetry
	page     http.Handler
}

// New returns a Telemetry with a registry of its own: the library's figures, and Go's own about
// memory, goroutines and file descriptors. Without an address to serve them at it is nil.
func New(addr string) (*Telemetry, error) {
	if addr == "" {
		return nil, nil
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	t, err := oidcauthotel.New(oidcauthotel.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(reader))})
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	return &Telemetry{t, promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})}, nil
}

// Store returns s, measured.
func (t *Telemetry) Store(s session.Store) session.Store {
	if t == nil {
		return s
	}
	return t.measured.Store(s)
}

// Hooks returns hooks that measure and then call those of next.
func (t *Telemetry) Hooks(next oidcauth.Hooks) oidcauth.Hooks {
	if t == nil {
		return next
	}
	return t.measured.Hooks(next)
}

// Handler is for the operator's machinery: the figures, and probes of auths.
func (t *Telemetry) Handler(auths ...*oidcauth.Authenticator) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", t.page)
	mux.HandleFunc("GET /healthz", oidcauth.Live)
	mux.HandleFunc("GET /readyz", oidcauth.Ready(auths...))
	return mux
}
