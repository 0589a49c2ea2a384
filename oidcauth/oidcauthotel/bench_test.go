package oidcauthotel_test

import (
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

// benchmarkGuard measures a request of somebody who is signed in.
func benchmarkGuard(b *testing.B, hooks func(*oidcauthotel.Telemetry) oidcauth.Hooks) {
	telemetry, err := oidcauthotel.New(oidcauthotel.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))})
	require.NoError(b, err)
	provider := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	network := oidcauthtest.NewNetwork()
	network.Handle(provider.Issuer(), provider)
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer: provider.Issuer(), ClientID: "app", ClientSecret: "app-secret", RedirectURL: app + "/auth/callback", HTTPClient: network.Client(), Logger: slog.New(slog.DiscardHandler),
		Session: session.Config{Keys: []string{session.NewKey()}}, Hooks: hooks(telemetry),
	})
	require.NoError(b, err)
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("/me", auth.RequireLoginFunc(func(http.ResponseWriter, *http.Request) {}))
	network.Handle(app, mux)
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
