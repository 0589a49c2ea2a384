package oidcauth_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func TestATokenIsFreshUntilItsMarginBegins(t *testing.T) {
	for _, c := range []struct {
		name         string
		life, margin time.Duration
	}{
		{"an hour leaves a minute", time.Hour, time.Minute},
		{"ten minutes leave a minute", 10 * time.Minute, time.Minute},
		{"a minute leaves a fifth", time.Minute, 12 * time.Second},
		{"five seconds leave one", 5 * time.Second, time.Second},
		{"two seconds leave a fifth", 2 * time.Second, 400 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t)
				w.provider.Configure(func(s *oidcauthtest.Settings) { s.AccessTokenLifetime = c.life })
				w.signIn()
				cookies := w.cookies()
				time.Sleep(c.life - c.margin - time.Millisecond)
				require.Equal(t, http.StatusOK, w.send(cookies, "/token").Code)
				require.Zero(t, w.refreshes())
				time.Sleep(c.margin/10 + 2*time.Millisecond)
				require.Equal(t, http.StatusOK, w.send(cookies, "/token").Code)
				require.Equal(t, 1, w.refreshes())
			})
		})
	}
}

func TestExpiresInIsReadLenientlyAndBelievedWithinReason(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name  string
		value any // of expires_in; nil leaves it out
		life  time.Duration
	}{
		{"missing means an hour", nil, time.Hour},
		{"zero is expired", 0, 0},
		{"negative is expired", -5, 0},
		{"a string counts", "600", 10 * time.Minute},
		{"a fraction counts", 90.5, 90500 * time.Millisecond},
		{"an absurd number is capped", 1e15, 30 * day},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t)
				w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) {
					a.Delete("expires_in")
					if c.value != nil {
						a.Set("expires_in", c.value)
					}
				})
				began := time.Now()
				w.signIn()
				reply := w.token("")
				require.Equal(t, c.life, reply.Expiry.Sub(began))
				if c.life > 0 {
					require.Zero(t, w.refreshes())
				} else {
					require.Equal(t, 1, w.refreshes(), "an expired token is refreshed, and what comes is handed on")
				}
			})
		})
	}
}

func TestTokensNeedALogin(t *testing.T) {
	w := newTokenWorld(t)
	for name, ctx := range map[string]context.Context{
		"no session":          t.Context(),
		"a user in a test":    oidcauth.WithUser(t.Context(), &oidcauth.User{Issuer: oidcauthtest.DefaultIssuer, Subject: "alice"}),
		"a user of elsewhere": oidcauth.WithUser(t.Context(), &oidcauth.User{Issuer: "https://other.example", Subject: "alice"}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.auth.TokenSource(ctx).Token()
			require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
			_, err = w.auth.Client(ctx).Get(oidcauthtest.DefaultIssuer + "/api")
			require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
		})
	}
	require.Equal(t, http.StatusUnauthorized, w.send("", "/token").Code)
	require.Equal(t, http.StatusUnauthorized, w.send("__Host-session=garbage", "/token").Code)
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint, oidcauthtest.API))
}

func TestWithoutARefreshTokenAnAccessTokenServesUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, func(c *oidcauth.Config) { c.Scopes = []string{"profile"} })
		w.signIn()
		time.Sleep(9*time.Minute + 55*time.Second)
		require.NotEmpty(t, w.token("").Token)
		time.Sleep(10 * time.Second)
		answer := w.send(w.cookies(), "/token")
		require.Equal(t, http.StatusUnauthorized, answer.Code)
		require.Contains(t, answer.Body.String(), "no refresh token")
		require.Equal(t, http.StatusUnauthorized, w.send(w.cookies(), "/token?force").Code)
		require.Zero(t, w.refreshes())
		require.Equal(t, "alice", w.user().Subject, "who is signed in without tokens stays so")
	})
}

func TestARefreshAnswerWithoutTokensKeepsTheOldOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.provider.Configure(func(s *oidcauthtest.Settings) { s.StaticRefreshTokens = true })
		w.signIn()
		w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Delete("id_token", "refresh_token") })
		for i := range 3 {
			time.Sleep(11 * time.Minute)
			w.token("")
			require.Equal(t, i+1, w.refreshes())
		}
		require.Equal(t, "Alice Adams", w.user().Name)
	})
}

func TestResourcesAndScopesAreKeptApart(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		own := w.token("").Token
		a := w.token("?resource=https://a.example").Token
		b := w.token("?resource=https://b.example").Token
		email := w.token("?scope=email").Token
		require.Len(t, map[string]bool{own: true, a: true, b: true, email: true}, 4)
		require.Equal(t, own, w.token("").Token)
		require.Equal(t, a, w.token("?resource=https://a.example").Token)
		require.Equal(t, b, w.token("?resource=https://b.example").Token)
		require.Equal(t, email, w.token("?scope=email").Token)
		require.Equal(t, 3, w.refreshes())
	})
}

func TestOptionsAreChecked(t *testing.T) {
	w := newTokenWorld(t)
	w.signIn()
	for _, query := range []string{"?resource=not-absolute", "?resource=https://a.example/%23part", "?scope=%22quoted%22"} {
		require.Equal(t, http.StatusInternalServerError, w.send(w.cookies(), "/token"+query).Code, query)
	}
	require.Zero(t, w.refreshes())
}

func TestASessionThatIsTooLargeKeepsTheRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, func(c *oidcauth.Config) { c.Session.MaxChunks = 1 })
		w.signIn()
		w.provider.BendAccessToken(func(token *oidcauthtest.Token) {
			token.Rewrite(func(compact string) string { return compact + "." + incompressible(1200) })
		})
		for i, query := range []string{"?resource=https://a.example", "?resource=https://b.example", "?resource=https://c.example", ""} {
			require.NotEmpty(t, w.token(query).Token, i)
			before := w.refreshes()
			require.NotEmpty(t, w.token(query).Token, i)
			require.Equal(t, before, w.refreshes(), "the newest access token is the last to go")
		}
		time.Sleep(11 * time.Minute)
		require.NotEmpty(t, w.token("").Token)
		require.Equal(t, "alice", w.user().Subject)
		require.Contains(t, w.log.String(), "session too large for its access tokens")
	})
}

func TestForcedRefreshesAtOnceShareOne(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		before := w.token("").Token
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		for _, answer := range w.sendAll(20, w.cookies(), "/token?force") {
			require.Equal(t, http.StatusOK, answer.Code, answer.Body)
			require.NotEqual(t, before, replyOf(t, answer.Body.String()).Token)
		}
		require.Equal(t, 1, w.refreshes())
		w.token("?force")
		require.Equal(t, 1+1, w.refreshes())
		w.token("?force")
		require.Equal(t, 3, w.refreshes())
	})
}

func TestARefreshUpdatesUserAndRoles(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		before := w.user()
		time.Sleep(11 * time.Minute)
		w.provider.Configure(func(s *oidcauthtest.Settings) {
			*s.User = oidcauthtest.User{Subject: "alice", Claims: map[string]any{"name": "Alice Brown", "roles": []string{"admin"}}}
		})
		require.NotEmpty(t, w.token("").Token)
		u := w.user()
		require.Equal(t, "Alice Brown", u.Name)
		require.Equal(t, []string{"admin"}, u.Roles)
		require.Equal(t, before.AuthTime, u.AuthTime, "a refresh freshens nothing")
		require.Equal(t, before.LoginTime, u.LoginTime)
		require.Equal(t, before.SessionID, u.SessionID)
	})
}

func TestRolesThatTheApplicationChoseStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, func(c *oidcauth.Config) {
			c.Hooks.Login = func(_ context.Context, u *oidcauth.User) error {
				u.Roles, u.Name = []string{"chosen"}, "Chosen"
				return nil
			}
		})
		w.signIn()
		time.Sleep(11 * time.Minute)
		w.token("")
		require.Equal(t, []string{"chosen"}, w.user().Roles)
		require.Equal(t, "Chosen", w.user().Name)
	})
}

func TestTheNewestIDTokenIsTheHintAtLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.signIn()
		var newest string
		w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { newest = a.Text("id_token") })
		time.Sleep(11 * time.Minute)
		w.token("")
		w.browser.Post(app+"/auth/logout", nil)
		require.Equal(t, newest, w.provider.Last(oidcauthtest.EndSession).Form.Get("id_token_hint"))
	})
}

func TestARefreshedIDTokenMayLackTheNonceAndALaterOneIsStillCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.signIn()
		w.provider.BendIDToken(func(token *oidcauthtest.Token) { token.Claims.Delete("nonce") })
		time.Sleep(11 * time.Minute)
		w.token("")
		w.provider.BendIDToken(nil)
		time.Sleep(11 * time.Minute)
		w.token("")
		w.provider.BendIDToken(func(token *oidcauthtest.Token) { token.Claims.Set("nonce", "another") })
		time.Sleep(11 * time.Minute)
		require.Equal(t, http.StatusUnauthorized, w.send(w.cookies(), "/token").Code)
	})
}

func TestHooksAndLogSeeEachRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []error
		w := newTokenWorld(t, func(c *oidcauth.Config) {
			c.Hooks.Refresh = func(_ context.Context, u *oidcauth.User, err error) {
				if u.Subject != "alice" {
					err = errors.New("the hook got another user")
				}
				told = append(told, err)
			}
		})
		w.signIn()
		time.Sleep(11 * time.Minute)
		w.token("")
		require.Equal(t, []error{nil}, told)
		require.Contains(t, w.log.String(), `msg="token refreshed"`)
		w.provider.RevokeTokens("")
		time.Sleep(11 * time.Minute)
		require.Equal(t, http.StatusUnauthorized, w.send(w.cookies(), "/token").Code)
		require.Len(t, told, 2)
		require.ErrorIs(t, told[1], oidcauth.ErrLoginRequired)
		require.Contains(t, w.log.String(), `msg="token refresh failed"`)
		for _, r := range w.provider.Requests(oidcauthtest.TokenEndpoint) {
			if token := r.Form.Get("refresh_token"); token != "" {
				require.NotContains(t, w.log.String(), token)
			}
		}
	})
}

func TestAPanicInAHookStopsNoOtherRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, func(c *oidcauth.Config) {
			c.Hooks.Refresh = func(context.Context, *oidcauth.User, error) { panic("in the hook") }
		})
		w.signIn()
		time.Sleep(11 * time.Minute)
		require.Equal(t, http.StatusInternalServerError, w.send(w.cookies(), "/token").Code)
		require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code, "the tokens were kept before")
		require.Contains(t, w.log.String(), "panic recovered")
	})
}
