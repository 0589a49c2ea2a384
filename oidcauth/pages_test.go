package oidcauth_test

import (
	"bytes"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// german is a part of a translation.
var german = oidcauth.Messages{
	"logout.title": "Abmelden?", "problem.not_found.title": "Seite nicht gefunden", "problem.forbidden.title": "Kein Zugriff",
	"link.home": "Zur Startseite", "problem.user": "Angemeldet als %s.",
}

// askIn asks for a page of the application as a browser with these languages does.
func (w *world) askIn(languages, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, app+path, http.NoBody)
	r.Header.Set("Accept", "text/html")
	if languages != "" {
		r.Header.Set("Accept-Language", languages)
	}
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	return answer
}

func TestPagesAreInTheLanguageOfTheBrowser(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) {
		c.Messages = map[string]oidcauth.Messages{"de": german, "pt-BR": {"logout.title": "Sair?"}}
	})
	for languages, want := range map[string]string{
		"":                                "en Sign out?",
		"de":                              "de Abmelden?",
		"de-CH, en;q=0.5":                 "de Abmelden?",
		"DE-de":                           "de Abmelden?",
		"de-AT":                           "de Abmelden?",
		"de-AT;q=0.8, en-US;q=0.9":        "en Sign out?",
		"en;q=0, de-AT;q=0.1":             "de Abmelden?",
		"de\"><script>, <b>;q=1":          "en Sign out?",
		"de;q=1e400, en;q=0.1":            "en Sign out?",
		"en, de;q=0.9":                    "en Sign out?",
		"fr, de;q=0.3, en;q=0.2":          "de Abmelden?",
		"pt-br":                           "pt-BR Sair?",
		"pt":                              "en Sign out?",
		"de;q=0":                          "en Sign out?",
		"de;q=NaN, pt-BR;q=0.1":           "pt-BR Sair?",
		"de;q=2":                          "en Sign out?",
		"*":                               "en Sign out?",
		strings.Repeat("x,", 4000) + "de": "en Sign out?", // nobody sends that
	} {
		answer := w.askIn(languages, "/auth/logout")
		lang, title, _ := strings.Cut(want, " ")
		require.Contains(t, answer.Body.String(), `<html lang="`+lang+`">`, languages)
		require.Contains(t, answer.Body.String(), "<h1>"+title+"</h1>", languages)
		require.Contains(t, answer.Header().Values("Vary"), "Accept-Language")
	}
	missing := w.askIn("de", "/auth/nothing").Body.String()
	require.Contains(t, missing, "Seite nicht gefunden")
	require.Contains(t, missing, "Zur Startseite")
	require.Contains(t, missing, "Reference:", "what a translation lacks is English")
}

func TestWithoutTranslationsNobodysLanguageMatters(t *testing.T) {
	answer := newWorld(t).askIn("de", "/auth/logout")
	require.Contains(t, answer.Body.String(), `<html lang="en">`)
	require.NotContains(t, answer.Header().Values("Vary"), "Accept-Language")
}

func TestATranslationThatCannotBe(t *testing.T) {
	for name, row := range map[string]struct {
		messages map[string]oidcauth.Messages
		says     string
	}{
		"of a text that is not there":     {map[string]oidcauth.Messages{"de": {"logout.titel": "x"}}, `"logout.titel"`},
		"without the place for the name":  {map[string]oidcauth.Messages{"de": {"problem.user": "Angemeldet."}}, "problem.user"},
		"into what is no language":        {map[string]oidcauth.Messages{"de_DE": {}}, "language tag"},
		"into what could become a header": {map[string]oidcauth.Messages{"de\" onload=\"": {}}, "language tag"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := oidcauth.New(oidcauth.Config{Messages: row.messages})
			require.ErrorContains(t, err, "Messages")
			require.ErrorContains(t, err, row.says)
		})
	}
}

func TestEnglishIsACopy(t *testing.T) {
	oidcauth.English()["logout.title"] = "changed"
	require.Equal(t, "Sign out?", oidcauth.English()["logout.title"])
	require.Contains(t, oidcauth.English(), "problem.not_found.advice")
}

func TestAnApplicationsOwnPages(t *testing.T) {
	pages := template.Must(template.New("").Parse(`
		{{define "problem"}}<p lang={{.Lang}}>own: {{.Title}} {{.Problem.Code}} {{with .User}}{{.Name}}{{end}} {{.Text "problem.switch"}}</p>{{end}}
		{{define "logout"}}<form action="{{.Action}}" method=post>{{range $n, $v := .Fields}}<input name="{{$n}}" value="{{$v}}">{{end}}</form>{{end}}
		{{define "signed-out"}}half a page{{.NoSuchField}}{{end}}`))
	w := newWorld(t, func(c *oidcauth.Config) { c.Pages = pages })
	w.signIn()
	page := w.browser.Get(app + "/admin")
	require.Equal(t, http.StatusForbidden, page.Status)
	require.Contains(t, page.Body, "<p lang=en>own: You don&#39;t have access to this page forbidden ")
	require.Contains(t, page.Body, "Use another account</p>")
	requireProtected(t, page.Header)
	page = w.browser.Get(app + "/auth/logout?return_to=" + url.QueryEscape(`/x?"><script>`))
	require.Contains(t, page.Body, `<form action="/auth/logout" method=post><input name="return_to" value="/x?`)
	require.NotContains(t, page.Body, "<script>")

	page = w.browser.Get(app + "/auth/signed-out")
	require.Equal(t, http.StatusOK, page.Status)
	require.Contains(t, page.Body, "<h1>You&#39;re signed out</h1>", "the built-in page serves where theirs fails")
	require.NotContains(t, page.Body, "half a page")
	require.Contains(t, w.log.String(), "page not rendered")
}

// markup is a page without its values: nothing that a value holds may change it.
func markup(page string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(`<>"'`, c) {
			return c
		}
		return -1
	}, page)
}

// FuzzBuiltInPages shows people's names, return paths and error descriptions that want to be markup.
func FuzzBuiltInPages(f *testing.F) {
	for _, seed := range []string{"alice", `"><script>alert(1)</script>`, "' onload='x", "&lt;b&gt;", "\x00\xff\u202e", "%s%d%!", "</main>", "{{.}}"} {
		f.Add(seed)
	}
	pages := func(value string) (shapes []string) {
		user := &oidcauth.User{Subject: "s", Name: "n" + value}
		problem := &oidcauth.Problem{
			Title: "t" + value, Advice: "a" + value, Link: "/" + value, LinkText: "l" + value, SwitchURL: "/" + value, SignOutURL: "/" + value,
			User: user, Reference: "r" + value,
		}
		head := oidcauth.Page{Lang: "en", Title: "t" + value, Stylesheet: "/" + value, Home: "/" + value, User: user, LogoutURL: "/" + value}
		for _, data := range []any{
			&oidcauth.ProblemPage{Page: head, Problem: problem},
			&oidcauth.ProblemPage{Page: head, Problem: &oidcauth.Problem{Title: "t" + value, Frame: true}},
			&oidcauth.LogoutPage{Page: head, Action: "/" + value, Fields: map[string]string{"n" + value: value}},
			&oidcauth.LeavePage{Page: head, Action: "https://" + value, Fields: map[string]string{"n" + value: value}},
			&oidcauth.SignedOutPage{Page: head},
			&oidcauth.ConfirmPage{Page: head, Action: "/" + value},
			&oidcauth.OnwardPage{Page: head, Action: "/" + value},
		} {
			var body bytes.Buffer
			oidcauth.WriteBuiltIn(&body, data)
			shapes = append(shapes, markup(body.String()))
		}
		return shapes
	}
	harmless := pages("x")
	f.Fuzz(func(t *testing.T, value string) { require.Equal(t, harmless, pages(value)) })
}

func TestNoLinkOfAPageRunsAScript(t *testing.T) {
	for _, target := range []string{"javascript:alert(1)", "JavaScript:alert(1)", " javascript:x", "data:text/html,x", "vbscript:x", "\tjavascript:x"} {
		var body bytes.Buffer
		oidcauth.WriteBuiltIn(&body, &oidcauth.LeavePage{Action: target, Page: oidcauth.Page{Home: target}})
		require.NotContains(t, strings.ToLower(body.String()), "script:")
		require.NotContains(t, body.String(), "data:")
	}
}

var _ oidcauth.Pages = (*template.Template)(nil)

func TestEveryPageOfASignedInPersonSaysWhoAndOffersToSignOut(t *testing.T) {
	w := newWorld(t)
	const signOut = `<a href="/auth/logout">Sign out</a>`
	for _, path := range []string{"/auth/nothing", "/auth/callback?code=c&state=s", "/auth/callback"} {
		page := w.browser.Get(app + path)
		require.GreaterOrEqual(t, page.Status, 400, path)
		require.NotContains(t, page.Body, `class="user"`, "there is no person to name at %s", path)
		require.NotContains(t, page.Body, signOut)
	}
	w.signIn()
	for _, path := range []string{"/auth/nothing", "/auth/callback?code=c&state=s", "/auth/callback"} {
		page := w.browser.Get(app + path)
		require.GreaterOrEqual(t, page.Status, 400, path)
		require.Regexp(t, `class="user">[^<]*<strong>[^<]+</strong>`, page.Body, path)
		require.Contains(t, page.Body, signOut, path)
		require.Equal(t, "no-referrer", page.Header.Get("Referrer-Policy"), "a link needs no Origin, and the address may hold a code")
	}
	page := w.browser.Get(app + "/auth/logout")
	require.Contains(t, page.Body, `class="user"`)
	require.NotContains(t, page.Body, signOut, "the page is about that")

	page = w.browser.Get(app + "/admin")
	require.Equal(t, http.StatusForbidden, page.Status)
	require.Equal(t, 1, strings.Count(page.Body, `class="user"`))
	require.Contains(t, page.Body, `<a class="button quiet" href="/auth/login?return_to=%2Fadmin&amp;prompt=select_account">Use another account</a>`)
	require.Contains(t, page.Body, `<form method="post" action="/auth/logout">`)

	w.browser.Post(app+"/auth/logout", nil)
	require.NotContains(t, w.browser.Get(app+"/auth/signed-out").Body, `class="user"`)
}
