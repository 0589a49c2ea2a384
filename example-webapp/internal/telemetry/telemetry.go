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

	"github.com/signet-go/signet/oidcauth/oidcauthotel"
)

// A Telemetry is what measures, and the page with the figures.
type Telemetry struct {
	*oidcauthotel.Telemetry
	Page http.Handler
}

// New returns a Telemetry with a registry of its own: the library's figures, and Go's own about
// memory, goroutines and file descriptors.
func New() (*Telemetry, error) {
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
