package main_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mostTries is how many requests may have failed since began: the pause between two is three quarters of a second at least.
func mostTries(began time.Time) int { return 1 + int(time.Since(began)/(750*time.Millisecond)) }

func TestAnOutageOfTheProviderUsesUpTheTokenAndKeepsTheSession(t *testing.T) {
	for name, outage := range map[string]fault{
		"it is down":     {"drop": "before"},
		"it is slow":     {"hold": true, "drop": "before"},
		"it answers 500": {"status": 500, "body": "<h1>oops</h1>"},
		"it answers 429": {"status": 429, "headers": map[string]string{"Retry-After": "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, 1, shortLife, "OIDC_TIMEOUT", "5s")
			v := f.signedIn(t, 1)[0]

			fresh, err := v.ask(t.Context(), f.base(0)+"/api/refresh", v.cookie())
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, fresh.status, fresh.text)
			f.bend(outage)

			// In the last fifth of its life a token is renewed, with a jitter of a tenth of that.
			<-time.After(time.Until(fresh.Expires.Add(-shortLife * 17 / 100)))
			began := time.Now()
			r, err := v.ask(t.Context(), f.base(0)+"/api/call", v.cookie())
			require.NoError(t, err)
			if time.Now().Before(fresh.Expires) { // else the machine was too busy to tell
				require.Equal(t, http.StatusOK, r.status, "the token at hand serves: %s", r.text)
			}
			f.awaitHit()

			<-time.After(time.Until(fresh.Expires))
			for range 10 {
				r, err := v.ask(t.Context(), f.base(0)+"/api/call", v.cookie())
				require.NoError(t, err)
				require.Equal(t, http.StatusServiceUnavailable, r.status, r.text)
				seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
				require.NoError(t, err)
				require.Positive(t, seconds)
			}
			require.LessOrEqual(t, f.hits(), mostTries(began), "tries are spaced out")
			_, err = v.me(t.Context(), 0, v.cookie())
			require.NoError(t, err, "the session is kept")

			f.bend()
			require.Eventually(t, func() bool { return v.call(t.Context(), 0, v.cookie()) == nil }, patience, 50*time.Millisecond, "it heals")
			f.refreshes()
		})
	}
}

func TestARefreshTokenThatIsNoMoreUseNeedsOneLoginAndNoLoop(t *testing.T) {
	for name, tt := range map[string]struct {
		fault fault
		calls int // at most, those that met the fault and those that were carried out
	}{
		"its successor was lost on the way": {fault{"drop": "after", "times": 1}, 3},
		"invalid_request":                   {fault{"status": 400, "body": `{"error":"invalid_request"}`}, 2},
		"a code of the provider's own":      {fault{"status": 400, "body": `{"error":"token_expired"}`}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, 1, time.Hour)
			v := f.signedIn(t, 1)[0]
			f.bend(tt.fault)
			f.forget()

			require.Eventually(t, func() bool {
				r, err := v.ask(t.Context(), f.base(0)+"/api/refresh", v.cookie())
				return err == nil && r.status == http.StatusUnauthorized
			}, patience, 50*time.Millisecond)
			for range 20 {
				for _, path := range []string{"/api/refresh", "/api/call", "/api/me"} {
					r, err := v.ask(t.Context(), f.base(0)+path, v.cookie())
					require.NoError(t, err)
					require.Equal(t, http.StatusUnauthorized, r.status, r.text)
				}
			}
			require.LessOrEqual(t, f.hits()+len(f.tokenCalls("refresh_token")), tt.calls)

			f.bend()
			_, at, err := v.page(http.MethodGet, f.base(0)+"/profile", nil)
			require.NoError(t, err)
			require.Equal(t, f.base(0)+"/profile", at.String(), "the provider still knows the person")
			require.NoError(t, v.call(t.Context(), 0, v.cookie()))
		})
	}
}

func TestAProviderThatRefusesTheClientItselfIsAskedNowAndThen(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"invalid_client", "token_expired"} { // 401 is about the client, whatever the code
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			refuseClient(t, code)
		})
	}
}

func refuseClient(t *testing.T, code string) {
	f := startFleet(t, 1, shortLife)
	v := f.signedIn(t, 1)[0]
	outlast(t, v)
	f.bend(fault{"status": 401, "body": `{"error":"` + code + `"}`})

	began := time.Now()
	for time.Since(began) < time.Second {
		r, err := v.ask(t.Context(), f.base(0)+"/api/call", v.cookie())
		require.NoError(t, err)
		require.Equal(t, http.StatusBadGateway, r.status, r.text)
		_, err = v.me(t.Context(), 0, v.cookie())
		require.NoError(t, err, "that says nothing about the user")
		<-time.After(20 * time.Millisecond)
	}
	require.LessOrEqual(t, f.hits(), mostTries(began))
	f.bend()
	require.Eventually(t, func() bool { return v.call(t.Context(), 0, v.cookie()) == nil }, patience, 50*time.Millisecond, "it heals")
}
