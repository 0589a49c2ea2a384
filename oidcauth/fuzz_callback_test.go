package oidcauth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// fuzzAuth is an Authenticator whose provider must never be asked for a token.
func fuzzAuth(f *testing.F, mode oidcauth.ResponseMode) *oidcauth.Authenticator {
	f.Helper()
	provider := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	f.Cleanup(func() { require.Zero(f, provider.Count(oidcauthtest.TokenEndpoint)) })
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer: provider.Issuer(), ClientID: "app", ClientSecret: "app-secret", RedirectURL: app + "/auth/callback",
		ResponseMode: mode, Session: session.Config{Keys: []string{testKey}}, HTTPClient: provider.Client(), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(f, err)
	return auth
}

// requireNoFuzzedLogin asserts what holds for every callback that nobody started.
func requireNoFuzzedLogin(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	require.GreaterOrEqual(t, w.Code, 400)
	require.Less(t, w.Code, 500)
	require.Empty(t, w.Header().Get("Location"))
	requireProtected(t, w.Header())
	for _, c := range w.Result().Cookies() {
		require.Negative(t, c.MaxAge, "nothing is set: %s", c.Name)
	}
}

// FuzzCallbackQuery sends queries that no login of this browser belongs to.
func FuzzCallbackQuery(f *testing.F) {
	auth := fuzzAuth(f, oidcauth.Query)
	for _, query := range []string{
		"code=a&state=b", "code=a&code=b&state=c", "error=access_denied&state=s", "state=%00", "code=%zz&state=x", "iss=a;iss=b&state=c&code=d",
		"code=" + strings.Repeat("a", 9000) + "&state=s", "error=%3Cscript%3E&error_description=%0d%0aX:y&state=s",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, app+"/auth/callback", http.NoBody)
		r.URL.RawQuery = query
		r.Header.Set("Accept", "text/html")
		w := httptest.NewRecorder()
		auth.ServeHTTP(w, r)
		requireNoFuzzedLogin(t, w)
		require.NotContains(t, w.Body.String(), "<script")
	})
}

// FuzzCallbackBody sends form posts that no login of this browser belongs to.
func FuzzCallbackBody(f *testing.F) {
	auth := fuzzAuth(f, oidcauth.FormPost)
	f.Add("application/x-www-form-urlencoded", "code=a&state=b")
	f.Add("application/x-www-form-urlencoded; charset=utf-16", "code=a&state=b")
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"code\"\r\n\r\na\r\n--x--")
	f.Add("application/json", `{"code":"a"}`)
	f.Fuzz(func(t *testing.T, contentType, body string) {
		r := httptest.NewRequest(http.MethodPost, app+"/auth/callback", strings.NewReader(body))
		r.Header["Content-Type"] = []string{contentType}
		w := httptest.NewRecorder()
		auth.ServeHTTP(w, r)
		requireNoFuzzedLogin(t, w)
	})
}

// FuzzTransactionCookie sends a callback with a transaction cookie that we did not seal, under the name that belongs to its state.
func FuzzTransactionCookie(f *testing.F) {
	auth := fuzzAuth(f, oidcauth.Query)
	start := httptest.NewRecorder()
	auth.ServeHTTP(start, navigation(app+"/auth/login"))
	genuine := start.Result().Cookies()
	require.NotEmpty(f, genuine)
	f.Add("state", genuine[0].Value)
	f.Add("", "")
	f.Add("state", strings.Repeat("1", 5000))
	f.Add("state", strings.Replace(genuine[0].Value, "|", "", 1))
	f.Fuzz(func(t *testing.T, state, value string) {
		r := httptest.NewRequest(http.MethodGet, app+"/auth/callback?code=a&state="+url.QueryEscape(state), http.NoBody)
		r.Header.Set("Cookie", auth.TransactionCookie(state)+"="+value+"; "+genuine[0].Name+"="+value)
		w := httptest.NewRecorder()
		auth.ServeHTTP(w, r)
		requireNoFuzzedLogin(t, w)
	})
}
