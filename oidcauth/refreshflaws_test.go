package oidcauth_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// flaws are ways in which a refreshed ID token can't be believed, and is not of another login all the same.
var flaws = map[string]func(*oidcauthtest.Token){
	"a key that is not published yet":  func(t *oidcauthtest.Token) { t.SignWith(oidcauthtest.ForeignKey("RS256")) },
	"the login's own ID token, as old": func(t *oidcauthtest.Token) { t.Claims.Set("exp", time.Now().Add(-5*time.Minute).Unix()) },
	"no exp":                           func(t *oidcauthtest.Token) { t.Claims.Delete("exp") },
	"a clock two minutes ahead": func(t *oidcauthtest.Token) {
		t.Claims.Set("iat", time.Now().Add(2*time.Minute).Unix())
		t.Claims.Set("nbf", time.Now().Add(2*time.Minute).Unix())
	},
	"an older iat":       func(t *oidcauthtest.Token) { t.Claims.Set("iat", time.Now().Add(-24*time.Hour).Unix()) },
	"an amr of odd type": func(t *oidcauthtest.Token) { t.Claims.Set("amr", map[string]bool{"pwd": true}) },
	"a long sid":         func(t *oidcauthtest.Token) { t.Claims.Set("sid", strings.Repeat("s", 600)) },
	"another at_hash":    func(t *oidcauthtest.Token) { t.Claims.Set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA") },
	"nothing to read":    func(t *oidcauthtest.Token) { t.Rewrite(func(string) string { return "nonsense" }) },
	"a foreign kid alone": func(t *oidcauthtest.Token) {
		t.Header.Set("kid", "of tomorrow")
		t.Key = oidcauthtest.ForeignKey("RS256")
	},
}

func TestAFlawInARefreshedIDTokenEndsNothing(t *testing.T) {
	for name, bend := range flaws {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				w.provider.Configure(func(s *oidcauthtest.Settings) {
					*s.User = oidcauthtest.User{Subject: "alice", Claims: map[string]any{"name": "Changed", "roles": []string{"admin"}}}
				})
				before := w.user()
				var hint string
				w.provider.BendIDToken(func(tok *oidcauthtest.Token) {
					tok.Claims.Set("acr", "gold")
					tok.Claims.Set("auth_time", time.Now().Unix())
					bend(tok)
				})
				w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { hint = a.Text("id_token") })
				tokens := map[string]bool{}
				for range 5 {
					time.Sleep(11 * time.Minute)
					tokens[w.token("").Token] = true
					require.Equal(t, before, w.user(), "the claims stay the login's")
				}
				require.Len(t, tokens, 5, "the new tokens are kept, the refresh token included")
				require.Empty(t, w.revoked())
				require.Equal(t, 1, strings.Count(w.log.String(), `msg="refreshed ID token not verified"`), "one line a session and hour")
				time.Sleep(22 * time.Minute)
				w.token("")
				require.Equal(t, 2, strings.Count(w.log.String(), `msg="refreshed ID token not verified"`))
				w.browser.Post(app+"/auth/logout", nil)
				require.NotEqual(t, hint, w.provider.Last(oidcauthtest.EndSession).Form.Get("id_token_hint"), "what was not verified is no hint")
				require.NotContains(t, w.log.String(), hint)
			})
		})
	}
}

func TestUnderFAPIAFlawInARefreshedIDTokenEndsTheSession(t *testing.T) {
	for name, bend := range flaws {
		if name == "a foreign kid alone" || name == "a key that is not published yet" {
			bend = func(tok *oidcauthtest.Token) { tok.SignWith(oidcauthtest.ForeignKey("ES256")) }
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFAPIWorld(t)
				w.signIn()
				w.token("?force")
				w.provider.BendIDToken(bend)
				require.Equal(t, http.StatusUnauthorized, w.send(w.cookies(), "/token?force").Code)
				require.Equal(t, http.StatusUnauthorized, w.send(w.cookies(), "/me").Code)
				require.Len(t, w.revoked(), 2, "the new tokens")
			})
		})
	}
}
