package main_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// postForm is a script's form, sent from the site that origin is.
func (b *browser) postForm(address, origin string, form url.Values) page {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	require.NoError(b.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Sec-Fetch-Mode", "cors")
	req.Header.Set("Sec-Fetch-Dest", "empty")
	req.Header.Set("Origin", origin)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if !strings.HasPrefix(address, origin+"/") {
		req.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	b.show(req, nil)
	return b.page
}

// A listedSession is one of /api/sessions.
type listedSession struct {
	ID        string    `json:"id"`
	Current   bool      `json:"current"`
	Created   time.Time `json:"created_at"`
	LastSeen  time.Time `json:"last_seen_at"`
	Provider  string    `json:"provider"`
	UserAgent string    `json:"user_agent"`
	Address   *string   `json:"address"`
	Bound     bool      `json:"bound"`
}

// sessions are those that the browser's user has.
func (b *browser) sessions(a *webapp) (list []listedSession) {
	b.t.Helper()
	p := b.fetch(http.MethodGet, a.base+"/api/sessions")
	require.Equal(b.t, http.StatusOK, p.status, p.body)
	decoder := json.NewDecoder(strings.NewReader(p.body))
	decoder.DisallowUnknownFields()
	require.NoError(b.t, decoder.Decode(&list))
	return list
}

// hasSession reports whether the browser has a session cookie of the app.
func (b *browser) hasSession(a *webapp) bool {
	return slices.ContainsFunc(b.cookies(a.base), func(c *http.Cookie) bool { return c.Name == "__Host-session" })
}

// requireHere asserts whether the browser is signed in.
func (b *browser) requireHere(a *webapp, here bool) {
	b.t.Helper()
	status := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[here]
	require.Equal(b.t, status, b.fetch(http.MethodGet, a.base+"/api/me").status)
}

// requireCode asserts a JSON refusal.
func requireCode(t *testing.T, p page, status int, code string) {
	t.Helper()
	require.Equal(t, status, p.status, p.body)
	var refusal struct{ Error string }
	require.NoError(t, json.Unmarshal([]byte(p.body), &refusal))
	require.Equal(t, code, refusal.Error)
}

func TestPeopleSeeAndEndTheirSessions(t *testing.T) {
	for _, store := range []string{"cookie", "memory"} {
		t.Run(store, func(t *testing.T) {
			a := startApp(t, "SESSION_STORE", store)
			before := time.Now().Add(-time.Second)
			there, here, bob := a.signedIn("alice"), a.signedIn("alice"), a.signedIn("bob")
			list := here.sessions(a)
			require.Len(t, list, 2)
			require.Equal(t, []bool{true, false}, []bool{list[0].Current, list[1].Current}, "newest first")
			for _, s := range list {
				require.NotEmpty(t, s.ID)
				require.Equal(t, a.issuer(), s.Provider)
				require.Contains(t, s.UserAgent, "Go-http-client")
				require.Nil(t, s.Address)
				require.False(t, s.Bound)
				require.True(t, s.Created.After(before) && !s.LastSeen.Before(s.Created.Truncate(time.Millisecond)))
			}
			require.Contains(t, here.page.body, `"address":null`)
			require.Len(t, bob.sessions(a), 1)

			end := a.base + "/api/sessions/end"
			for name, id := range map[string]string{"an unknown id": "x", "another user's": bob.sessions(a)[0].ID} {
				requireCode(t, here.postForm(end, a.base, url.Values{"id": {id}}), http.StatusNotFound, "not_found")
				require.NotEmpty(t, name)
			}
			requireCode(t, here.postForm(end, a.base, nil), http.StatusBadRequest, "invalid_request")
			requireCode(t, here.postForm(end+"?id="+list[1].ID, a.base, nil), http.StatusBadRequest, "invalid_request")
			requireCode(t, here.postForm(end, a.base, url.Values{"id": {strings.Repeat("x", 10_000)}}), http.StatusBadRequest, "invalid_request")
			requireCode(t, here.postForm(end, "https://evil.example", url.Values{"id": {list[1].ID}}), http.StatusForbidden, "cross_origin")
			requireCode(t, newBrowser(t).postForm(end, a.base, url.Values{"id": {list[1].ID}}), http.StatusUnauthorized, "login_required")
			there.requireHere(a, true)
			bob.requireHere(a, true)

			p := here.postForm(end, a.base, url.Values{"id": {list[1].ID}})
			require.Equal(t, http.StatusNoContent, p.status)
			require.Empty(t, p.body)
			there.requireHere(a, false)
			require.Len(t, here.sessions(a), 1)
			requireCode(t, here.postForm(end, a.base, url.Values{"id": {list[1].ID}}), http.StatusNotFound, "not_found")

			require.Equal(t, http.StatusNoContent, here.postForm(end, a.base, url.Values{"id": {list[0].ID}}).status)
			require.False(t, here.hasSession(a), "its own cookie expires")
			here.requireHere(a, false)
			bob.requireHere(a, true)
		})
	}
}

func TestPeopleEndTheOtherSessionsOrAll(t *testing.T) {
	for _, store := range []string{"cookie", "memory"} {
		t.Run(store, func(t *testing.T) {
			a := startApp(t, "SESSION_STORE", store)
			here, there, bob := a.signedIn("alice"), a.signedIn("alice"), a.signedIn("bob")
			for _, path := range []string{"end-others", "end-all"} {
				requireCode(t, here.postForm(a.base+"/api/sessions/"+path, "https://evil.example", nil), http.StatusForbidden, "cross_origin")
				requireCode(t, newBrowser(t).postForm(a.base+"/api/sessions/"+path, a.base, nil), http.StatusUnauthorized, "login_required")
				require.Equal(t, http.StatusMethodNotAllowed, here.fetch(http.MethodGet, a.base+"/api/sessions/"+path).status)
			}
			require.Equal(t, http.StatusNoContent, here.postForm(a.base+"/api/sessions/end-others", a.base, nil).status)
			here.requireHere(a, true)
			there.requireHere(a, false)
			require.Len(t, here.sessions(a), 1)
			there.open(a.base + "/profile")
			there.requireHere(a, true)
			require.Equal(t, http.StatusNoContent, here.postForm(a.base+"/api/sessions/end-all", a.base, nil).status)
			require.False(t, here.hasSession(a))
			there.requireHere(a, false)
			bob.requireHere(a, true)
			require.Len(t, bob.sessions(a), 1)
		})
	}
}

func TestEndingAllAsksAnewOnlyWhereThatIsConfigured(t *testing.T) {
	for _, fresh := range []string{"false", "true"} {
		t.Run(fresh, func(t *testing.T) {
			a := startApp(t, "SESSION_FRESH_AFTER_REVOKE", fresh)
			here, there := a.signedIn("alice"), a.signedIn("alice")
			require.Equal(t, http.StatusNoContent, here.postForm(a.base+"/api/sessions/end-others", a.base, nil).status)
			require.Equal(t, "/profile", there.open(a.base+"/profile").url.Path, "ending the others asks nobody")
			require.Equal(t, http.StatusNoContent, here.postForm(a.base+"/api/sessions/end-all", a.base, nil).status)
			for _, b := range []*browser{here, there} {
				require.Equal(t, fresh == "true", b.open(a.base+"/profile").url.Path != "/profile")
			}
		})
	}
}

func TestTheProfileEndsSessionsWithoutScripts(t *testing.T) {
	a := startApp(t, "SESSION_RECORD_ADDRESS", "true")
	there, here := a.signedIn("alice"), a.signedIn("alice")
	list := here.sessions(a)
	require.Equal(t, "127.0.0.1", *list[1].Address)
	p := here.open(a.base + "/profile")
	require.Contains(t, p.body, "Go-http-client")
	require.Contains(t, p.body, "127.0.0.1")
	require.Contains(t, p.body, `value="`+list[1].ID+`"`)
	require.NotContains(t, p.body, `value="`+list[0].ID+`"`, "this one is ended by signing out")
	require.Equal(t, "/profile", here.submit("/profile/sessions/end", url.Values{"id": {list[1].ID}}).url.Path)
	require.NotContains(t, here.page.body, "/profile/sessions/end")
	there.requireHere(a, false)
}

// What is listed is nobody else's business: a GET is judged as a POST is.
func TestOtherSitesAskForNoSessions(t *testing.T) {
	a := startApp(t, "EXCHANGE_AUDIENCE", "https://api.example.test")
	alice := a.signedIn("alice")
	for name, row := range map[string]struct {
		header []string
		status int
	}{
		"a script of ours":            {nil, http.StatusOK},
		"an address typed in":         {[]string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, http.StatusOK},
		"an old browser, on our page": {[]string{"Sec-Fetch-Site", "", "Origin", a.base}, http.StatusOK},
		"another site's script":       {[]string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"a sister host's":             {[]string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		"another site's link":         {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html"}, http.StatusForbidden},
		"another site's, with Origin": {[]string{"Sec-Fetch-Site", "", "Origin", "https://evil.test"}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			p := alice.script(http.MethodGet, a.base, "/api/sessions", row.header...)
			require.Equal(t, row.status, p.status, p.body)
			exchanged := alice.script(http.MethodGet, a.base, "/api/exchange", row.header...)
			require.Equal(t, row.status == http.StatusForbidden, exchanged.status == http.StatusForbidden, exchanged.body)
			if row.status == http.StatusForbidden {
				requireCode(t, p, row.status, "cross_origin")
				requireCode(t, exchanged, row.status, "cross_origin")
			}
		})
	}
}
