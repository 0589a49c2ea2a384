package oidcauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A waitingStore, once it waits, doesn't answer reads before their caller gives up, and then says so in words of its own, as drivers
// of databases do.
type waitingStore struct {
	session.Store
	waits bool
}

func (s *waitingStore) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if !s.waits {
		return s.Store.Get(ctx, keys...)
	}
	<-ctx.Done()
	return nil, errMoody
}

// alarms are the lines of a log that somebody is called for.
func alarms(log string) (lines []string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "unavailable\"") || strings.Contains(line, "refused\"") {
			lines = append(lines, line)
		}
	}
	return lines
}

// sendWithin sends a request whose context ends after life: by its sender, who hangs up, or by a deadline of the server's.
func (w *world) sendWithin(life time.Duration, hangsUp bool, cookies, path string) *httptest.ResponseRecorder {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if hangsUp {
		defer time.AfterFunc(life, cancel).Stop()
	} else {
		ctx, cancel = context.WithTimeout(ctx, life)
		defer cancel()
	}
	r := httptest.NewRequest(http.MethodGet, app+path, nil).WithContext(ctx)
	r.Header.Set("Cookie", cookies)
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	return answer
}

func TestARequestThatEndsEarlyIsNoAlarm(t *testing.T) {
	for name, row := range map[string]struct {
		serverSide bool
		wait       func(w *world) (cookies, path string)
	}{
		"a made-up cookie of a server-side session": {true, func(*world) (string, string) {
			return "__Host-session=" + strings.Repeat("A", 43), "/me"
		}},
		"a session in a cookie, with a Store": {false, func(w *world) (string, string) {
			w.signIn()
			return w.cookies(), "/me"
		}},
		"a callback whose provider takes its time": {false, func(w *world) (string, string) {
			callback := w.callbackURL()
			w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(9*time.Second))
			return w.cookies(), strings.TrimPrefix(callback.URL, app)
		}},
		"a callback that waits for a place": {false, func(w *world) (string, string) {
			callback := w.callbackURL()
			oidcauth.FillCallbacks(w.auth)
			return w.cookies(), strings.TrimPrefix(callback.URL, app)
		}},
		"a login whose push takes its time": {false, func(w *world) (string, string) {
			w.provider.Intercept(oidcauthtest.PAR, oidcauthtest.Delay(9*time.Second))
			return "", "/auth/login"
		}},
		"a login that waits for metadata": {false, func(w *world) (string, string) {
			w.provider.Intercept(oidcauthtest.Discovery, oidcauthtest.Delay(9*time.Second))
			return "", "/auth/login"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for how, hangsUp := range map[string]bool{"hangs up": true, "has a deadline": false} {
				t.Run(how, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						store := &waitingStore{Store: session.NewMemoryStore()}
						w := newWorld(t, func(c *oidcauth.Config) {
							c.PAR = oidcauth.PARRequire
							c.Session.Store, c.Session.ServerSide = store, row.serverSide
						})
						cookies, path := row.wait(w)
						if path == "/me" {
							store.waits = true
						}
						before := len(w.log.String())
						answer := w.sendWithin(time.Second, hangsUp, cookies, path)
						require.GreaterOrEqual(t, answer.Code, 500, answer.Body)
						log := w.log.String()[before:]
						require.Empty(t, alarms(log))
						require.Contains(t, log, "request ended early")
						require.Equal(t, !hangsUp, strings.Contains(log, "level=WARN"), log)
						time.Sleep(time.Minute) // whatever is under way still
					})
				})
			}
		})
	}
}

// The same failures are alarms while somebody waits for the answer.
func TestAFailureThatSomebodyWaitsForIsAnAlarm(t *testing.T) {
	t.Run("a Store that takes too long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := &waitingStore{Store: session.NewMemoryStore()}
			w := newWorld(t, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, true })
			store.waits = true
			require.Equal(t, http.StatusServiceUnavailable, w.sendWithin(time.Minute, true, "__Host-session="+strings.Repeat("A", 43), "/me").Code)
			require.Contains(t, w.log.String(), `level=ERROR msg="store unavailable"`)
		})
	})
	t.Run("a provider that takes too long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			callback := w.callbackURL()
			cookies := w.cookies()
			w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(15*time.Second))
			require.Equal(t, http.StatusGatewayTimeout, w.sendWithin(time.Minute, true, cookies, strings.TrimPrefix(callback.URL, app)).Code)
			require.Contains(t, w.log.String(), `level=ERROR msg="provider unavailable"`)
		})
	})
}
