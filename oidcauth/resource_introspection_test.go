package oidcauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// tells has the issuer say this of every token, and of which one that is, by its name in sub.
func (w *ordersWorld) tells(members map[string]any) (asked *atomic.Int32) {
	asked = new(atomic.Int32)
	w.provider.Intercept(oidcauthtest.Introspection, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			answer := oidcauthtest.NewObject(map[string]any{"active": true, "iss": w.provider.Issuer(), "aud": ordersAPI, "sub": r.PostFormValue("token"), "client_id": "spa", "scope": "read"})
			for name, value := range members {
				if answer.Delete(name); value != nil {
					answer.Set(name, value)
				}
			}
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write(answer.Bytes())
		})
	})
	return asked
}

func TestOpaqueTokensAreAskedAbout(t *testing.T) {
	w := newOrdersWorld(t, introspecting)
	asked := w.tells(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
	c := w.caller(w.bearer("opaque"))
	require.Equal(t, "opaque", c.Subject)
	require.Equal(t, w.provider.Issuer(), c.Issuer)
	require.Equal(t, []string{"read"}, c.Scopes)
	require.Equal(t, "v4.public.abc", w.caller(w.bearer("v4.public.abc")).Subject, "three parts make no JWT")
	w.caller(w.bearer("opaque"))
	require.EqualValues(t, 2, asked.Load())
	request := w.provider.Last(oidcauthtest.Introspection)
	require.Equal(t, "access_token", request.Form.Get("token_type_hint"))
	id, secret, _ := (&http.Request{Header: request.Header}).BasicAuth()
	require.Equal(t, "app app-secret", id+" "+secret)
}

func TestNobodyIsAskedAboutAJWT(t *testing.T) {
	w := newOrdersWorld(t, introspecting)
	asked := w.tells(nil)
	w.caller(w.bearer(w.token()))
	for _, bend := range []tokenBend{claim("aud", "x"), claim("iss", "x"), (*oidcauthtest.Token).FlipSignature, func(tok *oidcauthtest.Token) { tok.Unsign("none") }} {
		requireTokenRefused(t, w.bearer(w.token(bend)), http.StatusUnauthorized, "invalid_token")
	}
	require.Zero(t, asked.Load())
}

func TestWithoutIntrospectionOpaqueTokensAreRefused(t *testing.T) {
	w := newOrdersWorld(t)
	requireTokenRefused(t, w.bearer("opaque"), http.StatusUnauthorized, "invalid_token")
	require.Empty(t, w.provider.Requests())
}

func TestAnswersAboutOtherTokensAreRefused(t *testing.T) {
	now := time.Now()
	for name, members := range map[string]map[string]any{
		"not active":                      {"active": false},
		"for another audience":            {"aud": "https://other.example"},
		"for others in a list":            {"aud": []string{"a", "b"}},
		"for nobody":                      {"aud": nil},
		"of another issuer":               {"iss": "https://evil.example"},
		"of an issuer in a list":          {"iss": []string{oidcauthtest.DefaultIssuer}},
		"expired":                         {"exp": now.Add(-time.Second).Unix()},
		"with an end in a text":           {"exp": "tomorrow"},
		"not valid yet":                   {"nbf": now.Add(time.Hour).Unix()},
		"of a refresh token, as Keycloak": {"typ": "Refresh"},
		"of a refresh token, as Hydra":    {"token_use": "refresh_token"},
		"of a refresh token by its type":  {"token_type": "refresh_token"},
		"of an ID token":                  {"nonce": "n"},
		"bound to what nobody knows":      {"cnf": map[string]string{"kid": "k"}},
		"of DPoP, and not to which key":   {"token_type": "DPoP"},
		"with a sub that is a number":     {"sub": 7},
	} {
		t.Run(name, func(t *testing.T) {
			w := newOrdersWorld(t, introspecting)
			w.tells(nil)
			w.caller(w.bearer("control"))
			w.tells(members)
			requireTokenRefused(t, w.bearer("opaque"), http.StatusUnauthorized, "invalid_token")
		})
	}
}

// What can't be understood is no verdict: neither on the token, nor on who sent it.
func TestWithoutAnAnswerNobodyKnows(t *testing.T) {
	json := func(status int, body string) oidcauthtest.Middleware {
		return oidcauthtest.Reply(status, "application/json", body)
	}
	for name, bend := range map[string]oidcauthtest.Middleware{
		"500":                     json(500, "{}"),
		"429":                     json(429, "{}"),
		"a page":                  oidcauthtest.Reply(200, "text/html", "<html>"),
		"no active":               json(200, `{"sub":"alice"}`),
		"active in a text":        json(200, `{"active":"true"}`),
		"active as null":          json(200, `{"active":null}`),
		"active twice":            json(200, `{"active":false,"active":true}`),
		"a list":                  json(200, `[{"active":true}]`),
		"an error in a 200":       json(200, `{"active":true,"error":"x"}`),
		"201":                     json(201, `{"active":true,"aud":"`+ordersAPI+`"}`),
		"the client is refused":   json(401, `{"error":"invalid_client"}`),
		"the connection is lost":  oidcauthtest.Drop(),
		"more than anybody needs": json(200, `{"active":true,"x":"`+strings.Repeat("x", 2<<20)+`"}`),
		"a redirect to elsewhere": oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Status = 307; a.Header.Set("Location", "https://evil.example/") }),
	} {
		t.Run(name, func(t *testing.T) {
			w := newOrdersWorld(t, introspecting)
			w.provider.Intercept(oidcauthtest.Introspection, bend)
			requireTokenRefused(t, w.bearer("opaque"), http.StatusServiceUnavailable, "provider_unavailable")
			requireTokenRefused(t, w.bearer("opaque"), http.StatusServiceUnavailable, "provider_unavailable")
			require.LessOrEqual(t, w.provider.Count(oidcauthtest.Introspection), 1, "failures are spaced out")
		})
	}
}

// A revocation takes effect within a minute, and what was no token may be one ten seconds later.
func TestAnAnswerServesForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrdersWorld(t, introspecting)
		w.tells(map[string]any{"exp": time.Now().Add(90 * time.Second).Unix()})
		w.caller(w.bearer("t"))
		w.tells(map[string]any{"active": false})
		time.Sleep(59 * time.Second)
		w.caller(w.bearer("t"))
		time.Sleep(time.Second)
		requireTokenRefused(t, w.bearer("t"), http.StatusUnauthorized, "invalid_token")
		w.tells(map[string]any{"exp": time.Now().Add(30 * time.Second).Unix()})
		time.Sleep(9 * time.Second)
		requireTokenRefused(t, w.bearer("t"), http.StatusUnauthorized, "invalid_token")
		time.Sleep(time.Second)
		w.caller(w.bearer("t"))
		w.tells(map[string]any{"active": false})
		time.Sleep(20 * time.Second)
		requireTokenRefused(t, w.bearer("t"), http.StatusUnauthorized, "invalid_token")
	})
}

// A token that is revoked while the answer about it is under way is good for a minute, not longer.
func TestAnAnswersLifeBeginsWithTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrdersWorld(t, introspecting)
		w.provider.Intercept(oidcauthtest.Introspection, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				time.Sleep(5 * time.Second)
				rw.Header().Set("Content-Type", "application/json")
				_, _ = rw.Write(oidcauthtest.NewObject(map[string]any{"active": true, "iss": w.provider.Issuer(), "aud": ordersAPI, "sub": "alice"}).Bytes())
			})
		})
		w.caller(w.bearer("t"))
		w.tells(map[string]any{"active": false})
		time.Sleep(54 * time.Second)
		w.caller(w.bearer("t"))
		time.Sleep(time.Second)
		requireTokenRefused(t, w.bearer("t"), http.StatusUnauthorized, "invalid_token")
	})
}

// A JWT that is remembered ends when it says, and its proof is looked at each time.
func TestATokenThatWasSeenIsLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrdersWorld(t)
		h := newKeyHolder(t, "ES256")
		token := w.token(h.bound(), claim("exp", time.Now().Add(30*time.Second).Unix()))
		w.caller(w.ask("Authorization", "DPoP "+token, "DPoP", h.proof(token)))
		requireTokenRefused(t, w.ask("Authorization", "DPoP "+token), http.StatusUnauthorized, "invalid_dpop_proof")
		requireTokenRefused(t, w.bearer(token), http.StatusUnauthorized, "invalid_token")
		time.Sleep(30 * time.Second)
		requireTokenRefused(t, w.ask("Authorization", "DPoP "+token, "DPoP", h.proof(token)), http.StatusUnauthorized, "invalid_token")
	})
}

func TestManyRequestsWithOneTokenMakeOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrdersWorld(t, introspecting)
		asked := w.tells(nil)
		release := make(chan struct{})
		w.provider.Intercept(oidcauthtest.Any, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { <-release; next.ServeHTTP(rw, r) })
		})
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if code := w.bearer("t").Code; code != http.StatusOK {
					t.Error(code)
				}
			})
		}
		synctest.Wait()
		close(release)
		all.Wait()
		require.EqualValues(t, 1, asked.Load())
	})
}

// Anybody can make up tokens to ask about: what that costs is bounded.
func TestAFloodOfOpaqueTokensIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrdersWorld(t, introspecting)
		w.tells(nil)
		w.caller(w.bearer("warm"))
		release := make(chan struct{})
		var open, most atomic.Int32
		w.provider.Intercept(oidcauthtest.Introspection, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				most.Store(max(most.Load(), open.Add(1)))
				<-release
				open.Add(-1)
				_, _ = rw.Write([]byte(`{"active":false}`))
			})
		})
		var all sync.WaitGroup
		codes := make([]int, 200)
		for i := range codes {
			all.Go(func() { codes[i] = w.bearer(fmt.Sprint("made-up-", i)).Code })
		}
		time.Sleep(3 * time.Second)
		close(release)
		all.Wait()
		require.EqualValues(t, 64, most.Load())
		counts := map[int]int{}
		for _, code := range codes {
			counts[code]++
		}
		require.Equal(t, map[int]int{http.StatusUnauthorized: 64, http.StatusServiceUnavailable: 136}, counts)
		w.caller(w.bearer("warm"))
	})
}

func TestAnIssuerThatCanNotBeAskedIsNamed(t *testing.T) {
	w := newOrdersWorld(t, introspecting)
	w.provider.BendMetadata(func(o *oidcauthtest.Object) { o.Delete("introspection_endpoint") })
	requireTokenRefused(t, w.bearer("opaque"), http.StatusUnauthorized, "invalid_token")
	require.Contains(t, w.log.String(), "the provider's metadata name no introspection_endpoint")
}

// Which problems tell an application that the token may be good elsewhere.
func TestWhatCanNotBeCheckedIsToldApart(t *testing.T) {
	var got error
	tell := func(c *oidcauth.ResourceConfig) {
		c.ErrorHandler = func(rw http.ResponseWriter, _ *http.Request, err error) { got = err; rw.WriteHeader(http.StatusTeapot) }
	}
	plain, asking := newOrdersWorld(t, tell), newOrdersWorld(t, tell, introspecting)
	asking.provider.Intercept(oidcauthtest.Introspection, oidcauthtest.Reply(401, "application/json", `{"error":"invalid_client"}`))
	for name, row := range map[string]struct {
		w     *ordersWorld
		token string
		is    bool
	}{
		"opaque, and nobody to ask":    {plain, "opaque", true},
		"no key made the signature":    {plain, plain.token((*oidcauthtest.Token).FlipSignature), true},
		"bound to a certificate":       {plain, plain.token(claim("cnf", map[string]string{"x5t#S256": "x"})), true},
		"the issuer refuses to answer": {asking, "opaque", true},
		"for another audience":         {plain, plain.token(claim("aud", "x")), false},
		"expired":                      {plain, plain.token(claim("exp", 1)), false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/orders", http.NoBody) // without TLS
		r.Header.Set("Authorization", "Bearer "+row.token)
		row.w.handler.ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, row.is, errors.Is(got, oidcauth.ErrUncheckable), name)
	}
}
