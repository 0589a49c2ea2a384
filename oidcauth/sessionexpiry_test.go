package oidcauth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func TestTheProvidersSessionExpiryCapsTheSession(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) {
			tok.Claims.Set("session_expiry", time.Now().Add(20*time.Minute).Unix())
		})
		w.signIn()
		old := w.cookies()
		time.Sleep(19 * time.Minute)
		require.NotNil(t, w.user())
		time.Sleep(time.Minute)
		require.Nil(t, w.user())
		require.Equal(t, "null\n", w.send(old, "/").Body.String())
	})
}

func TestARefreshCapsTheSessionButNeverExtendsIt(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newTokenWorld(t, mode)
		expireIn := func(d time.Duration) {
			at := time.Now().Add(d).Unix()
			w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("session_expiry", at) })
		}
		expireIn(40 * time.Minute)
		w.signIn()
		expireIn(20 * time.Minute)
		w.token("?force")
		time.Sleep(time.Minute)
		expireIn(10 * time.Hour)
		w.token("?force")
		time.Sleep(18 * time.Minute)
		require.NotNil(t, w.user())
		time.Sleep(time.Minute)
		require.Nil(t, w.user())
	})
}

func TestASessionThatIsOverAtTheProviderIsNotBegun(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) {
			tok.Claims.Set("session_expiry", time.Now().Add(-time.Minute).Unix())
		})
		page := w.browser.Get(app + "/me")
		require.GreaterOrEqual(t, page.Status, 400, page.Body)
		require.False(t, w.hasSession())
		require.Equal(t, 1, w.tokenCalls("authorization_code"), "no loop")
	})
}
