package oidcauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// A proxyWorld is an application with a proxy before an API, over sockets, and somebody who is signed in.
type proxyWorld struct {
	*world
	front *httptest.Server
	api   *httptest.Server

	mu     sync.Mutex
	seen   []*http.Request // by the API
	bodies []string
	answer http.HandlerFunc
}

// newProxyWorld makes one whose API answers as answer does.
func newProxyWorld(t *testing.T, answer http.HandlerFunc, mode func(*oidcauth.Config), configure ...func(*oidcauth.ProxyConfig)) *proxyWorld {
	t.Helper()
	p := &proxyWorld{answer: answer}
	p.api = httptest.NewServer(p)
	t.Cleanup(p.api.Close)
	configured := func(c *oidcauth.Config) {
		c.APIs = []string{p.api.URL}
		c.Machines = map[string]oidcauth.MachineConfig{"reports": {Scopes: []string{"reports"}}}
		if mode != nil {
			mode(c)
		}
	}
	p.world = newTokenWorld(t, func(*oidcauth.Config) {}, configured)
	c := oidcauth.ProxyConfig{API: p.api.URL + "/v1", Prefix: "/api/"}
	for _, f := range configure {
		f(&c)
	}
	proxy, err := p.auth.Proxy(c)
	require.NoError(t, err)
	p.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.EscapedPath(), c.Prefix) {
			proxy.ServeHTTP(w, r)
			return
		}
		p.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.front.Close)
	p.signIn()
	return p
}

// ServeHTTP is the API.
func (p *proxyWorld) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.seen, p.bodies = append(p.seen, r.Clone(context.Background())), append(p.bodies, string(body))
	p.mu.Unlock()
	if p.answer != nil {
		p.answer(w, r)
	}
}

// asked is how often the API was.
func (p *proxyWorld) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.seen)
}

// request is one of a script on our page; header says otherwise, and an empty value that there is none.
func (p *proxyWorld) request(method, path, body string, header map[string]string) *http.Request {
	p.Helper()
	r, err := http.NewRequestWithContext(p.Context(), method, p.front.URL+path, strings.NewReader(body))
	require.NoError(p, err)
	for name, value := range map[string]string{
		"Cookie": p.cookies(), "Accept": "*/*", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Referer": app + "/orders?page=2",
	} {
		r.Header.Set(name, value)
	}
	for name, value := range header {
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	return r
}

// A relayed is what a script sees of an answer.
type relayed struct {
	*http.Response
	body string
	err  error // of the body
}

// do sends a request, and follows no redirect.
func (p *proxyWorld) do(r *http.Request) relayed {
	p.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(p, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return relayed{res, string(body), err}
}

// fetch is do for a script's request.
func (p *proxyWorld) fetch(method, path, body string, header map[string]string) relayed {
	p.Helper()
	return p.do(p.request(method, path, body, header))
}

// refusal are the members of one of our own refusals.
func (r relayed) refusal(t *testing.T) (all map[string]string) {
	t.Helper()
	require.Equal(t, "application/json", r.Header.Get("Content-Type"), r.body)
	require.Contains(t, r.Header.Get("Cache-Control"), "no-store")
	require.NoError(t, json.Unmarshal([]byte(r.body), &all), r.body)
	return all
}

// claimsOf returns the payload of a JWT as it stands in it.
func claimsOf(jwt string) string {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return ""
	}
	raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
	return string(raw)
}
