package oidcauthtest_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// A deviceServer binds sessions at https://a.test: the least that browsers take.
type deviceServer struct {
	*testing.T
	now        time.Time
	life       int
	initiators []string
	answer     func(w http.ResponseWriter) bool // to renewals; nil or false: the usual

	browser  *oidcauthtest.Browser
	keys     map[string]string // thumbprints by identifier
	renewals []http.Header
}

// newDeviceServer returns a server, and a browser that knows it.
func newDeviceServer(t *testing.T, alg string) *deviceServer {
	s := &deviceServer{T: t, now: time.Now(), life: 600, keys: map[string]string{}}
	n := oidcauthtest.NewNetwork()
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Secure-Session-Registration", `(ES256 RS256);path="/start";challenge="first"`)
		w.Header().Set("Location", "/page")
		w.WriteHeader(http.StatusSeeOther)
	})
	mux.HandleFunc("/start", s.start)
	mux.HandleFunc("/refresh", s.refresh)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("bound")
		fmt.Fprintf(w, "%t%v", err == nil, r.Header.Values("Secure-Session-Skipped"))
	})
	n.Handle("https://a.test", mux)
	n.Handle("http://a.test", mux)
	n.Handle("https://b.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://a.test/page", http.StatusFound)
	}))
	s.browser = oidcauthtest.NewBrowser(n)
	s.browser.DeviceAlg = alg
	s.browser.Now = func() time.Time { return s.now }
	return s
}

// verify returns the challenge of the proof in r, and the thumbprint of its key or the one given.
func (s *deviceServer) verify(r *http.Request, known string) (challenge, thumbprint string) {
	jws, err := jose.ParseSignedCompact(r.Header.Get("Secure-Session-Response"), []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	require.NoError(s, err)
	require.Equal(s, "dbsc+jwt", jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType])
	var claims map[string]string
	require.NoError(s, json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &claims))
	if key := jws.Signatures[0].Protected.JSONWebKey; known == "" {
		_, err = jws.Verify(key)
		require.NoError(s, err)
		sum, err := key.Thumbprint(crypto.SHA256)
		require.NoError(s, err)
		return claims["jti"], base64.RawURLEncoding.EncodeToString(sum)
	}
	require.Nil(s, jws.Signatures[0].Protected.JSONWebKey, "a renewal brings no key")
	return claims["jti"], known
}

func (s *deviceServer) start(w http.ResponseWriter, r *http.Request) {
	require.Equal(s, []string{"POST", "same-origin", "no-cors", "empty", "https://a.test"},
		[]string{r.Method, r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest"), r.Header.Get("Origin")})
	challenge, thumbprint := s.verify(r, "")
	require.Equal(s, "first", challenge)
	id := fmt.Sprintf("id %d", len(s.keys))
	s.keys[id] = thumbprint
	s.bind(w, id)
}

func (s *deviceServer) bind(w http.ResponseWriter, id string) {
	http.SetCookie(w, &http.Cookie{Name: "bound", Value: "x", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: s.life})
	_ = json.NewEncoder(w).Encode(map[string]any{
		"session_identifier": id, "refresh_url": "/refresh", "allowed_refresh_initiators": s.initiators,
		"scope":       map[string]any{"origin": "https://a.test", "scope_specification": []any{map[string]string{"type": "exclude", "domain": "a.test", "path": "/own"}}},
		"credentials": []any{map[string]string{"type": "cookie", "name": "bound", "attributes": "Path=/; Secure; HttpOnly; SameSite=Lax"}},
	})
}

func (s *deviceServer) refresh(w http.ResponseWriter, r *http.Request) {
	s.renewals = append(s.renewals, r.Header)
	id := r.Header.Get("Sec-Secure-Session-Id")
	switch {
	case s.answer != nil && s.answer(w):
	case r.Header.Get("Secure-Session-Response") == "":
		w.Header().Set("Secure-Session-Challenge", fmt.Sprintf(`"second";id=%q`, id))
		w.WriteHeader(http.StatusForbidden)
	default:
		challenge, _ := s.verify(r, s.keys[id])
		require.Equal(s, "second", challenge)
		s.bind(w, id)
	}
}

// bound signs in, and lets the registration be made.
func (s *deviceServer) bound() *deviceServer {
	require.Equal(s, "false[]", s.browser.Get("https://a.test/login").Body, "the page is asked for before the registration is over")
	require.Len(s, s.browser.DeviceSessions(), 1)
	require.Equal(s, "true[]", s.browser.Get("https://a.test/page").Body)
	return s
}

// later lets the bound cookie end.
func (s *deviceServer) later() *deviceServer {
	s.now = s.now.Add(time.Duration(s.life+1) * time.Second)
	return s
}

func TestBrowserRenewsTheBoundCookie(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256"} {
		s := newDeviceServer(t, alg).bound().later()
		require.Equal(t, "true[]", s.browser.Get("https://a.test/page").Body)
		require.Len(t, s.renewals, 2, "a challenge, then a proof")
		require.Equal(t, "true[]", s.browser.Get("https://a.test/page").Body)
		require.Len(t, s.renewals, 2)
	}
}

func TestBrowserThatKnowsNoDevicesTakesNoNotice(t *testing.T) {
	s := newDeviceServer(t, "")
	require.Equal(t, "false[]", s.browser.Get("https://a.test/login").Body)
	require.Equal(t, "false[]", s.browser.Get("https://a.test/page").Body)
	s = newDeviceServer(t, "ES256")
	s.browser.Get("http://a.test/login")
	require.Empty(t, s.browser.DeviceSessions(), "nor does any browser over plain http")
}

func TestNavigationOfAnotherSiteRenewsNothing(t *testing.T) {
	s := newDeviceServer(t, "ES256").bound().later()
	s.browser.Show("https://b.test/", "")
	require.Equal(t, "false[]", s.browser.Click("https://a.test/page").Body, "and says nothing")
	require.Equal(t, "true[]", s.browser.Click("/page").Body, "a page of the site itself does")

	s = newDeviceServer(t, "ES256")
	s.initiators = []string{"b.test"}
	s.bound().later()
	s.browser.Show("https://b.test/", "")
	require.Equal(t, "true[]", s.browser.Click("https://a.test/page").Body)
	require.Empty(t, s.renewals[0].Get("Cookie"), "without the cookies that SameSite keeps")
}

func TestExcludedPathsAreNotHeldUp(t *testing.T) {
	s := newDeviceServer(t, "ES256").bound().later()
	require.Equal(t, "false[]", s.browser.Get("https://a.test/own/x").Body)
	require.Empty(t, s.renewals)
	require.Equal(t, "true[]", s.browser.Get("https://a.test/owner").Body)
}

func TestRenewalsThatFail(t *testing.T) {
	status := func(code int) func(http.ResponseWriter) bool {
		return func(w http.ResponseWriter) bool { w.WriteHeader(code); return true }
	}
	for name, row := range map[string]struct {
		answer func(http.ResponseWriter) bool
		says   string
		kept   int
	}{
		"an outage":                 {status(503), `false[server_error;session_identifier="id 0"]`, 1},
		"a refusal":                 {status(401), "false[]", 0},
		"a 403 without a challenge": {status(403), "false[]", 0},
		"an end": {func(w http.ResponseWriter) bool {
			fmt.Fprint(w, `{"continue":false}`)
			return true
		}, "false[]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newDeviceServer(t, "ES256").bound().later()
			s.answer = row.answer
			require.Equal(t, row.says, s.browser.Get("https://a.test/page").Body)
			require.Len(t, s.browser.DeviceSessions(), row.kept)
			s.answer = nil
			if row.kept == 1 {
				require.Equal(t, `false[unreachable;session_identifier="id 0"]`, s.browser.Get("https://a.test/page").Body, "it is left alone for a while")
				require.Equal(t, "true[]", s.later().browser.Get("https://a.test/page").Body)
			}
		})
	}
}

func TestQuotaOfRenewals(t *testing.T) {
	s := newDeviceServer(t, "ES256")
	s.life = 10
	s.bound()
	for range 5 {
		require.Equal(t, "true[]", s.later().browser.Get("https://a.test/page").Body)
	}
	require.Equal(t, `false[quota_exceeded;session_identifier="id 0"]`, s.later().browser.Get("https://a.test/page").Body)
	require.Len(t, s.browser.DeviceSessions(), 1)
}

func TestWhatEndsABinding(t *testing.T) {
	s := newDeviceServer(t, "ES256").bound()
	s.browser.ClearCookies()
	require.Equal(t, "true[]", s.browser.Get("https://a.test/page").Body, "not that its cookie is gone")
	s.browser.Restart()
	require.Len(t, s.browser.DeviceSessions(), 1, "nor a restart")
	s.answer = func(w http.ResponseWriter) bool { w.Header().Set("Clear-Site-Data", `"storage"`); return false }
	s.later().browser.Get("https://a.test/page")
	require.Empty(t, s.browser.DeviceSessions())
}
