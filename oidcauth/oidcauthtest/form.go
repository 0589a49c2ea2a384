package oidcauthtest

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Form is a form on a page.
type Form struct {
	Action string // resolved against the page
	Method string // GET or POST
	Fields url.Values
}

var (
	tagPattern       = regexp.MustCompile(`(?is)<(/?)(form|input)\b((?:[^>"']|"[^"]*"|'[^']*')*)>`)
	attributePattern = regexp.MustCompile(`(?s)([\w-]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?`)
	commentPattern   = regexp.MustCompile(`(?s)<!--.*?-->`)
)

// Forms returns the page's forms with the fields that a submission sends: hidden and filled inputs
// and checked boxes, no buttons.
func (p *Page) Forms() []Form {
	if p == nil || p.Status == 0 || !strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
		return nil
	}
	var forms []Form
	open := false
	for _, tag := range tagPattern.FindAllStringSubmatch(commentPattern.ReplaceAllString(p.Body, ""), -1) {
		name, attributes := strings.ToLower(tag[2]), attributesOf(tag[3])
		switch {
		case name == "form" && tag[1] == "/":
			open = false
		case name == "form":
			open = true
			forms = append(forms, p.newForm(attributes))
		case open && name == "input" && attributes["name"] != "" && submitted(attributes):
			forms[len(forms)-1].Fields.Add(attributes["name"], attributes["value"])
		}
	}
	return forms
}

// newForm resolves a form's action: an absent one is the page itself.
func (p *Page) newForm(attributes map[string]string) Form {
	f := Form{Action: p.URL, Method: http.MethodGet, Fields: url.Values{}}
	if action := attributes["action"]; action != "" {
		if u, err := mustParse(p.URL).Parse(action); err == nil {
			f.Action = u.String()
		}
	}
	if strings.EqualFold(attributes["method"], "post") {
		f.Method = http.MethodPost
	}
	return f
}

// submitted reports whether an input's value goes along.
func submitted(attributes map[string]string) bool {
	_, checked := attributes["checked"]
	switch strings.ToLower(attributes["type"]) {
	case "submit", "button", "image", "reset", "file":
		return false
	case "checkbox", "radio":
		return checked
	}
	return true
}

// attributesOf reads a tag's attributes, quoted either way or not at all.
func attributesOf(text string) map[string]string {
	m := map[string]string{}
	for _, a := range attributePattern.FindAllStringSubmatch(text, -1) {
		m[strings.ToLower(a[1])] = html.UnescapeString(strings.Trim(a[2], `"'`))
	}
	return m
}

// autoSubmitted returns the form of a page that submits it by script.
func (p *Page) autoSubmitted() *Form {
	if forms := p.Forms(); len(forms) > 0 && strings.Contains(p.Body, ".submit()") {
		return &forms[0]
	}
	return nil
}

// navigation returns the submission of a page's form by the user or by a script.
func (f *Form) navigation(page *Page, user bool) *Navigation {
	n := &Navigation{Method: f.Method, URL: f.Action, mode: "navigate", dest: "document", user: user, form: true, from: page.document()}
	if f.Method == http.MethodPost {
		n.Form = f.Fields
		return n
	}
	u := *mustParse(f.Action)
	u.RawQuery = f.Fields.Encode()
	n.URL = u.String()
	return n
}
