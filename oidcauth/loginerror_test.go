package oidcauth_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// An application's ErrorHandler tells by errors.As what the provider's answer lacked.
func TestARefusedAnswerIsALoginError(t *testing.T) {
	idToken := func(claims m) func(*world) { return func(w *world) { w.provider.BendIDToken(told(claims)) } }
	reply := func(e oidcauthtest.Endpoint, answer oidcauthtest.Middleware) func(*world) {
		return func(w *world) { w.provider.Intercept(e, answer) }
	}
	for _, row := range []struct {
		name  string
		bend  func(*world)
		codes []string // that the LoginError has; none where it is no LoginError
	}{
		{"an ID token for another client", idToken(m{"aud": "another"}), []string{"invalid_id_token"}},
		{"an ID token of another login", idToken(m{"nonce": "another"}), []string{"invalid_id_token"}},
		{"userinfo about somebody else", func(w *world) { w.provider.BendUserInfo(told(m{"sub": "bob"})) }, []string{"invalid_userinfo"}},
		{"userinfo that is refused", reply(oidcauthtest.UserInfo, oidcauthtest.Reply(403, "text/plain", "no")), []string{"invalid_userinfo"}},
		{"a code that is refused", reply(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(400, "invalid_grant")), []string{"invalid_grant"}},
		{"a client that is refused", reply(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(401, "invalid_client")), []string{"invalid_client"}},
		{"a page in place of tokens", reply(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(200, "text/html", "<html>")), []string{"invalid_token_answer"}},
		{"a token endpoint that is broken", reply(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(500, "text/plain", "oops")), nil},
		{"userinfo that is broken", reply(oidcauthtest.UserInfo, oidcauthtest.Reply(503, "text/plain", "oops")), nil},
		{"keys that can't be had", reply(oidcauthtest.JWKS, oidcauthtest.Reply(500, "text/plain", "oops")), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			var seen error
			w := newWorld(t, func(c *oidcauth.Config) {
				c.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
					seen = err
					w.WriteHeader(http.StatusTeapot)
				}
			})
			row.bend(w)
			require.Equal(t, http.StatusTeapot, w.browser.Get(app+"/me").Status)
			var codes []string
			if refused, ok := errors.AsType[*oidcauth.LoginError](seen); ok {
				codes = append(codes, refused.Code)
			}
			require.Equal(t, row.codes, codes, "%v", seen)
		})
	}
}
