package oidcauth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// The ID token has one half of the pair and userinfo the other, which is only fetched at the login.
func TestAttackerARefreshVerifiesNoOtherAddress(t *testing.T) {
	t.Run("the address is in the ID token, the mark in userinfo", func(t *testing.T) {
		w := newTokenWorld(t)
		idToken := func(email string) {
			w.provider.BendIDToken(func(tok *oidcauthtest.Token) {
				tok.Claims.Set("email", email)
				tok.Claims.Delete("email_verified")
			})
		}
		w.provider.BendUserInfo(func(tok *oidcauthtest.Token) {
			tok.Claims.Set("email", "mallory@evil.test")
			tok.Claims.Set("email_verified", true)
		})
		idToken("mallory@evil.test")
		w.signIn()
		require.True(t, w.user().EmailVerified)
		// Mallory changes her address at the provider to one that is not hers, and refreshes.
		idToken("ceo@victim.test")
		w.token("?force")
		u := w.user()
		t.Log(u.Email, u.EmailVerified)
		require.False(t, u.Email == "ceo@victim.test" && u.EmailVerified, "a foreign address passes for verified")
	})
	t.Run("the mark is in the ID token, the address in userinfo", func(t *testing.T) {
		w := newTokenWorld(t)
		idToken := func(verified bool) {
			w.provider.BendIDToken(func(tok *oidcauthtest.Token) {
				tok.Claims.Delete("email")
				tok.Claims.Set("email_verified", verified)
			})
		}
		w.provider.BendUserInfo(func(tok *oidcauthtest.Token) {
			tok.Claims.Set("email", "ceo@victim.test")
			tok.Claims.Set("email_verified", false)
		})
		idToken(false)
		w.signIn()
		require.False(t, w.user().EmailVerified)
		// Mallory changes to an address of her own, verifies that, and refreshes.
		idToken(true)
		w.token("?force")
		u := w.user()
		t.Log(u.Email, u.EmailVerified)
		require.False(t, u.Email == "ceo@victim.test" && u.EmailVerified, "a foreign address passes for verified")
	})
}
