package oidcauth

import (
	"bytes"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
)

// A pageWriter writes the built-in pages, in which every value is escaped. They are written by hand:
// html/template would keep every exported method of the whole program in its binary.
type pageWriter struct{ w *bytes.Buffer }

// page writes the page that data are for.
func (p *pageWriter) page(data any) {
	switch data := data.(type) {
	case *ProblemPage:
		p.problem(data)
	case *LogoutPage:
		p.logout(data)
	case *LeavePage:
		p.leave(data)
	case *SignedOutPage:
		p.signedOut(data)
	case *ConfirmPage:
		p.goOn(&data.Page, data.Action, "confirm.text", "confirm.link")
	case *OnwardPage:
		p.goOn(&data.Page, data.Action, "onward.text", "onward.link")
	}
}

// put writes markup, in which each %s is a value: text between tags, or all of an attribute in double
// quotes. There is no other place for one.
func (p *pageWriter) put(markup string, values ...string) {
	escaped := make([]any, len(values))
	for i, value := range values {
		escaped[i] = html.EscapeString(strings.ToValidUTF8(value, "\uFFFD"))
	}
	fmt.Fprintf(p.w, markup, escaped...)
}

// location is a URL that a link or form may have: of the web, or a path. Nothing else leads
// anywhere, scripts least of all.
func location(url string) string {
	lower := strings.ToLower(url)
	if strings.HasPrefix(url, "/") || strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://") {
		return url
	}
	return "#"
}

// begin writes what comes before a page's own content; head is more of its head.
func (p *pageWriter) begin(page *Page, head string, values ...string) {
	p.put(`<!doctype html>
<html lang="%s">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="stylesheet" href="%s">
<title>%s</title>
`, page.Lang, location(page.Stylesheet), page.Title)
	p.put(head, values...)
	p.put(`</head>
<body class="notice">
<main>
<h1>%s</h1>
`, page.Title)
}

func (p *pageWriter) end() { p.put("</main>\n</body>\n</html>\n") }

// form writes a form that posts fields; inside is its end, with the button.
func (p *pageWriter) form(action string, fields map[string]string, inside func()) {
	p.put("<form method=\"post\" action=\"%s\">\n", location(action))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		p.put("<input type=\"hidden\" name=\"%s\" value=\"%s\">\n", name, fields[name])
	}
	inside()
	p.put("</form>\n")
}

func (p *pageWriter) problem(page *ProblemPage) {
	problem, target := page.Problem, ""
	if problem.Frame {
		target = ` target="_top"`
	}
	p.begin(&page.Page, "")
	p.put("<p>%s</p>\n", problem.Advice)
	if u := problem.User; u != nil {
		before, after, _ := strings.Cut(page.Text("problem.user"), "%s")
		name := u.Name
		if name == "" {
			name = u.Subject
		}
		p.put("<p>%s<strong>%s</strong>%s</p>\n", before, name, after)
	}
	if problem.Link != "" {
		p.put(`<p><a class="button" href="%s"`+target+">%s</a></p>\n", location(problem.Link), problem.LinkText)
	}
	if problem.SwitchURL != "" {
		p.put(`<p><a href="%s"`+target+">%s</a></p>\n", location(problem.SwitchURL), page.Text("problem.switch"))
	}
	if problem.SignOutURL != "" {
		p.put(`<form method="post" action="%s"`+target+"><p><button type=\"submit\">%s</button></p></form>\n", location(problem.SignOutURL), page.Text("logout.submit"))
	}
	p.put("<p class=\"reference\">%s <code>%s</code></p>\n", page.Text("problem.reference"), problem.Reference)
	p.end()
}

func (p *pageWriter) logout(page *LogoutPage) {
	p.begin(&page.Page, "")
	p.put("<p>%s</p>\n", page.Text("logout.text"))
	p.form(page.Action, page.Fields, func() {
		p.put("<p><button type=\"submit\">%s</button> <a href=\"%s\">%s</a></p>\n", page.Text("logout.submit"), location(page.Home), page.Text("logout.stay"))
	})
	p.end()
}

func (p *pageWriter) leave(page *LeavePage) {
	p.begin(&page.Page, "")
	p.put("<p>%s</p>\n", page.Text("leave.text"))
	p.form(page.Action, page.Fields, func() {
		p.put("<p><button type=\"submit\">%s</button> <a href=\"%s\">%s</a></p>\n", page.Text("leave.submit"), location(page.Home), page.Text("link.home"))
	})
	p.end()
}

func (p *pageWriter) signedOut(page *SignedOutPage) {
	p.begin(&page.Page, "")
	p.put("<p>%s</p>\n", page.Text("signed_out.text"))
	p.put("<p><a class=\"button\" href=\"%s\">%s</a></p>\n", location(page.Home), page.Text("link.home"))
	p.end()
}

// goOn is a page that goes on to action by itself, and by a link where a browser does not.
func (p *pageWriter) goOn(page *Page, action, text, link string) {
	p.begin(page, "<meta http-equiv=\"refresh\" content=\"0;url=%s\">\n", location(action))
	p.put("<p>%s</p>\n", page.Text(text))
	p.put("<p><a class=\"button\" href=\"%s\">%s</a></p>\n", location(action), page.Text(link))
	p.end()
}
