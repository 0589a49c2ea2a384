package oidcauth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// publishBoth lets the provider publish an older key before the one that it signs with, and returns a hook by which a token bears
// the older one's kid, as after a key change at Ory Hydra.
func publishBoth(w *world) func(*oidcauthtest.Token) {
	old := oidcauthtest.NewKey("RS256", "the-first-key")
	w.provider.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object {
		return append([]*oidcauthtest.Object{old.JWK()}, keys...)
	})
	return func(tok *oidcauthtest.Token) { tok.Header.Set("kid", old.ID) }
}

func TestATokenWithTheKidOfAnotherPublishedKeyIsVerifiedByTheRightOne(t *testing.T) {
	for name, c := range map[string]struct {
		settings  func(*oidcauthtest.Settings)
		configure func(*oidcauth.Config)
		bend      func(*oidcauthtest.Provider, func(*oidcauthtest.Token))
	}{
		"the ID token of a login": {nil, nil, (*oidcauthtest.Provider).BendIDToken},
		"signed userinfo": {
			func(s *oidcauthtest.Settings) { s.SignedUserInfo = true }, nil, (*oidcauthtest.Provider).BendUserInfo,
		},
		"a response JWT": {
			nil, func(c *oidcauth.Config) { c.ResponseMode = oidcauth.QueryJWT }, (*oidcauthtest.Provider).BendResponseJWT,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(config *oidcauth.Config) {
				if c.configure != nil {
					c.configure(config)
				}
			})
			if c.settings != nil {
				w.provider.Configure(c.settings)
			}
			c.bend(w.provider, publishBoth(w))
			for range 3 * burst {
				w.browser = oidcauthtest.NewBrowser(w.network)
				w.signIn()
			}
			require.Equal(t, 1, w.provider.Count(oidcauthtest.JWKS), "there is nothing to look for")
		})
	}
}

func TestARefreshedIDTokenWithTheKidOfAnotherPublishedKeyIsGood(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		misname := publishBoth(w)
		for range 2 { // until the keys are fetched anew
			time.Sleep(40 * time.Minute)
			w.signIn()
		}
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) {
			misname(tok)
			tok.Claims.Set("email", "new@example.test")
		})
		page := w.browser.Get(app + "/token")
		require.Equal(t, http.StatusOK, page.Status, page.Body)
		require.Equal(t, "new@example.test", w.user().Email, "it was verified and believed")
	})
}

func TestALogoutTokenWithTheKidOfAnotherPublishedKeyIsTriedBehindTheBrake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, backChannel)
		misname := publishBoth(w)
		w.signIn()
		token := func() string { return w.provider.LogoutToken("app", "alice", "", misname) }
		require.Equal(t, http.StatusOK, w.postLogoutToken(token()).StatusCode)
		require.Nil(t, w.user())
		time.Sleep(time.Second)
		w.signIn()
		forged := oidcauthtest.NewKey("RS256", "the-first-key")
		for range 2 * burst {
			answer := w.postLogoutToken(w.provider.LogoutToken("app", "alice", "", func(tok *oidcauthtest.Token) { tok.SignWith(forged) }))
			require.NotEqual(t, http.StatusOK, answer.StatusCode)
		}
		require.Equal(t, http.StatusServiceUnavailable, w.postLogoutToken(token()).StatusCode, "it may be good: come again")
		require.NotNil(t, w.user())
		time.Sleep(10 * time.Second)
		require.Equal(t, http.StatusOK, w.postLogoutToken(token()).StatusCode)
		require.Nil(t, w.user())
	})
}
