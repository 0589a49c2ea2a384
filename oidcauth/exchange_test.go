package oidcauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

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
