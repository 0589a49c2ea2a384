package oidcauth

import (
	"bytes"
	"cmp"
	"embed"
	"io"
	"log/slog"
	"net/http"
	"path"

	"github.com/signet-go/signet/internal/browser"
)

//go:embed pages/style.css
var pageFiles embed.FS

// Pages writes the pages that people see. A *template.Template of html/template implements it, with
// one template for each of these names:
//
//	name        data             when
//	problem     *[ProblemPage]   something failed or was refused, and Config.ErrorHandler is nil
//	logout      *[LogoutPage]    the logout route asks whether to sign out
//	leave       *[LeavePage]     the provider's sign-out needs a form, since its URL would be too long
//	signed-out  *[SignedOutPage] the sign-out is complete
//	confirm     *[ConfirmPage]   a session that is bound to a device waits for its proof
//	choose      *[ChooserPage]   a person chooses one of several Providers
//	onward      *[OnwardPage]    the browser comes from another site, and session.Config.SameSiteStrict is set
//
// When ExecuteTemplate fails, its output is discarded, the error is logged, and the built-in page is
// shown. The same goes for pages that a later version adds.
//
// The headers are already set: the pages may load style sheets and images from this site and
// contain forms, but run no scripts. ExecuteTemplate is called concurrently.
type Pages interface {
	ExecuteTemplate(w io.Writer, name string, data any) error
}

// Names of pages.
const (
	pageProblem   = "problem"
	pageLogout    = "logout"
	pageLeave     = "leave"
	pageSignedOut = "signed-out"
	pageConfirm   = "confirm"
	pageOnward    = "onward"
	pageChooser   = "choose"
)

// A Page has what all pages have in common.
type Page struct {
	// Lang is the language of the texts, for the lang attribute: "en", or a key of Config.Messages.
	Lang string

	// Title says what the page is about.
	Title string

	// Stylesheet and Home are paths on this site: of the style sheet and of the home page.
	Stylesheet, Home string

	// User is the signed-in user, or nil. With a user, LogoutURL is a path on this site to link to,
	// which asks whether to sign out.
	User      *User
	LogoutURL string

	texts Messages
}

// Text returns the text with this id in the page's language, or "" if there is none. [English] lists
// the ids.
func (p *Page) Text(id string) string { return p.texts[id] }

// A ProblemPage explains what failed and what to do next.
type ProblemPage struct {
	Page
	Problem *Problem
}

// A LogoutPage asks whether to sign out. Its form posts Fields to Action.
type LogoutPage struct {
	Page
	Action string
	Fields map[string]string
}

// A LeavePage asks a person who is signed out of this site to continue to the provider. Its form
// posts Fields to Action, which is the provider's.
type LeavePage struct {
	Page
	Action string
	Fields map[string]string
}

// A SignedOutPage confirms that the person is signed out.
type SignedOutPage struct{ Page }

// A ConfirmPage reloads itself at once, at Action; in doing so, the browser proves that it has the
// device's key. A page that doesn't reload needs a link to Action.
type ConfirmPage struct {
	Page
	Action string
}

// An OnwardPage continues at once to Action, a path of this site: browsers then send the session's
// cookie, which they withhold while another site leads them here. A page that doesn't continue by
// itself needs a link to Action.
type OnwardPage struct {
	Page
	Action string
}

// headOf is what a page that answers r is given.
func (a *answers) headOf(w http.ResponseWriter, r *http.Request, title string) Page {
	lang, texts := a.texts.of(r)
	if a.texts.several() {
		w.Header().Add("Vary", "Accept-Language")
	}
	p := Page{Lang: lang, Title: texts[title], Stylesheet: cmp.Or(a.stylesheet, a.site.At("style.css")), Home: a.site.Home(), texts: texts}
	if p.User = UserFrom(r.Context()); p.User != nil {
		p.LogoutURL = a.site.At("logout")
	}
	return p
}

// writePage writes a page.
func (a *answers) writePage(w http.ResponseWriter, status int, name string, data any) {
	body := a.render(name, data)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // G705: every value in it is escaped; the browser may be gone, and nothing is left to do then
}

// render writes a page into memory: by the application's Pages if they can, else the built-in one.
func (a *answers) render(name string, data any) []byte {
	var body bytes.Buffer
	if a.pages != nil {
		err := a.pages.ExecuteTemplate(&body, name, data)
		if err == nil {
			return body.Bytes()
		}
		a.log.Error("page not rendered", slog.String("page", name), slog.Any("error", err))
		body.Reset()
	}
	(&pageWriter{w: &body}).page(data)
	return body.Bytes()
}

// showProblem writes the page about p.
func (a *answers) showProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	head := a.headOf(w, r, "")
	head.Title = p.Title
	a.writePage(w, p.Status, pageProblem, &ProblemPage{head, p})
}

// showSignedOut writes the page of somebody who is signed out.
func (a *answers) showSignedOut(w http.ResponseWriter, r *http.Request) {
	head := a.headOf(w, r, "signed_out.title")
	head.User, head.LogoutURL = nil, ""
	a.writePage(w, http.StatusOK, pageSignedOut, &SignedOutPage{head})
}

// serveStyle serves the built-in style sheet, the one answer that may be cached.
func (a *answers) serveStyle(w http.ResponseWriter, r *http.Request) {
	if a.methodNotAllowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=3600")
	http.ServeFileFS(w, r, pageFiles, path.Join("pages", "style.css"))
}

// frameTarget has links of a page in a frame open in the whole tab.
func frameTarget(r *http.Request) bool { return browser.KindOf(r) == browser.Frame }
