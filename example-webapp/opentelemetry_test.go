package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// telemetry counts what the Authenticator does. This is the recipe of docs/recipes.md, word for word.
func telemetry(meter metric.Meter) (oidcauth.Hooks, error) {
	logins, err1 := meter.Int64Counter("auth.logins", metric.WithDescription("Completed logins"))
	logouts, err2 := meter.Int64Counter("auth.logouts", metric.WithDescription("Ended sessions, by reason"))
	refreshes, err3 := meter.Int64Counter("auth.refreshes", metric.WithDescription("Token refreshes, by outcome"))
	denials, err4 := meter.Int64Counter("auth.denials", metric.WithDescription("Refused requests, by reason"))
	return oidcauth.Hooks{
		Login: func(ctx context.Context, _ *oidcauth.User) error {
			logins.Add(ctx, 1)
			return nil
		},
		Logout: func(ctx context.Context, _ *oidcauth.User, reason oidcauth.LogoutReason) {
			logouts.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", string(reason))))
		},
		Refresh: func(ctx context.Context, _ *oidcauth.User, err error) {
			refreshes.Add(ctx, 1, metric.WithAttributes(attribute.Bool("ok", err == nil)))
		},
		Deny: func(r *http.Request, _ *oidcauth.User, err error) {
			denials.Add(r.Context(), 1, metric.WithAttributes(attribute.String("reason", reasonOf(err))))
		},
	}, errors.Join(err1, err2, err3, err4)
}

// reasonOf has few values, for each is a time series.
func reasonOf(err error) string {
	var stepUp *oidcauth.StepUpError
	switch {
	case errors.Is(err, oidcauth.ErrLoginRequired):
		return "login required"
	case errors.As(err, &stepUp):
		return "step-up required"
	}
	return "denied"
}

// The recipe counts, and traces the calls to the provider.
func TestTheRecipeForOpenTelemetryCounts(t *testing.T) {
	reader := sdk.NewManualReader()
	hooks, err := telemetry(sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("auth"))
	require.NoError(t, err)
	provider := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer: provider.Issuer(), ClientID: "app", ClientSecret: "app-secret",
		RedirectURL: oidcauthtest.DefaultApp + "/auth/callback",
		Session:     session.Config{Keys: []string{session.NewKey()}},
		HTTPClient:  &http.Client{Transport: otelhttp.NewTransport(provider)},
		Hooks:       hooks,
	})
	require.NoError(t, err)
	app := auth.Require(oidcauth.Role("admin"))(http.NotFoundHandler())
	network := oidcauthtest.NewNetwork()
	network.Handle(oidcauthtest.DefaultApp, app)
	network.Handle(provider.Issuer(), provider)
	page := oidcauthtest.NewBrowser(network).Get(oidcauthtest.DefaultApp + "/")
	require.Equal(t, http.StatusForbidden, page.Status, page.Body)

	var got metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &got))
	counts := map[string]int64{}
	for _, m := range got.ScopeMetrics[0].Metrics {
		for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
			reason, _ := point.Attributes.Value("reason")
			counts[fmt.Sprintf("%s %s", m.Name, reason.AsString())] = point.Value
		}
	}
	require.Equal(t, map[string]int64{"auth.logins ": 1, "auth.denials login required": 1, "auth.denials denied": 1}, counts)
}

func TestTheRecipeForOpenTelemetryIsTheDocumentedOne(t *testing.T) {
	page, err := os.ReadFile("../docs/recipes.md")
	if os.IsNotExist(err) {
		t.Skip("the documentation is not here")
	}
	require.NoError(t, err)
	source, err := os.ReadFile("opentelemetry_test.go")
	require.NoError(t, err)
	for _, name := range []string{"telemetry", "reasonOf"} {
		_, rest, found := strings.Cut(string(source), "\nfunc "+name+"(")
		require.True(t, found, name)
		body, _, _ := strings.Cut(rest, "\n}\n")
		require.Contains(t, string(page), "func "+name+"("+body+"\n}\n")
	}
}
