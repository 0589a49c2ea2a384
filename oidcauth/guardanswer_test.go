package oidcauth_test

import (
	"context"
	"encoding/json"
	"io"
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

// sendAs sends the application a request with these headers, in pairs, and what the browser has for cookies.
func (w *world) sendAs(method, path string, pairs ...string) *http.Response {
	r := httptest.NewRequest(method, app+path, http.NoBody)
	r.RequestURI = path
	for _, c := range w.browser.Cookies(app + "/") {
		r.AddCookie(c)
	}
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	return rec.Result()
}

func bodyOf(t *testing.T, answer *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(body)
}

// What the kinds of requests come with.
var (
	sentForm   = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin", "Accept", acceptsPage}
	sentScript = []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin", "Accept", acceptsAny}
	openedIn   = func(frame string) []string {
		return []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", frame, "Sec-Fetch-Site", "same-origin", "Accept", acceptsPage}
	}
)

func TestWhoeverIsShownTheAnswerOfAGuardGetsAPage(t *testing.T) {
	for name, row := range map[string]struct {
		method string
		kind   []string
		target string
	}{
		"a form":                       {"POST", sentForm, `href="/auth/login?return_to=%2Fform%3Fid%3D1"`},
		"a form of an old browser":     {"POST", []string{"Accept", acceptsPage}, `href="/auth/login?return_to=%2Fform%3Fid%3D1"`},
		"a form behind a worker":       {"POST", []string{"Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty", "Accept", acceptsPage}, "return_to"},
		"a form that takes any answer": {"POST", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", acceptsAny}, "return_to"},
		"a frame":                      {"GET", openedIn("iframe"), `target="_top"`},
		"an embedded page":             {"GET", openedIn("embed"), `target="_top"`},
		"an object":                    {"GET", openedIn("object"), `target="_top"`},
		"a fenced frame":               {"GET", openedIn("fencedframe"), `target="_top"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			answer := w.sendAs(row.method, "/me", append(row.kind, "Referer", app+"/form?id=1")...)
			require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
			require.Equal(t, "text/html; charset=utf-8", answer.Header.Get("Content-Type"))
			require.NotEmpty(t, answer.Header.Get("WWW-Authenticate"))
			require.Empty(t, answer.Header.Values("Set-Cookie"))
			requireProtected(t, answer.Header)
			require.Contains(t, answer.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
			require.Contains(t, bodyOf(t, answer), row.target)
			require.Empty(t, w.provider.Requests(), "nobody asked the provider anything")
		})
	}
}

func TestTheLinkOfASentFormLeadsBackToItsPage(t *testing.T) {
	w := newWorld(t, noPAR)
	tab := w.browser.NewTab()
	tab.Show(app+"/?form=1", "")
	page := tab.Post("/me", url.Values{"a": {"b"}})
	require.Equal(t, http.StatusUnauthorized, page.Status)
	link := linkIn(t, page.Body, "/auth/login")
	page = tab.Click(link)
	require.NoError(t, page.Err)
	require.Equal(t, app+"/?form=1", page.URL)
	require.Equal(t, "alice", w.user().Subject)
}

// linkIn returns the first link in body that begins so.
func linkIn(t *testing.T, body, prefix string) string {
	t.Helper()
	_, rest, found := strings.Cut(body, `href="`+prefix)
	require.True(t, found, body)
	rest, _, _ = strings.Cut(rest, `"`)
	return strings.ReplaceAll(prefix+rest, "&amp;", "&")
}

func TestALoginThatAGuardOffersComesBackToThePageItWasSentFrom(t *testing.T) {
	for name, row := range map[string]struct {
		header []string
		want   string
	}{
		"no Referer":                              {nil, "/auth/login"},
		"a page of ours":                          {[]string{"Referer", app + "/cart?x=1&y=2"}, "/auth/login?return_to=%2Fcart%3Fx%3D1%26y%3D2"},
		"a page of ours with our port written":    {[]string{"Referer", strings.Replace(app, "https://", "HTTPS://", 1) + ":443/cart"}, "/auth/login?return_to=%2Fcart"},
		"our origin alone":                        {[]string{"Referer", app + "/"}, "/auth/login"},
		"our origin without a slash":              {[]string{"Referer", app}, "/auth/login"},
		"another site":                            {[]string{"Referer", "https://evil.example/cart"}, "/auth/login"},
		"another port":                            {[]string{"Referer", app + ":8443/cart"}, "/auth/login"},
		"another scheme":                          {[]string{"Referer", strings.Replace(app, "https", "http", 1) + "/cart"}, "/auth/login"},
		"a site that begins like ours":            {[]string{"Referer", app + ".evil.example/cart"}, "/auth/login"},
		"a user that looks like ours":             {[]string{"Referer", app + "@evil.example/cart"}, "/auth/login"},
		"a page of ours with two slashes":         {[]string{"Referer", app + "//evil.example"}, "/auth/login"},
		"a page of ours with dots":                {[]string{"Referer", app + "/a/%2e%2e/b"}, "/auth/login"},
		"one of the own routes":                   {[]string{"Referer", app + "/auth/logout"}, "/auth/login"},
		"no URL":                                  {[]string{"Referer", "%zz"}, "/auth/login"},
		"a query that is too long":                {[]string{"Referer", app + "/cart?" + strings.Repeat("x", 4096)}, "/auth/login?return_to=%2Fcart"},
		"a page that htmx names":                  {[]string{"HX-Request", "true", "HX-Current-URL", app + "/cart?x=1#top", "Referer", app + "/other"}, "/auth/login?return_to=%2Fcart%3Fx%3D1"},
		"a page of another site that htmx names":  {[]string{"HX-Request", "true", "HX-Current-URL", "https://evil.example/cart"}, "/auth/login"},
		"htmx that names none":                    {[]string{"HX-Request", "true", "Referer", app + "/cart"}, "/auth/login?return_to=%2Fcart"},
		"an escaped slash, which is data":         {[]string{"Referer", app + "/npm/@scope%2Fname"}, "/auth/login?return_to=%2Fnpm%2F%40scope%252Fname"},
		"a script without a word of where it ran": {[]string{"Referer", "about:blank"}, "/auth/login"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			answer := w.sendAs("GET", "/me", append(row.header, sentScript...)...)
			require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
			var body map[string]string
			require.NoError(t, json.NewDecoder(answer.Body).Decode(&body))
			require.Equal(t, map[string]string{"error": "login_required", "login_url": row.want}, body)
			if len(row.header) > 0 && row.header[0] == "HX-Request" {
				require.Equal(t, row.want, answer.Header.Get("HX-Redirect"))
			} else {
				require.Empty(t, answer.Header.Values("HX-Redirect"))
			}
		})
	}
}

func TestTheErrorHandlerWritesThePagesOfGuards(t *testing.T) {
	var got []*oidcauth.Problem
	w := newWorld(t, noPAR, func(c *oidcauth.Config) {
		c.ErrorHandler = func(rw http.ResponseWriter, r *http.Request, err error) {
			var p *oidcauth.Problem
			require.ErrorAs(t, err, &p)
			got = append(got, p)
			rw.WriteHeader(p.Status)
		}
	})
	w.sendAs("POST", "/me", append(sentForm, "Referer", app+"/form")...)
	w.sendAs("GET", "/me", append(openedIn("iframe"), "Referer", app+"/form")...)
	w.sendAs("GET", "/me", sentScript...)
	w.signIn()
	w.sendAs("GET", "/admin", sentForm...)
	require.Len(t, got, 3, "what scripts get stays as it is")
	for _, p := range got[:2] {
		require.Equal(t, http.StatusUnauthorized, p.Status)
		require.Equal(t, "login_required", p.Code)
		require.Equal(t, "/auth/login?return_to=%2Fform", p.Link)
		require.NotEmpty(t, p.LinkText)
		require.ErrorIs(t, p, oidcauth.ErrLoginRequired)
		require.Nil(t, p.User)
	}
	require.Equal(t, []bool{false, true, false}, []bool{got[0].Frame, got[1].Frame, got[2].Frame})
	require.Equal(t, "forbidden", got[2].Code)
	require.Equal(t, "alice", got[2].User.Subject)
	require.Equal(t, "/auth/logout", got[2].SignOutURL)
	require.Equal(t, "/auth/login?return_to=%2Fadmin&prompt=select_account", got[2].SwitchURL)
}

func TestAnUnmetStepUpOfASentFormIsAPage(t *testing.T) {
	w := newWorld(t, noPAR)
	w.mux.Handle("/gold", w.auth.Require(oidcauth.ACR("gold"))(http.HandlerFunc(writeUser)))
	w.signIn()
	answer := w.sendAs("POST", "/gold", append(sentForm, "Referer", app+"/gold")...)
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), "insufficient_user_authentication")
	require.Equal(t, "text/html; charset=utf-8", answer.Header.Get("Content-Type"))
	answer = w.sendAs("POST", "/gold", sentScript...)
	require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
	require.Contains(t, bodyOf(t, answer), "insufficient_user_authentication")
}

// Single sign-on would bring the same account again, so that whoever is refused can leave it, or take another.
func TestARefusalIsNoDeadEnd(t *testing.T) {
	w := newWorld(t, noPAR)
	w.signIn()
	tab := w.browser.NewTab()
	page := tab.Get(app + "/admin")
	require.Equal(t, http.StatusForbidden, page.Status)
	require.Contains(t, page.Body, "Alice Adams")
	link := linkIn(t, page.Body, "/auth/login")
	require.Equal(t, "/auth/login?return_to=%2Fadmin&prompt=select_account", link)
	again := w.browser.NewTab()
	again.Show(page.URL, page.Body)
	again.Click(link)
	require.Equal(t, "select_account", w.authenticationRequest().Get("prompt"))

	require.Equal(t, "same-origin", page.Header.Get("Referrer-Policy"), "else the form's Origin is null, and refused")
	page = tab.Submit("/auth/logout", nil)
	require.NoError(t, page.Err)
	require.True(t, strings.HasPrefix(page.URL, app+"/auth/signed-out"), page.URL)
	require.Nil(t, w.user())
}

func TestALoginThatWasRefusedOffersAnotherAccount(t *testing.T) {
	w := newWorld(t, noPAR, func(c *oidcauth.Config) {
		c.Hooks.Login = func(context.Context, *oidcauth.User) error { return &oidcauth.DeniedError{Requirement: "a friend"} }
	})
	page := w.browser.Get(app + "/me?x=1")
	require.Equal(t, http.StatusForbidden, page.Status)
	require.Contains(t, page.Body, `href="/auth/login?return_to=%2Fme%3Fx%3D1&amp;prompt=select_account"`)
	require.NotContains(t, page.Body, "<form", "nobody is signed in")
}

func TestALinkMayAskForNothingButAnotherAccount(t *testing.T) {
	for name, row := range map[string]struct {
		query, configured, want string
	}{
		"another account":                {"prompt=select_account", "", "select_account"},
		"another account beside consent": {"prompt=select_account", "consent", "select_account consent"},
		"no login at all":                {"prompt=none", "", ""},
		"consent":                        {"prompt=consent", "", ""},
		"more than that":                 {"prompt=select_account%20none", "", ""},
		"nothing":                        {"return_to=/me", "login", "login"},
		"a third party's wish":           {"prompt=select_account&iss=", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR, func(c *oidcauth.Config) { c.Login.Prompt = row.configured })
			if strings.HasSuffix(row.query, "iss=") {
				row.query += url.QueryEscape(w.provider.Issuer())
			}
			require.NoError(t, w.browser.Get(app+"/auth/login?"+row.query).Err)
			require.Equal(t, row.want, w.authenticationRequest().Get("prompt"))
		})
	}
}

func TestA503OffersToTryAgain(t *testing.T) {
	w := newWorld(t, noPAR)
	w.provider.Intercept(oidcauthtest.Discovery, oidcauthtest.Reply(500, "text/plain", "down"))
	for path, want := range map[string]string{
		"/me?x=1":                             `href="/me?x=1"`,
		"/auth/login?return_to=%2Fme%3Fx%3D1": `href="/auth/login?return_to=%2Fme%3Fx%3D1"`,
	} {
		answer := w.sendAs("GET", path, sentForm...)
		require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
		require.NotEmpty(t, answer.Header.Get("Retry-After"))
		require.Contains(t, bodyOf(t, answer), want)
	}
}

func TestAStoreThatIsDownOffersToTryAgain(t *testing.T) {
	store := &moodyStore{Store: session.NewMemoryStore()}
	w := newWorld(t, noPAR, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, true })
	w.signIn()
	store.failAfter(0)
	answer := w.sendAs("GET", "/me?x=1", sentForm...)
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.Contains(t, bodyOf(t, answer), `href="/me?x=1"`)
	answer = w.sendAs("POST", "/me", append(sentForm, "Referer", app+"/form")...)
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.Contains(t, bodyOf(t, answer), `href="/form"`, "a form is sent from its page again")
}

func TestTheLoginRouteIsJudgedAsGuardsAre(t *testing.T) {
	for name, row := range map[string]struct {
		header []string
		status int
	}{
		"a page":                         {openedIn("document"), http.StatusSeeOther},
		"a page behind a service worker": {openedIn("empty"), http.StatusSeeOther},
		"a page behind a service worker, Firefox": {[]string{"Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty", "Accept", acceptsPage}, http.StatusSeeOther},
		"a page without metadata":                 {[]string{"Accept", acceptsPage}, http.StatusSeeOther},
		"a client that is no browser":             {nil, http.StatusSeeOther},
		"a frame":                                 {openedIn("iframe"), http.StatusUnauthorized},
		"a script":                                {sentScript, http.StatusUnauthorized},
		"a script of an old browser":              {[]string{"X-Requested-With", "XMLHttpRequest", "Accept", acceptsPage}, http.StatusUnauthorized},
		"an image":                                {[]string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, http.StatusUnauthorized},
		"a prefetch":                              {append(openedIn("document"), "Sec-Purpose", "prefetch"), http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			answer := w.sendAs("GET", "/auth/login?return_to=/me", row.header...)
			require.Equal(t, row.status, answer.StatusCode)
			if row.status == http.StatusUnauthorized {
				require.Empty(t, answer.Header.Values("Set-Cookie"))
				require.Empty(t, w.provider.Requests())
			}
		})
	}
	w := newWorld(t, noPAR)
	answer := w.sendAs("GET", "/auth/login?return_to=/me", append(sentScript, "HX-Request", "true", "HX-Current-URL", app+"/shop")...)
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	require.Equal(t, "/auth/login?return_to=%2Fme", answer.Header.Get("HX-Redirect"), "htmx opens the login itself")
}

func TestALogoutNeverShowsItsHint(t *testing.T) {
	page := []string{"Accept", acceptsPage}
	for name, row := range map[string]struct {
		header []string
		json   bool
	}{
		"a form":                          {sentForm, false},
		"a form behind a service worker":  {openedIn("empty"), false},
		"a form in a frame":               {openedIn("iframe"), false},
		"a form behind a worker, Firefox": {append([]string{"Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty"}, page...), false},
		"a destination that is unknown":   {openedIn("x"), false},
		"a form without a mode":           {[]string{"Sec-Fetch-Dest", "document"}, false},
		"a script that asks for a page":   {append([]string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, page...), false},
		"a form of an old browser":        {page, false},
		"a client that is no browser":     {nil, false},
		"a script":                        {sentScript, true},
		"a script of the same origin":     {[]string{"Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty", "Accept", acceptsAny}, true},
		"a script of an old browser":      {[]string{"X-Requested-With", "XMLHttpRequest"}, true},
		"a client that wants JSON":        {[]string{"Accept", "application/json"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			w.signIn()
			answer := w.sendAs("POST", "/auth/logout", row.header...)
			if row.json {
				require.Equal(t, http.StatusOK, answer.StatusCode)
				require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
				require.Contains(t, bodyOf(t, answer), "id_token_hint")
				return
			}
			require.Equal(t, http.StatusSeeOther, answer.StatusCode)
			require.Contains(t, answer.Header.Get("Location"), "id_token_hint")
			require.Empty(t, bodyOf(t, answer))
		})
	}
	w := newWorld(t, noPAR)
	w.signIn()
	answer := w.sendAs("POST", "/auth/logout", append(sentScript, "HX-Request", "true")...)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Contains(t, answer.Header.Get("HX-Redirect"), "id_token_hint")
	require.Empty(t, bodyOf(t, answer), "htmx would put it into the page")
}

func TestRequireLoginFuncGuardsAFunction(t *testing.T) {
	w := newWorld(t, noPAR)
	w.mux.HandleFunc("/func", w.auth.RequireLoginFunc(writeUser))
	w.mux.Handle("/handler", w.auth.RequireLoginFunc(writeUser))
	require.Equal(t, http.StatusUnauthorized, w.sendAs("GET", "/func", sentScript...).StatusCode)
	w.signIn()
	for _, path := range []string{"/func", "/handler"} {
		require.Contains(t, bodyOf(t, w.sendAs("GET", path, sentScript...)), "alice")
	}
}
