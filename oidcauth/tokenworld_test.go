package oidcauth_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// newTokenWorld makes a world whose application hands out what its TokenSource returns and calls the provider's API.
func newTokenWorld(t *testing.T, configure ...func(*oidcauth.Config)) *world {
	t.Helper()
	apis := func(c *oidcauth.Config) { c.APIs = []string{oidcauthtest.DefaultIssuer} }
	w := newWorld(t, append([]func(*oidcauth.Config){apis}, configure...)...)
	addTokenRoutes(w.mux, w.auth, w.network)
	return w
}

func addTokenRoutes(mux *http.ServeMux, auth *oidcauth.Authenticator, network http.RoundTripper) {
	mux.Handle("/token", auth.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var options []oidcauth.TokenOption
		for _, uri := range r.URL.Query()["resource"] {
			options = append(options, oidcauth.Resource(uri))
		}
		if scope := r.URL.Query().Get("scope"); scope != "" {
			options = append(options, oidcauth.Scopes(strings.Fields(scope)...))
		}
		if r.URL.Query().Has("force") {
			options = append(options, oidcauth.ForceRefresh())
		}
		token, err := auth.TokenSource(r.Context(), options...).Token()
		if err != nil {
			writeTokenError(w, err)
			return
		}
		_ = json.NewEncoder(w).Encode(tokenReply{Token: token.AccessToken, Expiry: token.Expiry, Refresh: token.RefreshToken})
	})))
	mux.Handle("/call", auth.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := &http.Client{Transport: auth.Transport(network)}
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, oidcauthtest.DefaultIssuer+"/api", nil)
		res, err := client.Do(req)
		if err != nil {
			writeTokenError(w, err)
			return
		}
		defer res.Body.Close()
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	})))
}

// A tokenReply is what the application's token route answers.
type tokenReply struct {
	Token   string
	Expiry  time.Time
	Refresh string
}

// writeTokenError answers as an application should.
func writeTokenError(w http.ResponseWriter, err error) {
	var down *oidcauth.UnavailableError
	var stepUp *oidcauth.StepUpError
	var refused *oidcauth.GrantError
	switch {
	case errors.Is(err, oidcauth.ErrLoginRequired), errors.As(err, &stepUp):
		http.Error(w, err.Error(), http.StatusUnauthorized)
	case errors.As(err, &down):
		w.Header().Set("Retry-After", down.RetryAfter.String())
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case errors.Is(err, session.ErrUnavailable):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case errors.As(err, &refused):
		http.Error(w, err.Error(), http.StatusBadGateway)
	default:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// cookies returns the Cookie header that the browser sends to the application.
func (w *world) cookies() string {
	var parts []string
	for _, c := range w.browser.Cookies(app + "/") {
		parts = append(parts, c.Name+"="+c.Value)
	}
	return strings.Join(parts, "; ")
}

// send sends a request with this Cookie header, past the browser, so that its cookies stay what they are.
func (w *world) send(cookies, path string) *httptest.ResponseRecorder {
	return w.sendTo(w.mux, cookies, path)
}

func (w *world) sendTo(h http.Handler, cookies, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, app+path, nil)
	r.Header.Set("Cookie", cookies)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

// sendAll sends n such requests at once.
func (w *world) sendAll(n int, cookies, path string) []*httptest.ResponseRecorder {
	answers := make([]*httptest.ResponseRecorder, n)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = w.send(cookies, path) })
	}
	all.Wait()
	return answers
}

// sendAndLeave sends a request, in a synctest bubble, and goes away as soon as nothing moves any more without time.
func (w *world) sendAndLeave(cookies, path string) {
	ctx, cancel := context.WithCancel(w.Context())
	r := httptest.NewRequest(http.MethodGet, app+path, nil).WithContext(ctx)
	r.Header.Set("Cookie", cookies)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.mux.ServeHTTP(httptest.NewRecorder(), r)
	}()
	synctest.Wait()
	cancel()
	<-done
}

// token asks the application for a token through the browser, whose cookies follow.
func (w *world) token(query string) tokenReply {
	w.Helper()
	page := w.browser.NewTab().Get(app + "/token" + query)
	require.Equal(w, http.StatusOK, page.Status, page.Body)
	return replyOf(w.T, page.Body)
}

func replyOf(t *testing.T, body string) (reply tokenReply) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(body), &reply), body)
	require.Empty(t, reply.Refresh, "a refresh token left the library")
	return reply
}

// tokenCalls counts the token requests of a grant type.
func (w *world) tokenCalls(grantType string) (n int) {
	for _, r := range w.provider.Requests(oidcauthtest.TokenEndpoint) {
		if r.Form.Get("grant_type") == grantType {
			n++
		}
	}
	return n
}

func (w *world) refreshes() int { return w.tokenCalls("refresh_token") }

// setsSession reports whether an answer gives the browser a session cookie, or takes it away.
func setsSession(answer *httptest.ResponseRecorder) bool {
	return strings.Contains(strings.Join(answer.Header().Values("Set-Cookie"), "\n"), "__Host-session")
}

// incompressible returns n characters that nothing makes shorter.
func incompressible(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(rand.Text())
	}
	return b.String()[:n]
}
