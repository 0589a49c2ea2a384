package oidcauth_test

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// silences are refusals without a word, as Glewlwyd gives for every dead refresh token.
var silences = map[string]oidcauthtest.Middleware{
	"400 and nothing":          oidcauthtest.Reply(400, "", ""),
	"400 and white space":      oidcauthtest.Reply(400, "application/json", " \n"),
	"400 and an empty object":  oidcauthtest.Reply(400, "application/json", "{}"),
	"400 and an empty error":   oidcauthtest.Reply(400, "application/json", `{"error":""}`),
	"400 and an error of ours": oidcauthtest.Reply(400, "application/json", `{"error":{"id":7}}`),
	"400 and other words":      oidcauthtest.Reply(400, "application/json", `{"message":"no"}`),
	"400 and null":             oidcauthtest.Reply(400, "application/json", "null"),
	"400 and a list":           oidcauthtest.Reply(400, "application/problem+json", `[{"code":"no"}]`),
	"400 and its own name":     oidcauthtest.Reply(400, "application/json", `{"status":400,"error":"Bad Request","path":"/token"}`),
	"400 and half an object":   oidcauthtest.Reply(400, "application/json", `{"message":`),
}

// useless are answers of a token endpoint that has issued tokens, which can't be used.
var useless = map[string]oidcauthtest.Middleware{
	"a foreign token type":     oidcauthtest.Reply(200, "application/json", `{"access_token":"x","token_type":"mac","refresh_token":"y"}`),
	"no access token":          oidcauthtest.Reply(200, "application/json", `{"token_type":"Bearer","refresh_token":"y"}`),
	"an access token in parts": oidcauthtest.Reply(200, "application/json", `{"access_token":"x y","token_type":"Bearer"}`),
	"expires_in in words":      oidcauthtest.Reply(200, "application/json", `{"access_token":"x","token_type":"Bearer","expires_in":"soon"}`),
	"half an object":           oidcauthtest.Reply(200, "application/json", `{"access_token":"x","token_type":"Bea`),
	"a member twice":           oidcauthtest.Reply(200, "application/json", `{"access_token":"x","access_token":"y","token_type":"Bearer"}`),
	"a list":                   oidcauthtest.Reply(200, "application/json", `[]`),
	"nothing":                  oidcauthtest.Reply(200, "application/json", ""),
}

// sentRefreshTokens lists the refresh tokens of all refreshes, in their order.
func (w *world) sentRefreshTokens() (tokens []string) {
	for _, r := range w.provider.Requests(oidcauthtest.TokenEndpoint) {
		if token := r.Form.Get("refresh_token"); token != "" {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// requireDead asserts that a new login is asked for and the refresh token was sent so often, and is not again.
func (w *world) requireDead(cookies string, sent int) {
	w.Helper()
	for range 3 {
		require.Equal(w, http.StatusUnauthorized, w.send(cookies, "/token").Code)
		require.Equal(w, http.StatusUnauthorized, w.send(cookies, "/me").Code)
		time.Sleep(time.Minute)
	}
	tokens := w.sentRefreshTokens()
	require.Len(w, tokens, sent)
	require.Len(w, slices.Compact(tokens), 1, "the same one")
}

func TestTheSecondSilentRefusalAsksForANewLogin(t *testing.T) {
	for name, silence := range silences {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				old := w.cookies()
				time.Sleep(11 * time.Minute)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, silence)
				for range 4 {
					answer := w.send(old, "/token")
					require.Equal(t, http.StatusServiceUnavailable, answer.Code, answer.Body)
					require.Equal(t, http.StatusOK, w.send(old, "/me").Code)
					time.Sleep(1200 * time.Millisecond)
				}
				require.Equal(t, 1, w.refreshes(), "nothing is sent for five seconds")
				time.Sleep(time.Second)
				w.requireDead(old, 2)
			})
		})
	}
}

func TestASilentRefusalInAnOutageIsNone(t *testing.T) {
	for name, silence := range silences {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t)
				w.signIn()
				time.Sleep(11 * time.Minute)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, silence)
				w.provider.Intercept(oidcauthtest.Discovery, oidcauthtest.Reply(400, "", ""))
				for range 20 {
					require.Equal(t, http.StatusServiceUnavailable, w.send(w.cookies(), "/token").Code)
					time.Sleep(time.Minute)
				}
				require.Equal(t, 20, w.refreshes())
				w.provider.Intercept(oidcauthtest.TokenEndpoint)
				require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code)
			})
		})
	}
}

// What the provider did for somebody else, between the two refusals, tells that it works.
func TestASilentRefusalIsBelievedWhenAnotherCallSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.signIn()
		old := w.cookies()
		time.Sleep(11 * time.Minute)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, silences["400 and nothing"])
		require.Equal(t, http.StatusServiceUnavailable, w.send(old, "/token").Code)
		w.provider.Intercept(oidcauthtest.TokenEndpoint)
		w.browser.ClearCookies()
		time.Sleep(time.Second)
		w.signIn()
		w.provider.Intercept(oidcauthtest.TokenEndpoint, silences["400 and nothing"])
		fetched := w.provider.Count(oidcauthtest.Discovery)
		time.Sleep(6 * time.Second)
		w.requireDead(old, 2)
		require.Equal(t, fetched, w.provider.Count(oidcauthtest.Discovery), "nobody has to be asked")
	})
}

func TestAnotherAnswerTakesASilentRefusalBack(t *testing.T) {
	for name, other := range map[string]oidcauthtest.Middleware{
		"tokens":  nil,
		"a 503":   oidcauthtest.Reply(503, "", ""),
		"a page":  oidcauthtest.Reply(400, "text/html", "<h1>Bad</h1>"),
		"no word": oidcauthtest.Drop(),
	} {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				w.provider.Configure(func(s *oidcauthtest.Settings) { s.StaticRefreshTokens = true })
				answers := func(m oidcauthtest.Middleware) {
					if m == nil {
						w.provider.Intercept(oidcauthtest.TokenEndpoint)
						return
					}
					w.provider.Intercept(oidcauthtest.TokenEndpoint, m)
				}
				for _, next := range []oidcauthtest.Middleware{silences["400 and nothing"], other, silences["400 and nothing"], other} {
					time.Sleep(11 * time.Minute)
					answers(next)
					w.browser.NewTab().Get(app + "/token")
				}
				answers(nil)
				time.Sleep(11 * time.Minute)
				require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code)
			})
		})
	}
}

func TestPagesAndTextsAreNoRefusals(t *testing.T) {
	for name, page := range map[string]oidcauthtest.Middleware{
		"400 and a page":             oidcauthtest.Reply(400, "text/html", "<h1>Bad</h1>"),
		"400 and a text":             oidcauthtest.Reply(400, "text/plain", "bad gateway"),
		"400 and a page called JSON": oidcauthtest.Reply(400, "application/json", "<html>"),
		"404 and nothing":            oidcauthtest.Reply(404, "", ""),
		"404 of a framework":         oidcauthtest.Reply(404, "application/json", `{"status":404,"error":"Not Found","path":"/token"}`),
		"404 of a provider's router": oidcauthtest.Reply(404, "application/json", `{"error":"Realm does not exist"}`),
		"405 of a framework":         oidcauthtest.Reply(405, "application/json", `{"error":"method_not_allowed"}`),
		"415 of a framework":         oidcauthtest.Reply(415, "application/json", `{"error":"Unsupported Media Type"}`),
		"402 of a gateway":           oidcauthtest.Reply(402, "application/json", `{"error":"quota_exceeded"}`),
		"200 and a page":             oidcauthtest.Reply(200, "text/html", "<h1>Hello</h1>"),
		"200 and a text":             oidcauthtest.Reply(200, "text/plain", "OK"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t)
				w.signIn()
				time.Sleep(11 * time.Minute)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, page)
				for range 10 {
					require.Equal(t, http.StatusServiceUnavailable, w.send(w.cookies(), "/token").Code)
					time.Sleep(2 * time.Minute)
				}
				w.provider.Intercept(oidcauthtest.TokenEndpoint)
				require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code)
			})
		})
	}
}

func TestAfterAUselessAnswerTheSameRefreshTokenIsSentOnceMore(t *testing.T) {
	for name, answer := range useless {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				old := w.cookies()
				time.Sleep(11 * time.Minute)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, answer)
				for range 5 {
					require.Equal(t, http.StatusServiceUnavailable, w.send(old, "/token").Code)
				}
				require.Equal(t, 1, w.refreshes(), "not before the back-off is over")
				time.Sleep(2 * time.Second)
				w.requireDead(old, 2)
			})
		})
	}
}

func TestAfterAUselessAnswerTheNextOneCounts(t *testing.T) {
	for name, answer := range useless {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				time.Sleep(11 * time.Minute)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, answer)
				require.Equal(t, http.StatusServiceUnavailable, w.send(w.cookies(), "/token").Code)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(503, "", ""))
				time.Sleep(2 * time.Second)
				require.Equal(t, http.StatusServiceUnavailable, w.send(w.cookies(), "/token").Code, "an outage decides nothing")
				w.provider.Intercept(oidcauthtest.TokenEndpoint)
				time.Sleep(2 * time.Minute)
				require.NotEmpty(t, w.token("").Token)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, answer)
				time.Sleep(11 * time.Minute)
				require.Equal(t, http.StatusServiceUnavailable, w.send(w.cookies(), "/token").Code, "of the new refresh token it is the first")
			})
		})
	}
}

// Such an answer may be meant for the resource that was asked for.
func TestAnswersAboutAnExtraLeaveTheRefreshTokenOutOfDoubt(t *testing.T) {
	for name, answer := range map[string]oidcauthtest.Middleware{"silent": silences["400 and nothing"], "useless": useless["no access token"]} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t)
				w.signIn()
				w.provider.Intercept(oidcauthtest.TokenEndpoint, answer)
				for range 3 {
					require.Equal(t, http.StatusServiceUnavailable, w.send(w.cookies(), "/token?resource=https://a.example").Code)
					time.Sleep(time.Minute)
				}
				require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code)
				require.Equal(t, 3, w.refreshes())
			})
		})
	}
}

func TestRetryAfterIsBounded(t *testing.T) {
	for name, status := range map[string]int{"429": 429, "503": 503, "401": 401} {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				time.Sleep(11 * time.Minute)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.SetHeader("Retry-After", "3600"), oidcauthtest.Reply(status, "text/plain", ""))
				answer := w.send(w.cookies(), "/token")
				require.Equal(t, http.StatusServiceUnavailable, answer.Code)
				require.Equal(t, "1m0s", answer.Header().Get("Retry-After"))
				w.provider.Intercept(oidcauthtest.TokenEndpoint)
				time.Sleep(58 * time.Second)
				require.Equal(t, http.StatusServiceUnavailable, w.send(w.cookies(), "/token").Code)
				time.Sleep(2 * time.Second)
				require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code)
			})
		})
	}
}

func TestRetryAfterIsAtLeastASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.signIn()
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(500, "text/plain", ""))
		for range 40 {
			answer := w.send(w.cookies(), "/token?force")
			require.Equal(t, http.StatusServiceUnavailable, answer.Code)
			wait, err := time.ParseDuration(answer.Header().Get("Retry-After"))
			require.NoError(t, err)
			require.GreaterOrEqual(t, wait, time.Second)
			time.Sleep(130 * time.Millisecond)
		}
	})
}
