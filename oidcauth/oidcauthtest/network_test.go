package oidcauthtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

func TestNetworkRoutesByOrigin(t *testing.T) {
	n := oidcauthtest.NewNetwork()
	name := func(s string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, s, " ", r.Host) })
	}
	n.Handle("https://a.test/ignored", name("a"))
	n.Handle("http://a.test:8080", name("a8080"))
	n.Fallback = roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("fallback") })
	for rawURL, want := range map[string]string{
		"https://a.test/x":      "a a.test",
		"https://A.TEST:443/x":  "a A.TEST:443",
		"http://a.test:8080/":   "a8080 a.test:8080",
		"http://a.test/":        "fallback",
		"https://a.test:8443/x": "fallback",
	} {
		response, err := n.Client().Get(rawURL)
		if err != nil {
			require.ErrorContains(t, err, want)
			continue
		}
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, want, string(body))
	}
	n.Fallback = nil
	n.Handle("https://a.test", nil)
	_, err := n.Client().Post("https://a.test/gone", "text/plain", strings.NewReader("x"))
	var dns *net.DNSError
	require.ErrorAs(t, err, &dns)
	require.True(t, dns.IsNotFound)
	require.Len(t, n.Asked(), 6)
	require.Equal(t, "https://a.test/gone", n.Asked()[5])
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type contextKey struct{}

func TestServerSide(t *testing.T) {
	log.SetOutput(io.Discard) // a panic is logged with its stack
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		check   func(t *testing.T, r *http.Response, body string, err error)
	}{
		"a request looks as if it came over a wire": {func(_ http.ResponseWriter, r *http.Request) {
			if r.RequestURI != "/p?q=1" || r.URL.Host != "" || r.Host != "a.test" || r.TLS == nil || r.RemoteAddr == "" || r.Body == nil || r.Context().Value(contextKey{}) != nil {
				panic(fmt.Sprintf("%+v", r))
			}
		}, func(t *testing.T, r *http.Response, _ string, err error) {
			require.NoError(t, err)
			require.Equal(t, "200 OK", r.Status)
		}},
		"headers set after WriteHeader don't count": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Set("A", "1")
			w.WriteHeader(201)
			w.Header().Set("B", "1")
			w.WriteHeader(500)
		}, func(t *testing.T, r *http.Response, _ string, _ error) {
			require.Equal(t, 201, r.StatusCode)
			require.Equal(t, "1", r.Header.Get("A"))
			require.Empty(t, r.Header.Get("B"))
		}},
		"the content type is sniffed": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
			func(t *testing.T, r *http.Response, body string, _ error) {
				require.Equal(t, "text/html; charset=utf-8", r.Header.Get("Content-Type"))
				require.EqualValues(t, 6, r.ContentLength)
				require.Equal(t, "<html>", body)
			}},
		"204 has no body": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrBodyNotAllowed) {
				panic(err)
			}
		}, func(t *testing.T, _ *http.Response, body string, err error) {
			require.NoError(t, err)
			require.Empty(t, body)
		}},
		"a large body streams": {func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				_, _ = w.Write(make([]byte, 10_000))
			}
		}, func(t *testing.T, r *http.Response, body string, err error) {
			require.NoError(t, err)
			require.EqualValues(t, -1, r.ContentLength)
			require.Len(t, body, 1_000_000)
		}},
		"a flushed body breaks off": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "start")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, func(t *testing.T, r *http.Response, body string, err error) {
			require.Equal(t, 200, r.StatusCode)
			require.Equal(t, "start", body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}},
		"an abort is a dropped connection": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			func(t *testing.T, _ *http.Response, _ string, err error) {
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			}},
		"a panic is named": {func(http.ResponseWriter, *http.Request) { panic("a defect") },
			func(t *testing.T, _ *http.Response, _ string, err error) { require.ErrorContains(t, err, "a defect") }},
	} {
		t.Run(name, func(t *testing.T) {
			n := oidcauthtest.NewNetwork()
			n.Handle("https://a.test", test.handler)
			ctx := context.WithValue(t.Context(), contextKey{}, "client's")
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://a.test/p?q=1", nil)
			require.NoError(t, err)
			response, err := n.RoundTrip(r)
			var body []byte
			if err == nil {
				body, err = io.ReadAll(response.Body)
			}
			test.check(t, response, string(body), err)
		})
	}
}

func TestHEADHasNoBody(t *testing.T) {
	n := oidcauthtest.NewNetwork()
	n.Handle("https://a.test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x") }))
	response, err := n.Client().Head("https://a.test/")
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Empty(t, body)
}

func TestClientThatLeavesEndsTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := oidcauthtest.NewNetwork()
		ended := make(chan struct{}, 2)
		n.Handle("https://a.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stream" {
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
			ended <- struct{}{}
		}))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { synctest.Wait(); cancel() }()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://a.test/", nil)
		require.NoError(t, err)
		_, err = n.RoundTrip(r)
		require.ErrorIs(t, err, context.Canceled)
		<-ended

		response, err := n.Client().Get("https://a.test/stream")
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		<-ended

		for range 200 {
			ctx, cancel = context.WithCancel(t.Context())
			r, err = http.NewRequestWithContext(ctx, http.MethodGet, "https://a.test/stream", nil)
			require.NoError(t, err)
			response, err = n.RoundTrip(r)
			require.NoError(t, err)
			cancel()
			_, err = io.ReadAll(response.Body)
			require.ErrorIs(t, err, context.Canceled, "a body that was given up never ends well")
			<-ended
		}
	})
}
