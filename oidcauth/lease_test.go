package oidcauth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A holder is the process that has the lease of a session in a common Store, while another one wants it.
type holder struct {
	*world
	store   *failingStore // the holder's way to the Store
	other   http.Handler
	release chan struct{} // closed: the provider answers the holder
}

// inLease runs test while w refreshes, with a provider that keeps it waiting. The other process gives the provider a second.
func inLease(t *testing.T, test func(h *holder, cookies string)) {
	synctest.Test(t, func(t *testing.T) {
		common := session.NewMemoryStore()
		h := &holder{store: &failingStore{Store: common}, release: make(chan struct{})}
		defer close(h.release)
		h.world = newTokenWorld(t, func(c *oidcauth.Config) { c.Session.Store, c.Timeout = h.store, time.Minute })
		auth := newAuthenticator(t, h.world, func(c *oidcauth.Config) { c.Session.Store, c.Timeout = common, time.Second })
		mux := appMux(auth)
		addTokenRoutes(mux, auth, h.network)
		h.other = mux
		h.signIn()
		cookies := h.cookies()
		time.Sleep(11 * time.Minute)
		h.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Hang(h.release))
		h.sendAndLeave(cookies, "/token")
		require.Equal(t, 1, h.refreshes())
		h.provider.Intercept(oidcauthtest.TokenEndpoint)
		test(h, cookies)
	})
}

func TestTheLeaseOfAProcessThatDiedIsWaitedOut(t *testing.T) {
	inLease(t, func(h *holder, cookies string) {
		h.store.fail(true) // it renews nothing any more, and gives nothing back
		answer := h.sendTo(h.other, cookies, "/token")
		require.Equal(h, http.StatusOK, answer.Code, answer.Body)
		require.Equal(h, 2, h.refreshes())
	})
}

func TestARefreshThatWaitsInVainForAnotherProcessIsAnOutage(t *testing.T) {
	inLease(t, func(h *holder, cookies string) {
		answer := h.sendTo(h.other, cookies, "/token")
		require.Equal(h, http.StatusServiceUnavailable, answer.Code, answer.Body)
		require.NotEmpty(h, answer.Header().Get("Retry-After"))
		require.Equal(h, 1, h.refreshes(), "the refresh token is the other's to use")
		require.Contains(h, h.log.String(), "token refresh failed")
		require.NotContains(h, h.log.String(), "panic")
	})
}
