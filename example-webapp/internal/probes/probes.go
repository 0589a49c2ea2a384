// Package probes answers machinery that asks how the process is: orchestrators and load balancers.
//
// It promises to say nothing that a stranger could use: causes go to the log. It keeps no state and
// asks nobody by itself. Start at Live and Ready.
package probes

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/signet-go/signet/example-webapp/internal/reply"
)

// Live says that the process answers; it asks nobody else.
//
// A liveness check that asked the provider would have the process restarted for somebody else's
// outage.
func Live(w http.ResponseWriter, _ *http.Request) {
	reply.JSON(w, http.StatusOK, map[string]string{"status": "live"})
}

// Ready says whether logins and sessions work now, which checks know: all of them have to be
// content.
//
// A load balancer takes its traffic away on 503; sessions that exist would go on all the same. The
// cause is in the log only, since the route is open to strangers.
func Ready(log *slog.Logger, checks ...func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var err error
		for _, check := range checks {
			err = errors.Join(err, check(r.Context()))
		}
		if err != nil {
			log.WarnContext(r.Context(), "not ready", "cause", err)
			w.Header().Set("Retry-After", "5")
			reply.JSON(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready"})
			return
		}
		reply.JSON(w, http.StatusOK, map[string]string{"status": "ready"})
	}
}
