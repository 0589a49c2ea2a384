package oidcauth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// Cognito and JumpCloud write the mark as a text.
func TestAnAddressIsVerifiedByABooleanOrTheWordTrue(t *testing.T) {
	for _, c := range []struct {
		name string
		mark any
		want bool
	}{
		{"true", true, true},
		{"the text true", "true", true},
		{"false", false, false},
		{"the text false", "false", false},
		{"the text True", "True", false},
		{"true with a space", "true ", false},
		{"the text 1", "1", false},
		{"the number 1", 1, false},
		{"null", nil, false},
		{"a list", []any{"true"}, false},
	} {
		for source, bend := range map[string]func(*oidcauthtest.Provider, func(*oidcauthtest.Token)){
			"in the ID token": (*oidcauthtest.Provider).BendIDToken, "at userinfo": (*oidcauthtest.Provider).BendUserInfo,
		} {
			t.Run(c.name+" "+source, func(t *testing.T) {
				w := newWorld(t)
				both := func(tok *oidcauthtest.Token) { tok.Claims.Delete("email", "email_verified") }
				w.provider.BendIDToken(both)
				w.provider.BendUserInfo(both)
				bend(w.provider, func(tok *oidcauthtest.Token) {
					tok.Claims.Set("email", "alice@example.test")
					tok.Claims.Set("email_verified", c.mark)
				})
				w.signIn()
				require.Equal(t, "alice@example.test", w.user().Email)
				require.Equal(t, c.want, w.user().EmailVerified)
			})
		}
	}
}

func TestAMarkInWordsAndOneAsABooleanAreTheSame(t *testing.T) {
	w := newWorld(t)
	w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Delete("email"); tok.Claims.Set("email_verified", true) })
	w.provider.BendUserInfo(func(tok *oidcauthtest.Token) {
		tok.Claims.Set("email", "alice@example.test")
		tok.Claims.Set("email_verified", "true")
	})
	w.signIn()
	require.Equal(t, "alice@example.test", w.user().Email, "the sources agree")
	require.True(t, w.user().EmailVerified)
}

// A claims provider's mark in words is not believed; its boolean is, for its own address.
func TestAMarkInWordsOfAClaimsProviderIsNotBelieved(t *testing.T) {
	for name, c := range map[string]struct {
		mark any
		want bool
	}{"a boolean": {true, true}, "words": {"true", false}} {
		t.Run(name, func(t *testing.T) {
			bureau := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://bureau.example"})
			w := newWorld(t, func(config *oidcauth.Config) {
				config.Advanced.ClaimsProviders = []oidcauth.ClaimsProvider{{Issuer: bureau.Issuer(), Claims: []string{"email", "email_verified"}}}
			})
			w.network.Handle(bureau.Issuer(), bureau)
			told := bureau.LogoutToken("app", "alice", "", func(tok *oidcauthtest.Token) {
				tok.Header.Set("typ", "JWT")
				tok.Claims.Delete("events")
				tok.Claims.Set("email", "alice@bureau.example")
				tok.Claims.Set("email_verified", c.mark)
			})
			w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Delete("email", "email_verified") })
			w.provider.BendUserInfo(func(tok *oidcauthtest.Token) {
				tok.Claims.Delete("email", "email_verified")
				tok.Claims.Set("_claim_names", map[string]any{"email": "b", "email_verified": "b"})
				tok.Claims.Set("_claim_sources", map[string]any{"b": map[string]any{"JWT": told}})
			})
			w.signIn()
			require.Equal(t, "alice@bureau.example", w.user().Email, w.log.String())
			require.Equal(t, c.want, w.user().EmailVerified, string(w.user().Claims))
		})
	}
}
