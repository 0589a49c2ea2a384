package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

const (
	exchangeGrant  = "urn:ietf:params:oauth:grant-type:token-exchange"
	assertionGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	accessType     = "urn:ietf:params:oauth:token-type:access_token"
)

// An exchangeWorld is an application that calls its own API with exchanged tokens.
type exchangeWorld struct {
	*world
	resource *oidcauth.ResourceServer
	options  []oidcauth.TokenOption // of /exchange and /call
	err      error                  // why the newest of these failed
	token    *oauth2.Token          // what the newest of them got
	mu       sync.Mutex
}

func newExchangeWorld(t *testing.T, configure ...func(*oidcauth.Config)) *exchangeWorld {
	t.Helper()
	apis := func(c *oidcauth.Config) { c.APIs = []string{ordersAPI} }
	w := &exchangeWorld{world: newWorld(t, append([]func(*oidcauth.Config){apis}, configure...)...), options: []oidcauth.TokenOption{oidcauth.Audience(ordersAPI)}}
	var err error
	w.resource, err = oidcauth.NewResource(oidcauth.ResourceConfig{URL: ordersAPI, Audience: []string{ordersAPI}, Issuers: []oidcauth.TokenIssuer{{Auth: w.auth}}})
	require.NoError(t, err)
	w.network.Handle(ordersAPI, w.resource.Require()(http.HandlerFunc(writeCaller)))
	w.mux.Handle("/exchange", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token, err := w.auth.Exchange(r.Context(), w.options...).TokenSource().Token()
		w.mu.Lock()
		w.err, w.token = err, token
		w.mu.Unlock()
		if err != nil {
			writeTokenError(rw, err)
			return
		}
		_, _ = rw.Write([]byte(token.AccessToken))
	})))
	w.mux.Handle("/call", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.call(rw, r, w.auth.Exchange(r.Context(), w.options...).Transport(w.network))
	})))
	w.mux.Handle("/unexchanged", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.call(rw, r, w.auth.Transport(w.network))
	})))
	return w
}

// call calls the API and passes its answer on.
func (w *exchangeWorld) call(rw http.ResponseWriter, r *http.Request, transport http.RoundTripper) {
	req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, ordersAPI+"/orders", http.NoBody)
	res, err := (&http.Client{Transport: transport}).Do(req)
	if w.err = err; err != nil {
		writeTokenError(rw, err)
		return
	}
	defer res.Body.Close()
	rw.WriteHeader(res.StatusCode)
	_, _ = rw.Write(readAll(w.T, res))
}

func readAll(t *testing.T, res *http.Response) []byte {
	t.Helper()
	var b strings.Builder
	require.NoError(t, res.Write(&b))
	_, body, _ := strings.Cut(b.String(), "\r\n\r\n")
	return []byte(body)
}

// exchanges counts the token requests of that grant.
func (w *exchangeWorld) exchanges() int { return w.tokenCalls(exchangeGrant) }

func TestAnExchangedTokenSaysForWhomWeWork(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			w := newExchangeWorld(t, mode)
			w.signIn()
			require.Equal(t, http.StatusUnauthorized, w.browser.Get(app+"/unexchanged").Status, "the user's own token is for somebody else")
			page := w.browser.Get(app + "/call")
			require.Equal(t, http.StatusOK, page.Status, page.Body)
			for _, fact := range []string{`"Subject":"alice"`, `"ClientID":"app"`, `"Actor":"app"`, ordersAPI} {
				require.Contains(t, page.Body, fact)
			}
			form := w.provider.Last(oidcauthtest.TokenEndpoint).Form
			require.Equal(t, []string{exchangeGrant, accessType, accessType, ordersAPI},
				[]string{form.Get("grant_type"), form.Get("subject_token_type"), form.Get("requested_token_type"), form.Get("audience")})
			require.False(t, form.Has("scope") || form.Has("resource") || form.Has("actor_token"))
		})
	}
}

func TestWhatAnExchangeBroughtIsReadable(t *testing.T) {
	w := newExchangeWorld(t)
	w.options = append(w.options, oidcauth.Scopes("read"))
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) {
		if a.Grant == exchangeGrant {
			a.Set("authorization_details", []map[string]string{{"type": "orders"}})
			a.Set("refresh_token", "never-to-be-seen")
			a.Delete("scope")
		}
	})
	w.signIn()
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/exchange").Status)
	require.Equal(t, "read", w.token.Extra("scope"))
	require.Equal(t, accessType, w.token.Extra("issued_token_type"))
	require.Equal(t, []any{map[string]any{"type": "orders"}}, w.token.Extra("authorization_details"))
	require.Empty(t, w.token.RefreshToken)
	w.provider.BendTokens(nil)
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/me").Status)
}

// Tokens of different users, audiences, resources, scopes, actors or forms are never taken for each other, and the same is got once.
func TestExchangesAreKeptApart(t *testing.T) {
	w := newExchangeWorld(t, func(c *oidcauth.Config) { c.Machines = map[string]oidcauth.MachineConfig{"jobs": {}} })
	w.signIn()
	seen := map[string]bool{}
	for i, options := range [][]oidcauth.TokenOption{
		{oidcauth.Audience(ordersAPI)},
		{oidcauth.Audience("https://other.example")},
		{oidcauth.Audience(ordersAPI), oidcauth.Audience("https://other.example")},
		{oidcauth.Resource(ordersAPI)},
		{oidcauth.Audience(ordersAPI), oidcauth.Scopes("read")},
		{oidcauth.Audience(ordersAPI), oidcauth.Scopes("write")},
		{oidcauth.Audience(ordersAPI), oidcauth.Actor(w.auth.Machine("jobs"))},
		{oidcauth.Audience(ordersAPI), oidcauth.JWTBearer()},
		{oidcauth.Audience(ordersAPI), oidcauth.OnBehalfOf()},
	} {
		w.options = options
		one, two := w.browser.Get(app+"/exchange"), w.browser.Get(app+"/exchange")
		require.Equal(t, http.StatusOK, one.Status, one.Body)
		require.Equal(t, one.Body, two.Body)
		require.False(t, seen[one.Body], i)
		seen[one.Body] = true
	}
	require.Equal(t, 7, w.exchanges())
	require.Equal(t, 2, w.tokenCalls(assertionGrant))
	w.options = []oidcauth.TokenOption{oidcauth.Audience(ordersAPI)}
	w.browser = oidcauthtest.NewBrowser(w.network)
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: "bob"} })
	w.signIn()
	page := w.browser.Get(app + "/exchange")
	require.False(t, seen[page.Body])
	require.Contains(t, w.browser.Get(app+"/call").Body, `"Subject":"bob"`)
}

func TestManyWhoWantTheSameExchangeMakeOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newExchangeWorld(t)
		w.signIn()
		for _, answer := range w.sendAll(50, w.cookies(), "/exchange") {
			require.Equal(t, http.StatusOK, answer.Code)
		}
		require.Equal(t, 1, w.exchanges())
	})
}

// What ends the token that was exchanged ends the way to the other.
func TestAnExchangeEndsWithTheSession(t *testing.T) {
	for name, end := range map[string]func(w *exchangeWorld){
		"at a logout": func(w *exchangeWorld) { w.browser.Post(app+"/auth/logout", nil) },
		"at a mark": func(w *exchangeWorld) {
			require.NoError(w.T, w.auth.Sessions().Revoke(w.Context(), w.user().Tag()))
		},
		"at a back-channel logout": func(w *exchangeWorld) {
			w.postLogoutToken(w.provider.LogoutToken("app", "alice", ""))
		},
	} {
		for kind, mode := range modes {
			if kind == "cookie, no store" {
				continue // where nobody remembers an end
			}
			t.Run(name+", "+kind, func(t *testing.T) {
				w := newExchangeWorld(t, mode, backChannel)
				w.signIn()
				cookies := w.cookies()
				require.Equal(t, http.StatusOK, w.send(cookies, "/exchange").Code)
				end(w)
				before := w.exchanges()
				require.Equal(t, http.StatusUnauthorized, w.send(cookies, "/exchange").Code)
				require.ErrorIs(t, w.err, oidcauth.ErrLoginRequired)
				require.Equal(t, http.StatusUnauthorized, w.send(cookies, "/call").Code)
				require.Equal(t, before, w.exchanges())
			})
		}
	}
}

func TestANewSubjectTokenMakesANewExchange(t *testing.T) {
	w := newExchangeWorld(t)
	w.mux.Handle("/renew", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := w.auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
		require.NoError(t, err)
	})))
	w.signIn()
	before := w.browser.Get(app + "/exchange").Body
	w.browser.Get(app + "/renew")
	require.NotEqual(t, before, w.browser.Get(app+"/exchange").Body)
	require.Equal(t, 2, w.exchanges())
}

func TestAnotherTokenThanAskedForIsNone(t *testing.T) {
	for name, bend := range map[string]func(w *exchangeWorld, a *oidcauthtest.TokenAnswer){
		"an ID token": func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) {
			a.Set("issued_token_type", "urn:ietf:params:oauth:token-type:id_token")
		},
		"a refresh token": func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) {
			a.Set("issued_token_type", "urn:ietf:params:oauth:token-type:refresh_token")
		},
		"a type in another case": func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) {
			a.Set("issued_token_type", strings.ToUpper(accessType))
		},
		"a type in a list":       func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) { a.Set("issued_token_type", []string{accessType}) },
		"no type":                func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) { a.Delete("issued_token_type") },
		"one that can't be sent": func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) { a.Set("token_type", "N_A") },
		"a bound one, unasked":   func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) { a.Set("token_type", "DPoP") },
		"the subject token itself": func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) {
			a.Set("access_token", a.Request.Get("subject_token"))
		},
		"no token":           func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) { a.Delete("access_token") },
		"an error beside it": func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) { a.Set("error", "invalid_target") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newExchangeWorld(t)
			w.signIn()
			w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { bend(w, a) })
			page := w.browser.Get(app + "/call")
			require.GreaterOrEqual(t, page.Status, 500, page.Body)
			require.NotErrorIs(t, w.err, oidcauth.ErrLoginRequired)
			require.NotContains(t, w.network.Asked(), ordersAPI, "nothing was sent to the API")
			require.Equal(t, http.StatusOK, w.browser.Get(app+"/me").Status, "the session stays")
		})
	}
}

func TestARefusedExchangeNeverFallsBack(t *testing.T) {
	for name, row := range map[string]struct {
		status       int
		body         string
		want         int
		loginAgain   bool
		refused, out bool
	}{
		"invalid_grant":     {400, `{"error":"invalid_grant"}`, 401, true, true, false},
		"invalid_target":    {400, `{"error":"invalid_target"}`, 502, false, true, false},
		"access_denied":     {403, `{"error":"access_denied"}`, 502, false, true, false},
		"unsupported":       {400, `{"error":"unsupported_grant_type"}`, 502, false, true, false},
		"the client":        {401, `{"error":"invalid_client"}`, 502, false, true, false},
		"down":              {500, "", 503, false, false, true},
		"too many requests": {429, "", 503, false, false, true},
		"a page":            {200, "<html>", 503, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newExchangeWorld(t)
			w.signIn()
			w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(row.status, "application/json", row.body))
			for range 2 {
				page := w.browser.Get(app + "/call")
				require.Equal(t, row.want, page.Status, page.Body)
			}
			var refused *oidcauth.GrantError
			var down *oidcauth.UnavailableError
			require.Equal(t, row.loginAgain, errors.Is(w.err, oidcauth.ErrLoginRequired))
			require.Equal(t, row.refused, errors.As(w.err, &refused))
			require.Equal(t, row.out, errors.As(w.err, &down))
			require.NotContains(t, w.network.Asked(), ordersAPI)
			require.Equal(t, 2, w.provider.Count(oidcauthtest.TokenEndpoint), "the login's, and one: failures are spaced out")
			require.Equal(t, http.StatusOK, w.browser.Get(app+"/me").Status, "the session stays")
		})
	}
}

func TestAnExchangedTokenThatIsGoodBridgesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newExchangeWorld(t)
		w.signIn()
		first := w.browser.Get(app + "/exchange").Body
		time.Sleep(9*time.Minute + 30*time.Second)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(500, "text/plain", ""))
		require.NotEmpty(t, first)
		require.Equal(t, http.StatusOK, w.browser.Get(app+"/exchange").Status)
		time.Sleep(time.Minute)
		require.NotEqual(t, http.StatusOK, w.browser.Get(app+"/exchange").Status)
	})
}

func TestAnIDTokenIsTheSubjectOnlyWhereTheCallSaysSo(t *testing.T) {
	w := newExchangeWorld(t)
	w.signIn()
	w.browser.Get(app + "/exchange")
	require.Equal(t, accessType, w.provider.Last(oidcauthtest.TokenEndpoint).Form.Get("subject_token_type"))
	w.options = append(w.options, oidcauth.SubjectIDToken())
	w.browser.Get(app + "/exchange") // which this provider refuses
	form := w.provider.Last(oidcauthtest.TokenEndpoint).Form
	require.Equal(t, "urn:ietf:params:oauth:token-type:id_token", form.Get("subject_token_type"))
	require.Equal(t, "JWT", oidcauthtest.ParseToken(form.Get("subject_token")).Header.Text("typ"))
	require.Equal(t, "app", oidcauthtest.ParseToken(form.Get("subject_token")).Claims.Text("aud"))
}

func TestOtherFormsOfAnExchange(t *testing.T) {
	w := newExchangeWorld(t)
	w.signIn()
	w.options = []oidcauth.TokenOption{oidcauth.OnBehalfOf(), oidcauth.Scopes("api://orders/.default")}
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/exchange").Status)
	form := w.provider.Last(oidcauthtest.TokenEndpoint).Form
	require.Equal(t, url.Values{
		"grant_type": {assertionGrant}, "assertion": form["assertion"], "requested_token_use": {"on_behalf_of"}, "scope": {"api://orders/.default"},
	}, form)
	w.options = []oidcauth.TokenOption{oidcauth.JWTBearer(), oidcauth.Resource(ordersAPI)}
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/exchange").Status)
	form = w.provider.Last(oidcauthtest.TokenEndpoint).Form
	require.Equal(t, url.Values{"grant_type": {assertionGrant}, "assertion": form["assertion"], "resource": {ordersAPI}}, form)
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/call").Status)
}

func TestOptionsOfAnExchangeAreForAnExchange(t *testing.T) {
	w := newExchangeWorld(t)
	ctx := oidcauth.WithUser(t.Context(), &oidcauth.User{})
	for name, o := range map[string]oidcauth.TokenOption{
		"Audience": oidcauth.Audience("x"), "TokenType": oidcauth.TokenType(accessType), "JWTBearer": oidcauth.JWTBearer(),
		"OnBehalfOf": oidcauth.OnBehalfOf(), "SubjectIDToken": oidcauth.SubjectIDToken(), "Actor": oidcauth.Actor(nil),
	} {
		_, err := w.auth.TokenSource(ctx, o).Token()
		require.ErrorContains(t, err, "are for Exchange", name)
		_, err = w.auth.Client(ctx, o).Get(ordersAPI)
		require.ErrorContains(t, err, "are for Exchange", name)
	}
	for want, options := range map[string][]oidcauth.TokenOption{
		"expected a URI": {oidcauth.TokenType("x y")}, "an empty one": {oidcauth.Audience("")}, "have none": {oidcauth.JWTBearer(), oidcauth.TokenType(accessType)},
		"scope tokens": {oidcauth.Scopes("a b")},
	} {
		_, err := w.auth.Exchange(ctx, options...).TokenSource().Token()
		require.ErrorContains(t, err, want)
	}
}

// A bound session's exchanged token is bound to the same key.
func TestAnExchangedTokenIsBoundToTheSessionsKey(t *testing.T) {
	w := newExchangeWorld(t, withDPoP)
	w.signIn()
	page := w.browser.Get(app + "/call")
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	require.Contains(t, page.Body, `"SenderConstrained":true`)
	require.NotEmpty(t, w.provider.Last(oidcauthtest.TokenEndpoint).Header.Get("DPoP"))
}

// A chain: a caller's token is exchanged for the next API.
func TestACallersTokenIsExchangedForTheNextAPI(t *testing.T) {
	for name, configure := range map[string][]func(*oidcauth.Config){"Bearer": nil, "DPoP": {withDPoP}} {
		t.Run(name, func(t *testing.T) {
			w := newExchangeWorld(t, configure...)
			first, err := oidcauth.NewResource(oidcauth.ResourceConfig{URL: app, Audience: []string{"first"}, Issuers: []oidcauth.TokenIssuer{{Auth: w.auth}}})
			require.NoError(t, err)
			chain := first.Require()(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				w.call(rw, r, w.auth.Exchange(r.Context(), oidcauth.Audience(ordersAPI)).Transport(w.network))
			}))
			token := w.issued("first")
			answer := askOf(chain, http.MethodGet, "/", "Authorization", "Bearer "+token)
			require.Equal(t, http.StatusOK, answer.Code, answer.Body)
			var c oidcauth.Caller
			require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &c))
			require.Equal(t, []string{ordersAPI}, c.Audience)
			require.Equal(t, "app", c.ClientID)
			require.Equal(t, name == "DPoP", c.SenderConstrained)
			require.Equal(t, token, w.provider.Last(oidcauthtest.TokenEndpoint).Form.Get("subject_token"))
		})
	}
}

// issued returns an access token that the provider knows, for this audience.
func (w *exchangeWorld) issued(audience string) string {
	w.Helper()
	m, err := oidcauth.NewMachine(oidcauth.MachineConfig{
		Issuer: w.provider.Issuer(), ClientID: "app", ClientSecret: "app-secret", Resource: []string{"urn:" + audience}, HTTPClient: w.network.Client(),
	})
	require.NoError(w, err)
	w.provider.BendAccessToken(func(t *oidcauthtest.Token) {
		if t.Grant == "client_credentials" {
			t.Claims.Set("aud", audience)
		}
	})
	token, err := m.TokenSource(w.Context()).Token()
	require.NoError(w, err)
	return token.AccessToken
}

func TestACallerOfAnotherIssuerIsNotExchanged(t *testing.T) {
	w := newExchangeWorld(t)
	other := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://second.provider.test"})
	resource, err := oidcauth.NewResource(oidcauth.ResourceConfig{URL: app, Audience: []string{ordersAPI}, HTTPClient: other.Client(), Issuers: []oidcauth.TokenIssuer{{Issuer: other.Issuer()}}})
	require.NoError(t, err)
	h := resource.Require()(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, err := w.auth.Exchange(r.Context(), oidcauth.Audience("x")).TokenSource().Token()
		require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
		rw.WriteHeader(http.StatusNoContent)
	}))
	require.Equal(t, http.StatusNoContent, askOf(h, http.MethodGet, "/", "Authorization", "Bearer "+accessToken(other)).Code)
	require.Zero(t, w.exchanges())
}

// One caller's client sends nothing for another.
func TestAnExchangeIsBoundToItsCaller(t *testing.T) {
	w := newExchangeWorld(t)
	var first context.Context
	h := w.resource.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if first == nil {
			first = r.Context()
			return
		}
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, ordersAPI+"/", http.NoBody)
		_, err := w.auth.Exchange(first, oidcauth.Audience(ordersAPI)).Client().Do(req)
		require.ErrorIs(t, err, oidcauth.ErrOtherSession)
	}))
	for range 2 {
		require.Equal(t, http.StatusOK, askOf(h, http.MethodGet, "/", "Authorization", "Bearer "+accessToken(w.provider)).Code)
	}
	require.Zero(t, w.exchanges())
}

func TestAMachinesTokenIsExchanged(t *testing.T) {
	w := newExchangeWorld(t, func(c *oidcauth.Config) { c.Machines = map[string]oidcauth.MachineConfig{"jobs": {}} })
	token, err := w.auth.Machine("jobs").Exchange(t.Context(), oidcauth.Audience(ordersAPI)).TokenSource().Token()
	require.NoError(t, err)
	require.Equal(t, ordersAPI, oidcauthtest.ParseToken(token.AccessToken).Claims.Text("aud"))
	_, err = w.auth.Machine("nobody").Exchange(t.Context()).TokenSource().Token()
	require.ErrorContains(t, err, "Config.Machines has no")
	_, err = w.auth.Machine("jobs").Exchange(t.Context(), oidcauth.SubjectIDToken()).TokenSource().Token()
	require.ErrorContains(t, err, "no ID token")
}

func TestNobodysTokenIsNotExchanged(t *testing.T) {
	w := newExchangeWorld(t)
	require.Equal(t, http.StatusUnauthorized, w.browser.Get(app+"/exchange").Status)
	require.ErrorIs(t, w.err, oidcauth.ErrLoginRequired)
	_, err := w.auth.Exchange(oidcauth.WithUser(t.Context(), &oidcauth.User{Subject: "alice"}), oidcauth.Audience("x")).TokenSource().Token()
	require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
}
