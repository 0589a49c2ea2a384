package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/signet-go/signet/internal/logtext"
)

// Live answers 200 with {"status":"live"}: the process is running. It asks no other server, because
// a liveness probe that asked the provider would have the process restarted whenever the provider
// is down.
func Live(w http.ResponseWriter, _ *http.Request) { writeHealth(w, http.StatusOK, "live") }

// Ready returns a handler for readiness probes: 200 with {"status":"ready"} when the metadata of
// each Authenticator's provider is available and their Stores answer; otherwise 503 with
// Retry-After and {"status":"not ready"}. What is missing is only logged, since strangers may ask.
// Each probe does what [Authenticator.Discover] and [session.Manager.Ready] do, so probing every
// few seconds costs the provider nothing.
//
// Use it to hold back a new replica. Don't use it to take replicas out of service when all of them
// share a provider: sessions continue while the provider is down.
func Ready(auths ...*Authenticator) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ready := true
		for _, a := range auths {
			if err := a.ready(r.Context()); err != nil {
				ready = false
				a.log.WarnContext(r.Context(), "not ready", "issuer", a.config.Issuer, "reason", logtext.Clip(err.Error(), logtext.Max))
			}
		}
		if !ready {
			w.Header().Set("Retry-After", "5")
			writeHealth(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		writeHealth(w, http.StatusOK, "ready")
	}
}

// ready returns what logins and sessions lack.
func (a *Authenticator) ready(ctx context.Context) error {
	return errors.Join(a.Discover(ctx), a.sessions.Ready(ctx))
}

// writeHealth answers a probe.
func writeHealth(w http.ResponseWriter, status int, text string) {
	protectAnswer(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, fmt.Sprintf("{\"status\":%q}\n", text)) // whoever asked may be gone
}
