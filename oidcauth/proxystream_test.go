package oidcauth_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// Server-sent events come as they are sent, and end with the session, whole; a download breaks off.
func TestAStreamEndsWithTheSession(t *testing.T) {
	for _, kind := range []string{"text/event-stream", "application/octet-stream"} {
		t.Run(kind, func(t *testing.T) {
			for name, mode := range modes {
				t.Run(name, func(t *testing.T) {
					gone := make(chan struct{})
					w := newProxyWorld(t, func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Content-Type", kind)
						_, _ = io.WriteString(w, "data: 1\n\n")
						_ = http.NewResponseController(w).Flush()
						<-r.Context().Done()
						close(gone)
					}, mode)
					res, err := http.DefaultTransport.RoundTrip(w.request(http.MethodGet, "/api/x", "", nil))
					require.NoError(t, err)
					defer res.Body.Close()
					first := make([]byte, 9)
					_, err = io.ReadFull(res.Body, first)
					require.NoError(t, err)
					require.Equal(t, "data: 1\n\n", string(first))

					logout := w.request(http.MethodPost, "/auth/logout", "", nil)
					w.do(logout)
					_, err = io.ReadAll(res.Body)
					require.Equal(t, kind == "text/event-stream", err == nil)
					<-gone // the API's side is left, too
					require.Equal(t, http.StatusUnauthorized, w.fetch(http.MethodGet, "/api/x", "", nil).StatusCode)
				})
			}
		})
	}
}

// A stream is no use of the session: it ends with the idle limit.
func TestAStreamDoesNotOutliveTheIdleLimit(t *testing.T) {
	for name, mode := range modes {
		if name == "cookie" {
			continue // with a Store the limit may have moved in another process
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				started := time.Now()
				w, _ := proxyBubble(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "text/event-stream")
					_ = http.NewResponseController(w).Flush()
					<-r.Context().Done()
				}, func(c *oidcauth.Config) { mode(c); c.Session.IdleTimeout = time.Hour })
				answer := w.post(w.cookies(), "/api/x", "")
				require.Equal(t, http.StatusOK, answer.Code)
				require.WithinDuration(t, started.Add(time.Hour), time.Now(), time.Minute)
			})
		})
	}
}
