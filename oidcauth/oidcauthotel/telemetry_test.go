package oidcauthotel_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthotel"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/sessiontest"
)

const app = oidcauthtest.DefaultApp

// A world is an application whose telemetry can be read.
type world struct {
	*testing.T
	metrics   *metric.ManualReader
	spans     *tracetest.InMemoryExporter
	telemetry *oidcauthotel.Telemetry
	provider  *oidcauthtest.Provider
	auth      *oidcauth.Authenticator
	browser   *oidcauthtest.Browser
}

func newWorld(t *testing.T, hooks oidcauth.Hooks) *world {
	t.Helper()
	w := &world{T: t, metrics: metric.NewManualReader(), spans: tracetest.NewInMemoryExporter(), provider: oidcauthtest.NewProvider(oidcauthtest.Settings{})}
	var err error
	w.telemetry, err = oidcauthotel.New(oidcauthotel.Options{
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(w.metrics)),
		TracerProvider: trace.NewTracerProvider(trace.WithSyncer(w.spans)),
	})
	require.NoError(t, err)
	network := oidcauthtest.NewNetwork()
	network.Handle(w.provider.Issuer(), w.provider)
	w.auth, err = oidcauth.New(oidcauth.Config{
		Issuer: w.provider.Issuer(), ClientID: "app", ClientSecret: "app-secret", RedirectURL: app + "/auth/callback",
		Scopes: []string{"offline_access"}, Machines: map[string]oidcauth.MachineConfig{"jobs": {}}, HTTPClient: network.Client(), Logger: slog.New(slog.DiscardHandler), Hooks: w.telemetry.Hooks(hooks),
		Session: session.Config{Keys: []string{session.NewKey()}, Store: w.telemetry.Store(session.NewMemoryStore())},
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/auth/", w.auth)
	mux.Handle("/me", w.auth.RequireLoginFunc(func(http.ResponseWriter, *http.Request) {}))
	mux.Handle("/admin", w.auth.Require(oidcauth.Role("admin"))(http.NotFoundHandler()))
	mux.Handle("/recent", w.auth.Require(oidcauth.ACR("gold"))(http.NotFoundHandler()))
	mux.Handle("/refresh", w.auth.RequireLoginFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, err := w.auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token(); err != nil {
			rw.WriteHeader(http.StatusBadGateway)
		}
	}))
	network.Handle(app, mux)
	w.browser = oidcauthtest.NewBrowser(network)
	return w
}

// counts are how often each series was recorded, by metric and attributes.
func (w *world) counts(name string) map[string]uint64 {
	w.Helper()
	var got metricdata.ResourceMetrics
	require.NoError(w, w.metrics.Collect(w.Context(), &got))
	counts := map[string]uint64{}
	for _, scope := range got.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					counts[series(p.Attributes)] = p.Count
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					counts[series(p.Attributes)] = uint64(p.Value)
				}
			}
		}
	}
	return counts
}

// series is a short name of attributes: their values, in the order of the keys.
func series(set attribute.Set) (name string) {
	for _, a := range set.ToSlice() {
		name += " " + a.Value.AsString()
	}
	return name[1:]
}

func TestOperationsAreMeasured(t *testing.T) {
	w := newWorld(t, oidcauth.Hooks{})
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/me").Status)
	require.Equal(t, http.StatusForbidden, w.browser.Get(app+"/admin").Status)
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/refresh").Status)
	w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(http.StatusBadRequest, "made up by somebody"))
	require.Equal(t, http.StatusBadGateway, w.browser.Get(app+"/refresh").Status)
	w.browser.Get(app + "/auth/callback?code=c&state=s")
	w.browser.Post(app+"/auth/logout", nil)

	// Attributes are sorted: error.type, signet.operation, signet.outcome.
	require.Equal(t, map[string]uint64{
		"login ok": 1, "callback ok": 1, "no_transaction callback refused": 1, "logout ok": 1, "refresh ok": 1, "other_grant_error refresh refused": 1,
	}, w.counts(oidcauthotel.OperationDuration))
	require.Equal(t, map[string]uint64{"login_required": 1, "denied": 1}, w.counts(oidcauthotel.RequestsDenied))
	require.Equal(t, map[string]uint64{"user": 1}, w.counts(oidcauthotel.SessionsEnded))
	require.NotZero(t, w.counts(oidcauthotel.StoreDuration)["ok get"])
}

func TestTroubleIsToldFromRefusals(t *testing.T) {
	w := newWorld(t, oidcauth.Hooks{})
	w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(http.StatusBadGateway, "text/plain", "down"))
	require.Equal(t, http.StatusBadGateway, w.browser.Get(app+"/me").Status)
	require.Equal(t, uint64(1), w.counts(oidcauthotel.OperationDuration)["provider_error callback failed"], w.counts(oidcauthotel.OperationDuration))
	for _, span := range w.spans.GetSpans() {
		want := codes.Unset
		if span.Name == "signet callback" {
			want = codes.Error
		}
		require.Equal(t, want, span.Status.Code, span.Name)
	}
}

func TestNoAttributeNamesAnybody(t *testing.T) {
	w := newWorld(t, oidcauth.Hooks{})
	w.browser.Get(app + "/me")
	w.browser.Get(app + "/refresh")
	w.browser.Get(app + "/auth/callback?code=secret-code&state=secret-state&error=secret-error")
	w.browser.Post(app+"/auth/logout", nil)
	require.NotEmpty(t, w.spans.GetSpans())
	for _, span := range w.spans.GetSpans() {
		require.Empty(t, span.Status.Description)
		require.Empty(t, span.Events)
		for _, a := range span.Attributes {
			require.Contains(t, []string{"signet.operation", "signet.outcome", "signet.store.method", "error.type"}, string(a.Key))
			require.NotContains(t, a.Value.AsString(), "secret")
			require.NotContains(t, a.Value.AsString(), "alice")
		}
	}
}

// A provider that answers each request with another code makes no time series by it.
func TestAProvidersCodesMakeNoTimeSeries(t *testing.T) {
	w := newWorld(t, oidcauth.Hooks{})
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/me").Status)
	for i := range 20 {
		code := fmt.Sprintf("made_up_%d", i)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(http.StatusBadRequest, code))
		w.browser.Get(app + "/refresh")
		_, err := w.auth.Machine("jobs").TokenSource(t.Context()).Token()
		require.Error(t, err)
		w.browser.Get(app + "/auth/login?prompt=login")
	}
	series := slices.Sorted(maps.Keys(w.counts(oidcauthotel.OperationDuration)))
	require.Equal(t, []string{
		"callback ok", "invalid_response callback failed", "login ok", "other_grant_error machine_token refused", "other_grant_error refresh refused",
	}, series)
}

func TestStoreCallsStandInTheSpanOfTheirOperation(t *testing.T) {
	w := newWorld(t, oidcauth.Hooks{})
	w.browser.Get(app + "/me")
	spans, callback := w.spans.GetSpans(), tracetest.SpanStub{}
	for _, span := range spans {
		if span.Name == "signet callback" {
			callback = span
		}
	}
	children := 0
	for _, span := range spans {
		if span.Parent.SpanID() == callback.SpanContext.SpanID() {
			children++
		}
	}
	require.NotZero(t, children)
}

func TestTheApplicationsHooksAreCalledToo(t *testing.T) {
	var called []string
	w := newWorld(t, oidcauth.Hooks{
		Login:  func(context.Context, *oidcauth.User) error { called = append(called, "login"); return nil },
		Logout: func(context.Context, *oidcauth.User, oidcauth.LogoutReason) { called = append(called, "logout") },
		Deny:   func(*http.Request, *oidcauth.User, error) { called = append(called, "deny") },
		Observe: func(ctx context.Context, op oidcauth.Operation) (context.Context, func(error)) {
			return ctx, func(error) { called = append(called, "observe "+string(op)) }
		},
	})
	w.browser.Get(app + "/me")
	w.browser.Post(app+"/auth/logout", nil)
	require.Equal(t, []string{"deny", "observe login", "login", "observe callback", "logout", "observe logout"}, called)
}

// The Store that is measured is a Store still.
func TestTheStoreKeepsItsContract(t *testing.T) {
	telemetry, err := oidcauthotel.New(oidcauthotel.Options{})
	require.NoError(t, err)
	sessiontest.Run(t, func(*testing.T) session.Store { return telemetry.Store(session.NewMemoryStore()) })
	require.Nil(t, telemetry.Store(nil))
}

// A brokenStore fails every call.
type brokenStore struct{}

var errBroken = errors.New("store: secret-host is down")

func (brokenStore) Get(context.Context, ...string) ([][]byte, error)         { return nil, errBroken }
func (brokenStore) Set(context.Context, string, []byte, time.Duration) error { return errBroken }
func (brokenStore) Delete(context.Context, string, []byte) (bool, error)     { return false, errBroken }
func (brokenStore) Add(context.Context, string, []byte, time.Duration) (bool, error) {
	return false, errBroken
}

func (brokenStore) Swap(context.Context, string, []byte, []byte, time.Duration) (bool, error) {
	return false, errBroken
}

func TestAStoreThatFailsIsMeasured(t *testing.T) {
	w := newWorld(t, oidcauth.Hooks{})
	store := w.telemetry.Store(brokenStore{})
	_, err := store.Get(t.Context(), "k")
	require.ErrorIs(t, err, errBroken)
	require.ErrorIs(t, store.Set(t.Context(), "k", nil, time.Second), errBroken)
	_, err = store.Add(t.Context(), "k", nil, time.Second)
	require.ErrorIs(t, err, errBroken)
	_, err = store.Swap(t.Context(), "k", nil, nil, time.Second)
	require.ErrorIs(t, err, errBroken)
	_, err = store.Delete(t.Context(), "k", nil)
	require.ErrorIs(t, err, errBroken)
	require.Equal(t, map[string]uint64{"_OTHER failed get": 1, "_OTHER failed set": 1, "_OTHER failed add": 1, "_OTHER failed swap": 1, "_OTHER failed delete": 1},
		w.counts(oidcauthotel.StoreDuration))
}
