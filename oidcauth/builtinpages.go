package oidcauth

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"maps"
	"slices"
	"strconv"
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
	case *ChooserPage:
		p.chooser(data)
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

// head writes a page's head, with more in it, and begins its main element.
func (p *pageWriter) head(page *Page, more string, values ...string) {
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
	p.put(more, values...)
	p.put("</head>\n<body class=\"notice\">\n<main>\n")
}

// begin writes what comes before a page's own content.
func (p *pageWriter) begin(page *Page) {
	p.head(page, "")
	p.title(page)
}

func (p *pageWriter) title(page *Page) { p.put("<h1>%s</h1>\n", page.Title) }

// user writes who is signed in. Unless the page has a better way to sign out, it has a link.
func (p *pageWriter) user(page *Page, u *User, logoutURL, target string) {
	before, after, _ := strings.Cut(page.Text("problem.user"), "%s")
	p.put("<p class=\"user\">%s<strong>%s</strong>%s", before, cmp.Or(u.Name, u.Subject), after)
	if logoutURL != "" {
		p.put(` <a href="%s"`+target+">%s</a>", location(logoutURL), page.Text("logout.submit"))
	}
	p.put("</p>\n")
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
	p.head(&page.Page, "")
	p.put("<p class=\"status\">%s</p>\n", strconv.Itoa(problem.Status))
	p.title(&page.Page)
	p.put("<p>%s</p>\n", problem.Advice)
	switch {
	case problem.User != nil: // the actions have a button
		p.user(&page.Page, problem.User, "", target)
	case page.User != nil:
		p.user(&page.Page, page.User, page.LogoutURL, target)
	}
	p.actions(page, target)
	p.put("<p class=\"reference\">%s <code>%s</code></p>\n", page.Text("problem.reference"), problem.Reference)
	p.end()
}

// actions writes what the person can do about a problem, the most likely thing first.
func (p *pageWriter) actions(page *ProblemPage, target string) {
	problem := page.Problem
	if problem.Link == "" && problem.SwitchURL == "" && problem.ChooseURL == "" && problem.SignOutURL == "" {
		return
	}
	p.put("<div class=\"actions\">\n")
	if problem.Link != "" {
		p.put(`<a class="button" href="%s"`+target+">%s</a>\n", location(problem.Link), problem.LinkText)
	}
	if problem.SwitchURL != "" {
		p.put(`<a class="button quiet" href="%s"`+target+">%s</a>\n", location(problem.SwitchURL), page.Text("problem.switch"))
	}
	if problem.ChooseURL != "" {
		p.put(`<a class="button quiet" href="%s"`+target+">%s</a>\n", location(problem.ChooseURL), page.Text("problem.choose"))
	}
	if problem.SignOutURL != "" {
		p.put(`<form method="post" action="%s"`+target+"><button class=\"quiet\" type=\"submit\">%s</button></form>\n", location(problem.SignOutURL), page.Text("logout.submit"))
	}
	p.put("</div>\n")
}

func (p *pageWriter) logout(page *LogoutPage) {
	p.begin(&page.Page)
	if page.User != nil {
		p.user(&page.Page, page.User, "", "")
	}
	p.put("<p>%s</p>\n", page.Text("logout.text"))
	p.form(page.Action, page.Fields, func() {
		p.put("<div class=\"actions\"><button type=\"submit\">%s</button> <a class=\"button quiet\" href=\"%s\">%s</a></div>\n", page.Text("logout.submit"), location(page.Home), page.Text("logout.stay"))
	})
	p.end()
}

func (p *pageWriter) leave(page *LeavePage) {
	p.begin(&page.Page)
	p.put("<p>%s</p>\n", page.Text("leave.text"))
	p.form(page.Action, page.Fields, func() {
		p.put("<div class=\"actions\"><button type=\"submit\">%s</button> <a class=\"button quiet\" href=\"%s\">%s</a></div>\n", page.Text("leave.submit"), location(page.Home), page.Text("link.home"))
	})
	p.end()
}

func (p *pageWriter) signedOut(page *SignedOutPage) {
	p.begin(&page.Page)
	p.put("<p>%s</p>\n", page.Text("signed_out.text"))
	p.put("<p><a class=\"button\" href=\"%s\">%s</a></p>\n", location(page.Home), page.Text("link.home"))
	p.end()
}

func (p *pageWriter) chooser(page *ChooserPage) {
	p.begin(&page.Page)
	if page.User != nil {
		p.user(&page.Page, page.User, page.LogoutURL, "")
	}
	if len(page.Choices) > 0 {
		p.put("<ul class=\"choices\">\n")
		for _, c := range page.Choices {
			p.put("<li><a class=\"button quiet\" href=\"%s\"><bdi>%s</bdi>", location(c.URL), c.Label)
			if c.Last {
				p.put(" <small>%s</small>", page.Text("choose.last"))
			}
			p.put("</a></li>\n")
		}
		p.put("</ul>\n")
	}
	switch {
	case page.Action != "":
		p.form(page.Action, page.Fields, func() { p.email(page) })
	case len(page.Choices) == 0:
		p.put("<p>%s</p>\n", page.Text("choose.none"))
	}
	p.end()
}

// email writes the field for an email address, and its button.
func (p *pageWriter) email(page *ChooserPage) {
	described := ""
	if page.Unknown {
		p.put("<p id=\"unknown\" role=\"alert\">%s</p>\n", page.Text("choose.unknown"))
		described = ` aria-describedby="unknown" aria-invalid="true"`
	}
	p.put("<p><label for=\"email\">%s</label>\n", page.Text("choose.email"))
	p.put("<input id=\"email\" name=\"email\" type=\"email\" autocomplete=\"email\" maxlength=\"254\" required" + described + "></p>\n")
	p.put("<div class=\"actions\"><button type=\"submit\">%s</button></div>\n", page.Text("choose.submit"))
}

// goOn is a page that goes on to action by itself, and by a link where a browser does not.
func (p *pageWriter) goOn(page *Page, action, text, link string) {
	p.head(page, "<meta http-equiv=\"refresh\" content=\"0;url=%s\">\n", location(action))
	p.title(page)
	if page.User != nil {
		p.user(page, page.User, page.LogoutURL, "")
	}
	p.put("<p>%s</p>\n", page.Text(text))
	p.put("<p><a class=\"button\" href=\"%s\">%s</a></p>\n", location(action), page.Text(link))
	p.end()
}
