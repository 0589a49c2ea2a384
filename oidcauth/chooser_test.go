package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// offering makes a town whose providers, acme and bolt, are offered, and cove, which is not.
func offering(t *testing.T, configure ...func(*oidcauth.ProvidersConfig)) *town {
	t.Helper()
	w := newTown(t, configure...)
	for _, name := range []string{"acme", "bolt"} {
		require.NoError(t, w.providers.Replace(t.Context(), name, w.config(name), oidcauth.Offered("People of "+name)))
	}
	w.open("cove")
	require.NoError(t, w.providers.Add("cove", w.config("cove")))
	return w
}

func byDomain(c *oidcauth.ProvidersConfig) {
	c.ByDomain = func(domain string) string { return map[string]string{"cove.example": "cove"}[domain] }
}

// chooserLink is where the page that is shown leads for a provider.
func chooserLink(name, back string) string {
	return `href="/auth/` + name + `/login?return_to=` + url.QueryEscape(back) + `"`
}

func TestAPersonChoosesAmongTheProvidersThatAreOffered(t *testing.T) {
	w := offering(t)
	page := w.get("/any?q=1")
	require.Equal(t, http.StatusOK, page.Status)
	require.Contains(t, page.Body, chooserLink("acme", "/any?q=1"))
	require.Contains(t, page.Body, chooserLink("bolt", "/any?q=1"))
	require.NotContains(t, page.Body, "cove", "nobody is told of a customer that is not offered")
	require.NotContains(t, page.Body, "<form")
	require.Equal(t, "no-store", page.Header.Get("Cache-Control"))

	page = w.get("/auth/bolt/login?return_to=/any")
	require.Equal(t, http.StatusOK, page.Status)
	require.Equal(t, "bolt", w.user().Provider)
	require.Equal(t, app+"/any", page.URL)
}

func TestABrowserComesBackToTheProviderOfLastTime(t *testing.T) {
	w := offering(t)
	w.signIn("bolt")
	page := w.get("/auth/login")
	require.Less(t, strings.Index(page.Body, "People of bolt"), strings.Index(page.Body, "People of acme"), "the last one is the first")

	for _, c := range w.browser.Cookies(app) {
		if c.Name == "__Host-session" {
			w.browser.DeleteCookie(app, c.Name)
		}
	}
	require.Nil(t, w.user())
	page = w.get("/any")
	require.Equal(t, http.StatusOK, page.Status)
	require.Equal(t, "bolt", w.user().Provider, "without being asked")
}

func TestWhatABrowserRemembersIsOnlyAChoice(t *testing.T) {
	for name, remembered := range map[string]string{
		"a provider that is not there": "gone", "no name": "../../evil", "markup": "<script>", "nothing": "", "a route": "login", "a long name": strings.Repeat("a", 64),
	} {
		t.Run(name, func(t *testing.T) {
			w := offering(t)
			r := navigation(app + "/any")
			r.Header.Set("Cookie", "__Host-session-provider="+remembered)
			answer := httptest.NewRecorder()
			w.mux.ServeHTTP(answer, r)
			require.Equal(t, http.StatusSeeOther, answer.Code)
			require.Equal(t, "/auth/login?return_to=%2Fany", answer.Header().Get("Location"))
		})
	}
	t.Run("a provider that is there is gone to, and lets in whom it knows alone", func(t *testing.T) {
		w := offering(t)
		r := navigation(app + "/any")
		r.Header.Set("Cookie", "__Host-session-provider=cove")
		answer := httptest.NewRecorder()
		w.mux.ServeHTTP(answer, r)
		require.Contains(t, answer.Header().Get("Location"), "https://cove.provider.test/")
	})
}

func TestADomainPicksAProvider(t *testing.T) {
	w := offering(t, byDomain)
	tab := w.browser.NewTab()
	page := tab.Get(app + "/any")
	require.Contains(t, page.Body, `type="email"`)
	page = tab.Submit("email", url.Values{"email": {" ann@COVE.example "}})
	require.NoError(t, page.Err)
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	require.Equal(t, "cove", w.user().Provider)
	require.Equal(t, app+"/any", page.URL)
	require.NotContains(t, w.log.String(), "ann@", "an address is in no log")
}

func TestAnEmailAddressThatLeadsNowhereAsksAgain(t *testing.T) {
	w := offering(t, byDomain, func(c *oidcauth.ProvidersConfig) {
		known := c.ByDomain
		c.ByDomain = func(domain string) string {
			require.NotContains(t, domain, "\x00")
			if domain == "removed.example" {
				return "gone"
			}
			return known(domain)
		}
	})
	for name, email := range map[string]string{
		"a domain that nobody has":      "ann@nobody.example",
		"one whose provider is gone":    "ann@removed.example",
		"no address":                    "cove.example",
		"no person":                     "@cove.example",
		"no domain":                     "ann@",
		"nothing":                       "",
		"a path":                        "ann@cove.example/x",
		"a control character":           "ann\x00@cove.example",
		"an invisible mark":             "ann\u202e@cove.example",
		"more than an address can have": strings.Repeat("a", 250) + "@cove.example",
	} {
		t.Run(name, func(t *testing.T) {
			answer := w.post("/auth/login", url.Values{"email": {email}, "return_to": {"/any"}}, "same-origin")
			require.Equal(t, http.StatusNotFound, answer.Code)
			require.Contains(t, answer.Body.String(), `role="alert"`)
			require.NotContains(t, answer.Body.String(), "ann", "what was typed is not repeated")
			require.Empty(t, answer.Result().Cookies())
		})
	}
}

// post sends a form as a browser does from a site.
func (w *town) post(target string, form url.Values, site string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, app+target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", site)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	return answer
}

func TestTheChooserIsNoUseToOtherSites(t *testing.T) {
	w := offering(t, byDomain)
	form := url.Values{"email": {"ann@cove.example"}}
	require.Equal(t, http.StatusSeeOther, w.post("/auth/login", form, "same-origin").Code, "control")
	require.Equal(t, http.StatusForbidden, w.post("/auth/login", form, "cross-site").Code)
	require.Equal(t, http.StatusMethodNotAllowed, offering(t).post("/auth/login", form, "same-origin").Code, "nobody asks for an address there")

	for _, back := range []string{"https://evil.test/", "//evil.test/", "/\\evil.test", "/auth/acme/logout"} {
		page := w.get("/auth/login?return_to=" + url.QueryEscape(back))
		require.Equal(t, http.StatusOK, page.Status)
		require.NotContains(t, page.Body, "evil")
		require.NotContains(t, page.Body, "logout%")
	}
	require.Equal(t, http.StatusUnauthorized, w.fetch("/auth/login").Status, "a script is shown no page")
}

func TestLabelsAreTextThatCanBeSeen(t *testing.T) {
	w := newTown(t)
	for name, label := range map[string]string{
		"empty": "", "blank": "  ", "long": strings.Repeat("x", 65), "a control": "a\nb", "turned around": "a\u202eb", "a joiner": "a\u200db", "not UTF-8": "a\xff",
		"a filler": "\u3164", "a blank of Braille": "\u2800", "a selector": "a\ufe0f", "a joiner of graphemes": "a\u034f", "a space before": "\u00a0a",
	} {
		t.Run(name, func(t *testing.T) {
			w.open("dune")
			require.ErrorContains(t, w.providers.Add("dune", w.config("dune"), oidcauth.Offered(label)), "Offered")
		})
	}
	require.NoError(t, w.providers.Replace(t.Context(), "acme", w.config("acme"), oidcauth.Offered(`"><img src=x onerror=alert(1)>`)))
	page := w.get("/auth/login")
	require.NotContains(t, page.Body, "<img")
	require.Contains(t, page.Body, "&lt;img src=x")
}

func TestAChooserOfManyIsBounded(t *testing.T) {
	w := newTown(t)
	for i := range 150 {
		c := w.config("acme")
		c.ClientID = "client-" + strconv.Itoa(i)
		require.NoError(t, w.providers.Add("t"+strconv.Itoa(i), c, oidcauth.Offered("Tenant "+strconv.Itoa(i))))
	}
	require.Equal(t, 100, strings.Count(w.get("/auth/login").Body, "<li>"))
}

func TestWithoutAChoiceAPersonIsToldWhomToAsk(t *testing.T) {
	page := newTown(t).get("/any")
	require.Equal(t, http.StatusOK, page.Status)
	require.Contains(t, page.Body, "administrator")
	require.NotContains(t, page.Body, "acme")
}
