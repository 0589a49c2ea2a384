package main_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAFleetRefreshesOnceAUserAndMixesNobodyUp(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, server *place, cookies bool) {
		server.start()
		f := startFleet(t, 3, shortLife, server.env(cookies)...)
		visitors := f.signedIn(t, 50)

		for range 2 {
			f.storm(t, visitors)
		}
		f.mixed(t, visitors[:20], 10_000)

		for _, v := range visitors {
			require.NoError(t, v.call(t.Context(), 2, v.cookie()), "nobody was signed out")
		}
	}, redisServers, databases, files)
}

// wave is how many users storm at the same time: as many as a small machine serves within the life of a token.
const wave = 10

// storm lets every visitor's tokens expire, and then lets each make 20 requests at once with the cookie of that time, spread
// over the processes.
func (f *fleet) storm(t *testing.T, visitors []*visitor) {
	t.Helper()
	outlast(t, visitors...)
	old := make([][]*http.Cookie, len(visitors))
	for i, v := range visitors {
		old[i] = v.cookie()
	}
	f.forget()

	began := time.Now()
	for first := 0; first < len(visitors); first += wave {
		require.NoError(t, together(20*wave, func(i int) error {
			who := first + i%wave
			return visitors[who].call(t.Context(), i/wave, old[who])
		}))
	}
	took := time.Since(began)

	refreshes, all := f.refreshes(), 0
	for _, calls := range refreshes {
		all += len(calls)
	}
	require.Len(t, refreshes, len(visitors), "every user's token was expired")
	t.Logf("%d requests of %d users in %v: %d refreshes", 20*len(visitors), len(visitors), took.Round(time.Millisecond), all)
}

// mixed makes so many requests of all kinds for the visitors, or what a slow machine makes of them in a minute, twelve at a time and several of one visitor among them, each with
// the cookies that their browser has by then. No answer may be about somebody else.
func (f *fleet) mixed(t *testing.T, visitors []*visitor, requests int64) {
	t.Helper()
	f.forget()
	var next atomic.Int64
	var kinds [4]atomic.Int64
	began := time.Now()
	require.NoError(t, together(12, func(int) error {
		for i := next.Add(1); i <= requests && time.Since(began) < patience; i = next.Add(1) {
			v := visitors[int(i/4)%len(visitors)]
			kind := mixture[int(i*7)%len(mixture)]
			kinds[kind].Add(1)
			if err := v.route(t, kind, int(i)); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, call := range f.tokenCalls("refresh_token") {
		require.Empty(t, call.Error)
	}
	t.Logf("%d requests in %v: %d me, %d call, %d machine, %d refresh; %d refreshes and %d machine tokens at the provider", requests,
		time.Since(began).Round(time.Millisecond), kinds[0].Load(), kinds[1].Load(), kinds[2].Load(), kinds[3].Load(),
		len(f.tokenCalls("refresh_token")), len(f.tokenCalls("client_credentials")))
}

// mixture is which of the routes are asked, of twenty requests: 0 is /api/me, 1 /api/call, 2 /api/machine, 3 /api/refresh.
var mixture = [20]int{0, 1, 0, 1, 2, 0, 1, 0, 1, 0, 3, 0, 1, 0, 1, 2, 0, 1, 0, 1}

// route asks one of the routes of the i-th process. An answer about anybody else is an error.
func (v *visitor) route(t *testing.T, kind, i int) error {
	switch kind {
	case 0:
		_, err := v.me(t.Context(), i, v.cookie())
		return err
	case 1:
		return v.call(t.Context(), i, v.cookie())
	case 2:
		return v.machine(t.Context(), i)
	}
	r, err := v.ask(t.Context(), v.fleet.base(i)+"/api/refresh", v.cookie())
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("%s got %d: %s", v.name, r.status, r.text)
	}
	return err
}
