package oidcauth_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A callback that is answered with Retry-After before anything of it is spent completes the login when it is sent again.
func TestACallbackThatSpentNothingCanBeRepeated(t *testing.T) {
	for name, row := range map[string]struct {
		code  string
		trips func(w *world, store *moodyStore) (mend func())
	}{
		"the store fails": {"store_unavailable", func(_ *world, store *moodyStore) func() {
			store.failAfter(0)
			return func() { store.failAfter(-1) }
		}},
		"too many logins are under way": {"busy", func(w *world, _ *moodyStore) func() { return oidcauth.FillCallbacks(w.auth) }},
	} {
		t.Run(name, func(t *testing.T) {
			store := &moodyStore{Store: session.NewMemoryStore()}
			w := newWorld(t, func(c *oidcauth.Config) { c.Session.Store = store })
			cb := w.callbackURL()
			mend := row.trips(w, store)
			page := w.browser.Get(cb.URL)
			require.Equal(t, http.StatusServiceUnavailable, page.Status)
			require.Contains(t, w.log.String(), "code="+row.code)
			require.NotEmpty(t, page.Header.Get("Retry-After"))
			require.NotContains(t, page.Body, "You are still signed in")
			require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
			mend()
			require.Equal(t, http.StatusOK, w.browser.Get(cb.URL).Status)
			require.NotNil(t, w.user())
		})
	}
}
