package oidcauth_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// BenchmarkLogin measures a login from the guard's redirect to the new session, without the provider's share: what it spends on
// signing is taken off the clock and reported beside it.
func BenchmarkLogin(b *testing.B) {
	provider := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	var atProvider time.Duration
	timed := roundTripper(func(r *http.Request) (*http.Response, error) {
		start := time.Now()
		defer func() { atProvider += time.Since(start) }()
		return provider.RoundTrip(r)
	})
	auth := benchAuth(b, provider, timed)
	page := auth.RequireLogin(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	login := func() {
		start := httptest.NewRecorder()
		page.ServeHTTP(start, navigation(app+"/me"))
		r, err := http.NewRequest(http.MethodGet, start.Header().Get("Location"), http.NoBody)
		require.NoError(b, err)
		answer, err := timed(r)
		require.NoError(b, err)
		back := navigation(answer.Header.Get("Location"))
		for _, c := range start.Result().Cookies() {
			back.AddCookie(c)
		}
		end := httptest.NewRecorder()
		page.ServeHTTP(end, back)
		require.Equal(b, http.StatusSeeOther, end.Code, end.Body)
	}
	login() // metadata and keys
	atProvider = 0
	b.ReportAllocs()
	for b.Loop() {
		login()
	}
	b.ReportMetric(float64(b.Elapsed()-atProvider)/float64(b.N)/1e3, "own-µs/op")
	b.ReportMetric(float64(atProvider)/float64(b.N)/1e3, "provider-µs/op")
}

// BenchmarkRequest measures whole requests to a server on loopback: a bare handler, one behind a guard, and one that asks for
// the user.
func BenchmarkRequest(b *testing.B) {
	provider := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	auth := benchAuth(b, provider, provider)
	plain := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, oidcauth.UserFrom(r.Context()).Subject)
	})
	cookie := signedInCookie(b, provider, auth)
	forgetful := benchAuthOf(b, provider, provider, session.Config{MemoryBytes: -1})
	for _, row := range []struct {
		name, cookie string
		handler      http.Handler
	}{
		{"bare", "", plain},
		{"bare with the cookie sent", cookie, plain},
		{"guarded", cookie, auth.RequireLogin(plain)},
		{"guarded with the user", cookie, auth.RequireLogin(whoami)},
		{"first sight, with the user", cookie, forgetful.RequireLogin(whoami)},
	} {
		b.Run(row.name, func(b *testing.B) { benchServer(b, row.handler, row.cookie) })
	}
}

func benchAuth(b *testing.B, provider *oidcauthtest.Provider, transport http.RoundTripper) *oidcauth.Authenticator {
	b.Helper()
	return benchAuthOf(b, provider, transport, session.Config{})
}

// benchAuthOf is benchAuth with sessions of another kind.
func benchAuthOf(b *testing.B, provider *oidcauthtest.Provider, transport http.RoundTripper, sessions session.Config) *oidcauth.Authenticator {
	b.Helper()
	sessions.Keys = []string{testKey}
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer: provider.Issuer(), ClientID: "app", ClientSecret: "app-secret", RedirectURL: app + "/auth/callback",
		Session:    sessions,
		HTTPClient: &http.Client{Transport: transport},
		Logger:     slog.New(slog.DiscardHandler),
	})
	require.NoError(b, err)
	return auth
}

func navigation(url string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, url, http.NoBody)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	return r
}

// signedInCookie returns the Cookie header of a browser that signed in.
func signedInCookie(b *testing.B, provider *oidcauthtest.Provider, auth *oidcauth.Authenticator) string {
	b.Helper()
	network := oidcauthtest.NewNetwork()
	network.Handle(provider.Issuer(), provider)
	network.Handle(app, auth.RequireLogin(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	browser := oidcauthtest.NewBrowser(network)
	require.Equal(b, http.StatusOK, browser.Get(app+"/me").Status)
	var pairs []string
	for _, c := range browser.Cookies(app) {
		if strings.HasPrefix(c.Name, "__Host-session") && !strings.Contains(c.Name, "-loop") {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

// benchServer sends the same request over one connection that is kept alive.
func benchServer(b *testing.B, h http.Handler, cookie string) {
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(b, err)
	defer conn.Close()
	request := "GET / HTTP/1.1\r\nHost: app.example.test\r\nAccept: text/html\r\n"
	if cookie != "" {
		request += "Cookie: " + cookie + "\r\n"
	}
	raw, reader := []byte(request+"\r\n"), bufio.NewReader(conn)
	b.ReportAllocs()
	b.ReportMetric(float64(len(cookie)), "cookie-B")
	for b.Loop() {
		if _, err := conn.Write(raw); err != nil {
			b.Fatal(err)
		}
		if err := discardAnswer(reader); err != nil {
			b.Fatal(err)
		}
	}
}

// discardAnswer reads one answer with a Content-Length, which must be 200.
func discardAnswer(reader *bufio.Reader) error {
	length := 0
	for first := true; ; first = false {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.Contains(line, []byte(" 200 ")) {
			return fmt.Errorf("expected 200, got %q", line)
		}
		if len(line) == 2 {
			break
		}
		if digits, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			for _, d := range bytes.TrimSpace(digits) { // strconv would want a string, an allocation that isn't the server's
				length = 10*length + int(d-'0')
			}
		}
	}
	_, err := reader.Discard(length)
	return err
}
