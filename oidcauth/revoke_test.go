package oidcauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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

// Alice's other tab refreshes while Hooks.Login takes its time over Bob.
func TestALoginRevokesTheNewestTokensOfAnotherUser(t *testing.T) {
	var w *world
	var alices, newest string
	w = newTokenWorld(t, func(c *oidcauth.Config) {
		c.Hooks.Login = func(_ context.Context, u *oidcauth.User) error {
			if u.Subject == "bob" {
				w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { newest = a.Text("refresh_token") })
				require.Equal(t, http.StatusOK, w.send(alices, "/token?force").Code)
			}
			return nil
		}
	})
	w.signIn()
	alices = w.cookies()
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: "bob"} })
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/auth/login?return_to=/me").Status)
	require.Equal(t, "bob", w.user().Subject)
	require.NotEmpty(t, newest)
	require.Contains(t, w.revoked(), newest, "nobody has it any more, and it lives on at the provider")
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

// Some providers answer 200 with an error for a token that they don't know, which is what a revocation wants.
func TestA200OfTheRevocationEndpointIsASuccessWhateverItSays(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": "", "an error": `{"error":"invalid_token"}`, "text": "gone", "half of an object": `{"a":`,
		"two megabytes": strings.Repeat("x", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			w := newTokenWorld(t)
			w.signIn()
			w.provider.Intercept(oidcauthtest.Revocation, oidcauthtest.Reply(http.StatusOK, "application/json", body))
			require.Equal(t, http.StatusSeeOther, w.postLogout(w.cookies()).Code)
			require.Len(t, w.revoked(), 2)
			require.NotContains(t, w.log.String(), "token not revoked")
		})
	}
}

func TestAnErrorOfTheRevocationEndpointIsAFailure(t *testing.T) {
	for name, status := range map[string]int{"400": 400, "401": 401, "403": 403, "503": 503, "a redirect": 302} {
		t.Run(name, func(t *testing.T) {
			w := newTokenWorld(t)
			w.signIn()
			w.provider.Intercept(oidcauthtest.Revocation, oidcauthtest.Reply(status, "application/json", `{"error":"invalid_request"}`))
			require.Equal(t, http.StatusSeeOther, w.postLogout(w.cookies()).Code)
			require.Equal(t, 2, strings.Count(w.log.String(), `level=WARN msg="token not revoked"`))
		})
	}
}

// A provider may take the access tokens with the refresh token, and then not know them any more.
func TestAnAccessTokenThatWentWithItsRefreshTokenIsNoFailure(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		isRefresh := func(r *http.Request) bool { return r.PostFormValue("token_type_hint") == "refresh_token" }
		unknown := oidcauthtest.OAuthError(http.StatusBadRequest, "invalid_request")
		w.provider.Intercept(oidcauthtest.Revocation, oidcauthtest.When(func(r *http.Request) bool { return !isRefresh(r) }, unknown))
		require.Equal(t, http.StatusSeeOther, w.postLogout(w.cookies()).Code)
		sent := w.provider.Requests(oidcauthtest.Revocation)
		require.Len(t, sent, 2)
		require.Equal(t, "refresh_token", sent[0].Form.Get("token_type_hint"), "it comes first")
		require.NotContains(t, w.log.String(), `level=WARN msg="token not revoked"`)

		time.Sleep(time.Second)
		w.browser.ClearCookies()
		w.signIn()
		w.provider.Intercept(oidcauthtest.Revocation, unknown)
		w.postLogout(w.cookies())
		require.Equal(t, 2, strings.Count(w.log.String(), `level=WARN msg="token not revoked"`), "nothing was taken back: both are failures")
	})
}

func TestTokensAreNotSentWhereTheEndpointTakesNoClientLikeUs(t *testing.T) {
	for name, row := range map[string]struct {
		listed any
		sent   int
	}{
		"no list":             {nil, 2},
		"an empty list":       {[]string{}, 2},
		"a list with ours":    {[]string{"private_key_jwt", "client_secret_basic"}, 2},
		"a list without ours": {[]string{"private_key_jwt", "client_secret_post"}, 0},
		"a list of none":      {[]string{"none"}, 0},
		"a text for a list":   {"client_secret_post", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTokenWorld(t)
			w.provider.BendMetadata(func(doc *oidcauthtest.Object) {
				if row.listed != nil {
					doc.Set("revocation_endpoint_auth_methods_supported", row.listed)
				}
			})
			w.signIn()
			require.Equal(t, http.StatusSeeOther, w.postLogout(w.cookies()).Code)
			require.Len(t, w.revoked(), row.sent)
			require.NotContains(t, w.log.String(), "token not revoked")
			lines := strings.Count(w.log.String(), `level=INFO msg="tokens left to expire"`)
			require.Equal(t, row.sent == 0, lines == 1, "one line, and only where nothing was sent")
		})
	}
}

func TestRevocationsOfBoundTokensProveTheirKey(t *testing.T) {
	for name, mode := range modes {
		for _, nonces := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, nonces %v", name, nonces), func(t *testing.T) {
				w := newDPoPWorld(t, nonces, mode)
				w.signIn()
				key := w.thumbprints(oidcauthtest.TokenEndpoint)
				require.Len(t, key, 1)
				// As Keycloak's policy for bound tokens does.
				refused := oidcauthtest.OAuthError(http.StatusBadRequest, "invalid_request")
				w.provider.Intercept(oidcauthtest.Revocation,
					oidcauthtest.When(func(r *http.Request) bool { return r.Header.Get("DPoP") == "" }, refused))
				require.Equal(t, http.StatusSeeOther, w.postLogout(w.cookies()).Code)
				require.Equal(t, key, w.thumbprints(oidcauthtest.Revocation), "the key of the session")
				for _, r := range w.provider.Requests(oidcauthtest.Revocation) {
					_, claims := proofOf(t, &http.Request{Header: r.Header})
					require.Equal(t, "POST", claims["htm"])
					require.Equal(t, w.provider.URL(oidcauthtest.Revocation), claims["htu"])
					require.NotContains(t, claims, "ath", "no access token is presented")
				}
				require.NotContains(t, w.log.String(), "token not revoked")
			})
		}
	}
}

// The nonce that the server asks for is in the proof of the second try.
func TestARevocationIsSentOnceMoreForANonce(t *testing.T) {
	w := newDPoPWorld(t, false)
	w.signIn()
	w.provider.Intercept(oidcauthtest.Revocation, oidcauthtest.Times(1, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("DPoP-Nonce", "fresh")
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(http.StatusBadRequest)
			_, _ = rw.Write([]byte(`{"error":"use_dpop_nonce"}`))
		})
	}))
	w.postLogout(w.cookies())
	sent := w.provider.Requests(oidcauthtest.Revocation)
	require.Len(t, sent, 3)
	_, claims := proofOf(t, &http.Request{Header: sent[1].Header})
	require.Equal(t, "fresh", claims["nonce"])
	require.Equal(t, sent[0].Form.Get("token"), sent[1].Form.Get("token"))
	require.NotContains(t, w.log.String(), "token not revoked")
}
