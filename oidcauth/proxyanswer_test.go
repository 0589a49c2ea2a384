package oidcauth_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

func TestAnInformationalAnswerIsNotTheBrowsers(t *testing.T) {
	w := newProxyWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "evil=1")
		w.Header().Set("Link", "</evil.js>; rel=preload; as=script")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusOK)
	}, nil)
	r := w.request(http.MethodGet, "/api/x", "", nil)
	early := 0
	res := w.do(r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error { early++; return nil },
	})))
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Zero(t, early)
	require.Empty(t, res.Header.Values("Set-Cookie"))
	require.NotEmpty(t, res.Header.Get("Content-Security-Policy"), "nor does it clear what was set before")
}

func TestATrailerStaysWithTheAPI(t *testing.T) {
	w := newProxyWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Set-Cookie")
		_, _ = io.WriteString(w, "x")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("Set-Cookie", "evil=1")
		w.Header().Set(http.TrailerPrefix+"Clear-Site-Data", "*")
	}, nil)
	r := w.request(http.MethodPost, "/api/x", "", nil)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("body")), -1
	r.Trailer = http.Header{"Authorization": {"Bearer smuggled"}}
	res := w.do(r)
	require.Equal(t, "x", res.body)
	require.Empty(t, res.Trailer)
	require.Empty(t, w.seen[0].Trailer)
	require.Equal(t, "body", w.bodies[0])
}

func TestAnAPIThatSwitchesProtocolsUnasked(t *testing.T) {
	w := newProxyWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, _ := http.NewResponseController(w).Hijack()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nraw")
		_ = rw.Flush()
		_ = conn.Close()
	}, nil)
	res := w.fetch(http.MethodGet, "/api/x", "", nil)
	require.Equal(t, http.StatusBadGateway, res.StatusCode)
	require.Equal(t, "no_answer", res.refusal(t)["error"])
}

func TestBodiesAreBounded(t *testing.T) {
	small := func(c *oidcauth.ProxyConfig) { c.MaxRequestBody, c.MaxResponseBody = 100_000, 100_000 }
	echo := func(w http.ResponseWriter, r *http.Request) {
		n := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("n"), &n)
		if r.URL.Query().Has("known") {
			w.Header().Set("Content-Length", fmt.Sprint(n))
		}
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, strings.Repeat("x", n))
	}
	w := newProxyWorld(t, echo, nil, small)
	for _, row := range []struct {
		name   string
		send   int
		stream bool
		query  string
		status int
		broken bool
	}{
		{"a request within the bound", 100_000, false, "", 200, false},
		{"a stream within it", 100_000, true, "", 200, false},
		{"a small one", 10, true, "", 200, false},
		{"a request beyond", 100_001, false, "", 413, false},
		{"a stream beyond", 100_001, true, "", 413, false},
		{"an answer within the bound", 0, false, "?n=100000", 200, false},
		{"an answer that says it is beyond", 0, false, "?n=100001&known", 502, false},
		{"an answer that turns out to be", 0, false, "?n=5000000", 200, true},
		{"an event stream", 0, false, "?n=5000000&type=text/event-stream", 200, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := w.request(http.MethodPost, "/api/x"+row.query, strings.Repeat("b", row.send), nil)
			if row.stream {
				r.ContentLength, r.GetBody = -1, nil
			}
			asked := w.asked()
			res := w.do(r)
			require.Equal(t, row.status, res.StatusCode, res.body)
			require.Equal(t, row.broken, res.err != nil)
			if row.status == http.StatusOK && row.send > 0 {
				require.Len(t, w.bodies[asked], row.send)
			}
		})
	}
}

func TestWhatAScriptIsToldOfAnAPIThatFails(t *testing.T) {
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		before func(w *proxyWorld)
		status int
		code   string
	}{
		"the API's own refusal":    {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }, nil, 403, ""},
		"the API's own error":      {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) }, nil, 503, ""},
		"its 401, a last time":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, nil, 401, ""},
		"no answer":                {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, 502, "no_answer"},
		"an API that is not there": {nil, func(w *proxyWorld) { w.api.Close() }, 502, "no_answer"},
		"no answer in time":        {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil, 504, "time_out"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newProxyWorld(t, row.answer, nil, func(c *oidcauth.ProxyConfig) { c.Timeout = 200 * time.Millisecond })
			if row.before != nil {
				row.before(w)
			}
			res := w.fetch(http.MethodGet, "/api/x", "", nil)
			require.Equal(t, row.status, res.StatusCode, res.body)
			if row.code != "" {
				require.Equal(t, row.code, res.refusal(t)["error"])
				require.NotContains(t, res.body, w.api.URL)
			}
		})
	}
}

// A proxyBubble is a proxy, an API and a provider in memory, where time passes at will.
func proxyBubble(t *testing.T, answer http.HandlerFunc, mode func(*oidcauth.Config), configure ...func(*oidcauth.ProxyConfig)) (*world, *apiServer) {
	w, server, _ := newAPIWorld(t, mode)
	server.answer = answer
	c := oidcauth.ProxyConfig{API: api, Prefix: "/api/", Transport: w.network}
	for _, f := range configure {
		f(&c)
	}
	proxy, err := w.auth.Proxy(c)
	require.NoError(t, err)
	w.mux.Handle("/api/", proxy)
	return w, server
}

// post sends a script's POST through the proxy.
func (w *world) post(cookies, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, app+path, strings.NewReader(body))
	for name, value := range map[string]string{"Cookie": cookies, "Referer": app + "/orders", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"} {
		r.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	return answer
}

// The rules of Transport hold: one refresh, one repetition, the body once more where it is small.
func TestAProxyTriesAgainWithANewToken(t *testing.T) {
	for name, row := range map[string]struct {
		size, requests, refreshes, status int
	}{
		"a small body":                        {1000, 2, 1, 200},
		"one that can't be kept to be resent": {100_000, 1, 0, 401},
	} {
		t.Run(name, func(t *testing.T) {
			for name, mode := range modes {
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w, server := proxyBubble(t, nil, mode)
						time.Sleep(time.Minute)
						server.challenge(1, `Bearer error="invalid_token"`)
						answer := w.post(w.cookies(), "/api/x", strings.Repeat("b", row.size))
						require.Equal(t, row.status, answer.Code, answer.Body)
						require.Len(t, server.seen, row.requests)
						require.Equal(t, row.refreshes, w.refreshes())
						for _, body := range server.bodies {
							require.Len(t, body, row.size)
						}
					})
				})
			}
		})
	}
}

func TestADeadGrantAndAnOutageThroughAProxy(t *testing.T) {
	for name, row := range map[string]struct {
		intercept oidcauthtest.Middleware
		status    int
		code      string
	}{
		"only a login helps":     {oidcauthtest.OAuthError(http.StatusBadRequest, "invalid_grant"), 401, "login_required"},
		"the provider is down":   {oidcauthtest.Reply(503, "text/plain", ""), 503, "provider_unavailable"},
		"the provider says more": {oidcauthtest.OAuthError(http.StatusUnauthorized, "invalid_client"), 502, "no_answer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, server := proxyBubble(t, nil, modes["cookie"])
				time.Sleep(11 * time.Minute)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, row.intercept)
				answer := w.post(w.cookies(), "/api/x", "b")
				require.Equal(t, row.status, answer.Code, answer.Body)
				require.Equal(t, row.code, members(t, answer)["error"])
				require.Empty(t, server.seen)
				if row.status == http.StatusUnauthorized {
					require.Equal(t, "/auth/login?return_to=%2Forders", members(t, answer)["login_url"])
				}
			})
		})
	}
}

// login_url starts the login that the API asked for (RFC 9470 §4), and comes back to the page.
func TestAStepUpThroughAProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server := proxyBubble(t, nil, modes["cookie"])
		time.Sleep(time.Minute)
		server.challenge(1, `Bearer error="insufficient_user_authentication", acr_values="gold", max_age="60"`)
		answer := w.post(w.cookies(), "/api/x", "b")
		require.Equal(t, http.StatusUnauthorized, answer.Code)
		body := members(t, answer)
		require.Equal(t, "insufficient_user_authentication", body["error"])
		require.Contains(t, answer.Header().Get("WWW-Authenticate"), `acr_values="gold"`)
		login, err := url.Parse(body["login_url"].(string))
		require.NoError(t, err)
		require.Equal(t, "/orders", login.Query().Get("return_to"))
		w.browser.Get(app + login.String())
		asked := w.authenticationRequest()
		require.Equal(t, "60", asked.Get("max_age"))
		require.Contains(t, asked.Get("claims")+asked.Get("acr_values"), "gold")
	})
}

// A machine's token is not made better by a login, and nobody gets it who is not signed in.
func TestAProxyWithAMachinesToken(t *testing.T) {
	w := newProxyWorld(t, nil, nil, func(c *oidcauth.ProxyConfig) { c.Machine = "reports" })
	require.Equal(t, http.StatusOK, w.fetch(http.MethodGet, "/api/x", "", nil).StatusCode)
	require.Equal(t, 1, w.tokenCalls("client_credentials"))
	require.Equal(t, http.StatusUnauthorized, w.fetch(http.MethodGet, "/api/x", "", map[string]string{"Cookie": ""}).StatusCode)
	require.Equal(t, 1, w.asked())
	w.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_user_authentication", max_age="1"`)
		w.WriteHeader(http.StatusUnauthorized)
	}
	require.Equal(t, http.StatusBadGateway, w.fetch(http.MethodGet, "/api/x", "", nil).StatusCode)
}

// Two users of one proxy at once, over the same connections.
func TestAProxyGivesEachUserTheirOwnToken(t *testing.T) {
	w := newProxyWorld(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	}, nil)
	alice := w.cookies()
	tokens := map[string]string{}
	for range 3 {
		for name, cookies := range map[string]string{"alice": alice, "nobody": ""} {
			res := w.fetch(http.MethodGet, "/api/x", "", map[string]string{"Cookie": cookies})
			if name == "nobody" {
				require.Equal(t, http.StatusUnauthorized, res.StatusCode)
				continue
			}
			require.Equal(t, "private, no-store", res.Header.Get("Cache-Control"))
			tokens[name] = res.body
		}
	}
	require.Len(t, tokens, 1)
}

func TestAProxyWithoutItsStore(t *testing.T) {
	store := &moodyStore{Store: session.NewMemoryStore()}
	w := newProxyWorld(t, nil, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, true })
	store.failAfter(0)
	res := w.fetch(http.MethodGet, "/api/x", "", nil)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Equal(t, "store_unavailable", res.refusal(t)["error"])
	require.NotEmpty(t, res.Header.Get("Retry-After"))
	require.Zero(t, w.asked())
}

// Proofs are for the URL that the API sees, and go out once more with the nonce that it asks for, body and all (RFC 9449 §8).
func TestAProxyWithDPoP(t *testing.T) {
	w := newProxyWorld(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(claimsOf(r.Header.Get("DPoP")), `"nonce":"n1"`) {
			w.Header().Set("DPoP-Nonce", "n1")
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}, func(c *oidcauth.Config) { c.Advanced.DPoP = true })
	res := w.fetch(http.MethodPost, "/api/a%2Fb?q=1", "body", nil)
	require.Equal(t, http.StatusOK, res.StatusCode, res.body)
	require.Equal(t, []string{"body", "body"}, w.bodies)
	require.Contains(t, claimsOf(w.seen[1].Header.Get("DPoP")), `"htu":"`+w.api.URL+`/v1/a%2Fb"`)
	require.Regexp(t, `^DPoP `, w.seen[1].Header.Get("Authorization"))
}
