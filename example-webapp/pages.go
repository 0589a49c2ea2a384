package main

import (
	"embed"
	"fmt"
	"html/template"
	"time"

	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/oidcauth"
)

//go:embed templates static
var assets embed.FS

// pages are all of templates/, by file name. They are parsed at the start, so that a broken one is
// seen at once and not by the first visitor.
var pages = reply.ParsePages(assets, template.FuncMap{"clock": clock, "stamp": stamp, "span": span, "past": past})

// clock is a time as people read it; stamp is the same for machines.
//
// The server's time zone is used, and named: without scripts nobody knows the visitor's.
func clock(t time.Time) string { return t.Local().Format("15:04:05 MST") }
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// past reports whether t is over.
func past(t time.Time) bool { return !time.Now().Before(t) }

// span is the distance of t from now, in the units that matter.
//
// Rounding is downwards: a time that is left is never shown longer than it is.
func span(t time.Time) string {
	d := time.Until(t).Abs()
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// A page is what every template of the app gets.
//
// Its texts come from claims, requests and configuration alike, and are all escaped; only constants are HTML.
type page struct {
	Base   string // what paths begin with for the browser: the path of BASE_URL, without a slash at its end
	Title  string
	Path   string // marks the current entry of the navigation
	Script string // a file under /static/, for the pages that have one
	// Nil when nobody is signed in, and on error pages, which must not depend on a session that may be the trouble.
	User *oidcauth.User
	// Paths of this site. An empty LoginURL shows no sign-in link.
	LoginURL  string
	LogoutURL string
	Data      any // what the template itself needs
}
