package main

import (
	"embed"
	"net/http"

	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/example-webapp/internal/view"
	"github.com/signet-go/signet/oidcauth"
)

//go:embed templates static
var assets embed.FS

// pages are all of templates/, by file name. They are parsed at the start, so that a broken one is
// seen at once and not by the first visitor.
var pages = reply.ParsePages(assets, view.Functions)

// scripts are the files that pages may run: each its own, and no other page any.
var scripts = map[string]string{"profile.html": "/static/countdown.js", "single-page.html": "/static/single-page.js"}

// show writes a page, with its script if it has one.
func show(w http.ResponseWriter, file string, p page) {
	if p.Script = scripts[file]; p.Script != "" {
		w.Header().Set("Content-Security-Policy", reply.Policy+"; script-src 'self'; connect-src 'self'")
	}
	pages.Write(w, http.StatusOK, file, p)
}

// A page is what every template of the app gets.
//
// Its texts come from claims, requests and configuration alike, and are all escaped; only constants
// are HTML.
type page struct {
	Base   string // what paths begin with for the browser: the path of BASE_URL, without a slash at its end
	Title  string
	Path   string         // marks the current entry of the navigation
	Script string         // a file under /static/, for the pages that have one
	User   *oidcauth.User // nil when nobody is signed in, and while sessions can't be read
	// Paths of this site. An empty LoginURL shows no sign-in link.
	LoginURL  string
	LogoutURL string
	// AskLogout has the page link to the library's question. A form needs an Origin header, which
	// browsers withhold under the no-referrer policy of error pages.
	AskLogout bool
	Data      any // what the template itself needs
}

// newPage fills in what the layout shows on every page.
//
// Of the user it takes what UserFrom gives, also on public pages: asking costs the decoding of a
// cookie, and no call of anybody.
func (a *app) newPage(r *http.Request, title string) page {
	return page{
		Base: a.config.Base(), Title: title, Path: r.URL.Path, User: oidcauth.UserFrom(r.Context()),
		LoginURL: a.providers.LoginURL(a.site.Asked(r)), LogoutURL: a.providers.Of(r).Auth.LogoutURL(),
	}
}
