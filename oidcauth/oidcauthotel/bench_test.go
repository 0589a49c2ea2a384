package oidcauthotel_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthotel"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// BenchmarkGuard measures a request of somebody who is signed in: with the session in memory, and
// read from a Store.
func BenchmarkGuard(b *testing.B) {
	for _, mode := range []string{"memory", "store"} {
		for _, with := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/otel=%t", mode, with), func(b *testing.B) { benchmarkGuard(b, mode == "store", with) })
		}
	}
}

// BenchmarkLogin measures a login from the guard to the page, with the work of the provider and of
// the browser in it.
func BenchmarkLogin(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("otel=%t", with), func(b *testing.B) {
			network, _ := measuredApp(b, false, with)
			for b.Loop() {
				if got := oidcauthtest.NewBrowser(network).Get(app + "/me").Status; got != http.StatusOK {
					b.Fatal(got)
				}
			}
		})
	}
}

// measuredApp serves an application, with or without telemetry.
func measuredApp(b *testing.B, serverSide, with bool) (*oidcauthtest.Network, *http.ServeMux) {
	b.Helper()
	provider, network := oidcauthtest.NewProvider(oidcauthtest.Settings{}), oidcauthtest.NewNetwork()
	network.Handle(provider.Issuer(), provider)
	config := oidcauth.Config{
		Issuer: provider.Issuer(), ClientID: "app", ClientSecret: "app-secret", RedirectURL: app + "/auth/callback", HTTPClient: network.Client(), Logger: slog.New(slog.DiscardHandler),
		Session: session.Config{Keys: []string{session.NewKey()}, ServerSide: serverSide},
	}
	if serverSide {
		config.Session.Store = session.NewMemoryStore()
	}
	if with {
		telemetry, err := oidcauthotel.New(oidcauthotel.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))})
		require.NoError(b, err)
		config.Hooks, config.Session.Store = telemetry.Hooks(config.Hooks), telemetry.Store(config.Session.Store)
	}
	auth, err := oidcauth.New(config)
	require.NoError(b, err)
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("/me", auth.RequireLoginFunc(func(http.ResponseWriter, *http.Request) {}))
	network.Handle(app, mux)
	return network, mux
}

func benchmarkGuard(b *testing.B, serverSide, with bool) {
	network, mux := measuredApp(b, serverSide, with)
	browser := oidcauthtest.NewBrowser(network)
	require.Equal(b, http.StatusOK, browser.Get(app+"/me").Status)
	r := httptest.NewRequest(http.MethodGet, app+"/me", http.NoBody)
	for _, c := range browser.Cookies(app + "/me") {
		r.AddCookie(c)
	}
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
