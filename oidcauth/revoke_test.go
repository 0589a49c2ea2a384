package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// revoked returns the tokens that the provider was told of, with their hints.
func (w *world) revoked() map[string]string {
	tokens := map[string]string{}
	for _, r := range w.provider.Requests(oidcauthtest.Revocation) {
		tokens[r.Form.Get("token")] = r.Form.Get("token_type_hint")
	}
	return tokens
}

func (w *world) postLogout(cookies string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, app+"/auth/logout", nil)
	r.Header.Set("Cookie", cookies)
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	return answer
}

func TestLogoutRevokesEveryTokenOfTheSession(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		var refresh string
		w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { refresh = a.Text("refresh_token") })
		other := w.token("?resource=https://a.example").Token
		time.Sleep(time.Second)
		own := w.token("").Token
		require.Equal(t, http.StatusSeeOther, w.postLogout(w.cookies()).Code)
		require.Equal(t, map[string]string{own: "access_token", other: "access_token", refresh: "refresh_token"}, w.revoked())
	})
}

func TestLogoutGoesOnWhenRevocationFails(t *testing.T) {
	for name, outage := range map[string]oidcauthtest.Middleware{
		"503": oidcauthtest.Reply(503, "text/plain", ""), "hangs": oidcauthtest.Hang(nil), "drops": oidcauthtest.Drop(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t)
				w.signIn()
				cookies := w.cookies()
				w.provider.Intercept(oidcauthtest.Revocation, outage)
				began := time.Now()
				require.Equal(t, http.StatusSeeOther, w.postLogout(cookies).Code)
				require.LessOrEqual(t, time.Since(began), 3*time.Second)
				require.Equal(t, http.StatusUnauthorized, w.send(cookies, "/me").Code)
				require.Contains(t, w.log.String(), "token not revoked")
			})
		})
	}
}

func TestTokensAreLeftAloneWhereTheConfigurationSaysSo(t *testing.T) {
	w := newTokenWorld(t, func(c *oidcauth.Config) { c.KeepTokensAtLogout = true })
	w.signIn()
	require.Equal(t, http.StatusSeeOther, w.postLogout(w.cookies()).Code)
	require.Empty(t, w.revoked())
}

func TestAProviderWithoutARevocationEndpointIsNotAsked(t *testing.T) {
	w := newTokenWorld(t)
	w.provider.BendMetadata(func(o *oidcauthtest.Object) { o.Delete("revocation_endpoint") })
	w.signIn()
	require.Equal(t, http.StatusSeeOther, w.postLogout(w.cookies()).Code)
	require.Empty(t, w.revoked())
	require.NotContains(t, w.log.String(), "token not revoked")
}

func TestALoginRevokesTheTokensOfAnotherUser(t *testing.T) {
	for name, subject := range map[string]string{"another user": "bob", "the same user": "alice"} {
		t.Run(name, func(t *testing.T) {
			w := newTokenWorld(t)
			w.signIn()
			before := w.token("").Token
			w.provider.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: subject} })
			require.Equal(t, http.StatusOK, w.browser.Get(app+"/auth/login?return_to=/me").Status)
			require.Equal(t, subject, w.user().Subject)
			_, ended := w.revoked()[before]
			require.Equal(t, subject != "alice", ended)
		})
	}
}

// A refresh that lands between the loading of the session by the logout's request and its end.
func TestALogoutRevokesTheNewestTokens(t *testing.T) {
	w := newTokenWorld(t)
	w.signIn()
	old := w.cookies()
	var newest string
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { newest = a.Text("refresh_token") })
	// The application's own sign-out button: a guard, something slow, and Logout.
	w.mux.Handle("POST /bye", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		require.NotNil(t, oidcauth.UserFrom(r.Context()))
		require.Equal(t, http.StatusOK, w.send(old, "/token?force").Code)
		w.auth.Logout(rw, r)
	})))
	r := httptest.NewRequest(http.MethodPost, app+"/bye", nil)
	r.Header.Set("Cookie", old)
	w.mux.ServeHTTP(httptest.NewRecorder(), r)
	require.NotEmpty(t, newest)
	revoked := []string{}
	for _, request := range w.provider.Requests(oidcauthtest.Revocation) {
		revoked = append(revoked, request.Form.Get("token"))
	}
	require.Contains(t, revoked, newest, "the newest refresh token lives on at the provider")
}

// "Sign me out everywhere" revokes the sessions first, this one too: what it held is still revoked at the provider.
func TestALogoutRevokesTheTokensOfASessionThatJustEnded(t *testing.T) {
	w := newTokenWorld(t)
	w.mux.Handle("/everywhere", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		require.NoError(t, w.auth.Sessions().Revoke(r.Context(), oidcauth.UserFrom(r.Context()).Tag()))
		w.auth.Logout(rw, r)
	})))
	w.signIn()
	answer := w.send(w.cookies(), "/everywhere")
	require.Contains(t, answer.Header().Get("Location"), "id_token_hint=")
	require.Len(t, w.revoked(), 2, "refresh and access token")
}
