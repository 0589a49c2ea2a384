package oidcauth_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// Each row bends a logout token that would otherwise end the session (R4).
func TestABentLogoutTokenEndsNothing(t *testing.T) {
	event := func(value any) func(*oidcauthtest.Token) {
		return claim("events", map[string]any{logoutEvent: value})
	}
	w := newWorld(t, noPAR, backChannel)
	calls := w.evil()
	w.signIn()
	user := w.user()
	for name, bend := range map[string]func(*oidcauthtest.Token){
		"there is a nonce":                  claim("nonce", "x"),
		"there is an empty nonce":           claim("nonce", ""),
		"there is a null nonce":             claim("nonce", nil),
		"there is a Nonce":                  claim("Nonce", "x"),
		"the issuer is another":             claim("iss", "https://evil.example"),
		"the issuer has a slash more":       claim("iss", oidcauthtest.DefaultIssuer+"/"),
		"the issuer is absent":              without("iss"),
		"there are two issuers":             func(tok *oidcauthtest.Token) { tok.Claims.Add("iss", "https://evil.example") },
		"the audience is another client":    claim("aud", "other"),
		"the audience is absent":            without("aud"),
		"the audience is two other clients": claim("aud", []string{"other", "third"}),
		"azp is another client":             claim("azp", "other"),
		"iat is absent":                     without("iat"),
		"iat is ten minutes ago":            claim("iat", ago(10*time.Minute)),
		"iat is an hour ahead":              claim("iat", ago(-time.Hour)),
		"iat is a string":                   claim("iat", "1"),
		"exp is past":                       claim("exp", ago(5*time.Minute)),
		"exp is in the year 9999":           claim("exp", 253402300799),
		"exp is 1e300":                      claim("exp", literal("1e300")),
		"exp is a string":                   claim("exp", "9999999999"),
		"nbf is ahead":                      claim("nbf", ago(-time.Hour)),
		"jti is absent":                     without("jti"),
		"jti is empty":                      claim("jti", ""),
		"jti is a number":                   claim("jti", 7),
		"jti has 10 kB":                     claim("jti", strings.Repeat("j", 10<<10)),
		"events is absent":                  without("events"),
		"events is null":                    claim("events", nil),
		"events is a list":                  claim("events", []string{logoutEvent}),
		"events is a string":                claim("events", logoutEvent),
		"events names another event":        claim("events", map[string]any{"urn:x": map[string]any{}}),
		"the event is null":                 event(nil),
		"the event is true":                 event(true),
		"the event is a list":               event([]string{}),
		"neither sid nor sub":               without("sid", "sub"),
		"sid is a number":                   claim("sid", 7),
		"sub is a list":                     claim("sub", []string{"alice"}),
		"alg is none":                       func(tok *oidcauthtest.Token) { tok.Unsign("none") },
		"HS256 with the client's secret": func(tok *oidcauthtest.Token) {
			tok.Key = oidcauthtest.HMACKey([]byte("app-secret"))
			tok.Header.Set("alg", "HS256")
		},
		"another key signed it":     func(tok *oidcauthtest.Token) { tok.Key = foreign() },
		"an embedded key signed it": func(tok *oidcauthtest.Token) { tok.SignWith(foreign()); tok.Header.Set("jwk", foreign().JWK()) },
		"jku points at the attacker": func(tok *oidcauthtest.Token) {
			tok.SignWith(foreign())
			tok.Header.Set("jku", "https://evil.example/jwks")
		},
		"one bit is flipped":            func(tok *oidcauthtest.Token) { tok.FlipSignature() },
		"there is a crit header":        func(tok *oidcauthtest.Token) { tok.Header.Set("crit", []string{"x"}) },
		"its type is an access token's": func(tok *oidcauthtest.Token) { tok.Header.Set("typ", "at+jwt") },
		"its type is a proof's":         func(tok *oidcauthtest.Token) { tok.Header.Set("typ", "dpop+jwt") },
		"it is a million dots":          rewritten(func(string) string { return strings.Repeat(".", 60_000) }),
		"it is nothing":                 rewritten(func(string) string { return "" }),
		"it has a line end":             rewritten(func(s string) string { return s + "\n" }),
		"it is encrypted":               rewritten(func(string) string { return b64JSON(`{"alg":"dir","enc":"A256GCM"}`) + "..AA.AA.AA" }),
	} {
		t.Run(name, func(t *testing.T) {
			w.T = t
			answer := w.postLogoutToken(w.provider.LogoutToken("app", "alice", user.SessionID, bend))
			require.Equal(t, http.StatusBadRequest, answer.StatusCode)
			requireProtected(t, answer.Header)
			require.NotNil(t, w.user(), "the session goes on")
		})
	}
	w.T = t
	require.Empty(t, calls())
	require.Equal(t, http.StatusOK, w.postLogoutToken(w.provider.LogoutToken("app", "alice", user.SessionID)).StatusCode)
	require.Nil(t, w.user(), "the good token ends it")
}

// Each row posts a good logout token in a bad way.
func TestALogoutTokenIsTakenFromAFormOnly(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	w := newWorld(t, noPAR, backChannel)
	w.signIn()
	sid := w.user().SessionID
	for name, row := range map[string]struct {
		method, contentType, query string
		body                       func(token string) string
		status                     int
	}{
		"GET":                    {"GET", form, "", nil, 405},
		"PUT":                    {"PUT", form, "", nil, 405},
		"in the query":           {"POST", form, "?logout_token=", func(string) string { return "" }, 400},
		"as JSON":                {"POST", "application/json", "", func(tok string) string { return `{"logout_token":"` + tok + `"}` }, 400},
		"as a bare token":        {"POST", "application/logout+jwt", "", func(tok string) string { return tok }, 400},
		"as multipart":           {"POST", "multipart/form-data; boundary=x", "", nil, 400},
		"without a type":         {"POST", "", "", nil, 400},
		"twice":                  {"POST", form, "", func(tok string) string { return "logout_token=" + tok + "&logout_token=" + tok }, 400},
		"as an ID token":         {"POST", form, "", func(tok string) string { return "id_token=" + tok }, 400},
		"in a body of 65 kB":     {"POST", form, "", func(tok string) string { return "logout_token=" + tok + "&x=" + strings.Repeat("x", 65<<10) }, 400},
		"with a malformed query": {"POST", form, "?%zz", nil, 400},
	} {
		t.Run(name, func(t *testing.T) {
			w.T = t
			token := w.provider.LogoutToken("app", "alice", sid)
			body := "logout_token=" + token
			if row.body != nil {
				body = row.body(token)
			}
			query := row.query
			if query == "?logout_token=" {
				query += token
			}
			answer := w.raw(row.method, app+"/auth/backchannel-logout"+query, func(r *http.Request) {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
				r.Header.Set("Content-Type", row.contentType)
			})
			require.Equal(t, row.status, answer.StatusCode)
			requireProtected(t, answer.Header)
			require.NotNil(t, w.user())
		})
	}
}

func TestAnIDTokenIsNoLogoutToken(t *testing.T) {
	w := newWorld(t, noPAR, backChannel)
	var idToken string
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { idToken = a.Text("id_token") })
	w.signIn()
	require.Equal(t, http.StatusBadRequest, w.postLogoutToken(idToken).StatusCode)
	require.NotNil(t, w.user())
}

// Strangers learn nothing from the answers.
func TestLogoutAnswersDoNotTellWhoIsSignedIn(t *testing.T) {
	w := newWorld(t, noPAR, backChannel, func(c *oidcauth.Config) { c.FrontChannelLogout = true })
	w.signIn()
	known := w.user().SessionID
	read := func(answer *http.Response) string {
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		answer.Header.Del("Date")
		return answer.Status + string(body) + strings.Join(answer.Header.Values("Set-Cookie"), "") + answer.Header.Get("Content-Security-Policy")
	}
	front := func(sid string) string {
		return read(w.raw(http.MethodGet, app+"/auth/frontchannel-logout?"+url.Values{"iss": {w.provider.Issuer()}, "sid": {sid}}.Encode()))
	}
	require.Equal(t, front("unknown"), front(known))
	w.anew()
	w.signIn()
	back := func(sid string) string {
		token := w.provider.LogoutToken("app", "", sid)
		return read(w.raw(http.MethodPost, app+"/auth/backchannel-logout", func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader("logout_token=" + token))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}))
	}
	require.Equal(t, back("unknown"), back(w.user().SessionID))
}

// Front-channel logout needs what only the provider knows; and only its answer may be framed, by the provider alone.
func TestAnotherSiteCantForceALogoutByAFrame(t *testing.T) {
	w := newWorld(t, noPAR, func(c *oidcauth.Config) { c.FrontChannelLogout = true })
	w.signIn()
	user := w.user()
	good := url.Values{"iss": {user.Issuer}, "sid": {user.SessionID}}
	for name, query := range map[string]string{
		"nothing":         "",
		"iss alone":       "iss=" + url.QueryEscape(user.Issuer),
		"sid alone":       "sid=" + user.SessionID,
		"another issuer":  "iss=https%3A%2F%2Fevil.example&sid=" + user.SessionID,
		"a near issuer":   "iss=" + url.QueryEscape(user.Issuer+"/") + "&sid=" + user.SessionID,
		"an unknown sid":  "iss=" + url.QueryEscape(user.Issuer) + "&sid=guessed",
		"an empty sid":    "iss=" + url.QueryEscape(user.Issuer) + "&sid=",
		"two sids":        good.Encode() + "&sid=x",
		"two issuers":     good.Encode() + "&iss=https://evil.example",
		"a sid of 100 kB": "iss=" + url.QueryEscape(user.Issuer) + "&sid=" + strings.Repeat("s", 100<<10),
		"a subject":       "iss=" + url.QueryEscape(user.Issuer) + "&sub=alice",
	} {
		t.Run(name, func(t *testing.T) {
			w.T = t
			tab := w.browser.NewTab()
			tab.Show("https://evil.example/", "")
			page := tab.Frame(app + "/auth/frontchannel-logout?" + query)
			require.ErrorIs(t, page.Err, oidcauthtest.ErrFraming)
			require.Equal(t, http.StatusOK, page.Status)
			require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
			require.NotNil(t, w.user())
		})
	}
	w.T = t
	for _, method := range []string{"POST", "HEAD", "PUT"} {
		require.Equal(t, http.StatusMethodNotAllowed, w.raw(method, app+"/auth/frontchannel-logout?"+good.Encode()).StatusCode)
	}
	require.NotNil(t, w.user())
	tab := w.browser.NewTab()
	tab.Show(w.provider.Issuer()+"/logout", "")
	require.NoError(t, tab.Frame(app+"/auth/frontchannel-logout?"+good.Encode()).Err)
	require.Nil(t, w.user())
}

// A token for one sid and a subject ends the sessions of the subject whose login had no sid too, and no other.
func TestALogoutTokenEndsTheSessionsItNames(t *testing.T) {
	w := newWorld(t, noPAR, backChannel)
	older := w.browser
	w.signIn()
	olderSID := w.user().SessionID
	newer := w.anew()
	w.signIn()
	require.Equal(t, http.StatusOK, w.postLogoutToken(w.provider.LogoutToken("app", "alice", olderSID)).StatusCode)
	w.browser = older
	require.Nil(t, w.user())
	w.browser = newer
	require.NotNil(t, w.user())
	require.Equal(t, http.StatusOK, w.postLogoutToken(w.provider.LogoutToken("app", "bob", "")).StatusCode)
	require.NotNil(t, w.user(), "bob's logout is not alice's")
	require.Equal(t, http.StatusOK, w.postLogoutToken(w.provider.LogoutToken("app", "alice", "")).StatusCode)
	require.Nil(t, w.user(), "the newer session ends too")
}

// A logout that can't be written down is not confirmed, so that the provider tries again.
func TestALogoutThatTheStoreRefusesIsNotConfirmed(t *testing.T) {
	store := &brokenStore{Store: session.NewMemoryStore()}
	w := newWorld(t, noPAR, backChannel, func(c *oidcauth.Config) { c.Session.Store = store })
	w.signIn()
	token := w.provider.LogoutToken("app", "alice", "")
	store.broken.Store(true)
	answer := w.postLogoutToken(token)
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.NotEmpty(t, answer.Header.Get("Retry-After"))
	store.broken.Store(false)
	require.NotNil(t, w.user())
	require.Equal(t, http.StatusOK, w.postLogoutToken(token).StatusCode, "the same token is taken then")
	require.Nil(t, w.user())
}

// A token that comes again is confirmed, and does nothing: not even the hook runs.
func TestAReplayedLogoutTokenDoesNothing(t *testing.T) {
	var ended atomic.Int64
	w := newWorld(t, noPAR, backChannel, func(c *oidcauth.Config) {
		c.Hooks.Logout = func(context.Context, *oidcauth.User, oidcauth.LogoutReason) { ended.Add(1) }
	})
	w.signIn()
	token := w.provider.LogoutToken("app", "alice", "")
	for range 3 {
		require.Equal(t, http.StatusOK, w.postLogoutToken(token).StatusCode)
	}
	require.EqualValues(t, 1, ended.Load())
	require.Nil(t, w.user())
}

// Whatever sid a login was accepted with, the front channel can end it.
func TestTheLongestSIDCanBeLoggedOut(t *testing.T) {
	w := newWorld(t, noPAR, func(c *oidcauth.Config) { c.FrontChannelLogout = true })
	sid := strings.Repeat("s", 512)
	w.provider.BendIDToken(claim("sid", sid))
	w.signIn()
	w.raw(http.MethodGet, app+"/auth/frontchannel-logout?"+url.Values{"iss": {w.provider.Issuer()}, "sid": {sid}}.Encode())
	require.Nil(t, w.user())
}
