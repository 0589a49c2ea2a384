package oidcauth_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// problemRow is a row of docs/errors.md: a code, its first status, and the log message.
var problemRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9]{3}).*?`([a-z ]+)`")

// TestEveryBuiltInPageSaysWhatHappenedAndLeadsOn writes each page into SIGNET_PAGES, if that is a
// folder: for `make screenshots`.
func TestEveryBuiltInPageSaysWhatHappenedAndLeadsOn(t *testing.T) {
	for name, page := range samplePages(t) {
		t.Run(name, func(t *testing.T) {
			require.Regexp(t, `<h1>[^<]{8,}</h1>`, page)
			require.Regexp(t, `<p[^>]*>[^<]{20,}</p>|<label`, page, "it says more than its title")
			if name != "choose-none" { // whose home page may be what led there
				require.Regexp(t, `class="button|<button`, page, "it leads on")
			}
			if folder := os.Getenv("SIGNET_PAGES"); folder != "" {
				require.NoError(t, os.WriteFile(filepath.Join(folder, name+".html"), []byte(page), 0o600))
			}
		})
	}
}

// samplePages are the built-in pages by name: one about each problem of docs/errors.md that a person
// can meet, and all others.
func samplePages(t *testing.T) map[string]string {
	doc, err := os.ReadFile("../docs/errors.md")
	require.NoError(t, err)
	pages := make(map[string]string)
	w, alice := newWorld(t), &oidcauth.User{Subject: "7", Name: "Alice Adams"}
	for _, row := range problemRow.FindAllStringSubmatch(string(doc), -1) {
		if row[3] == "access token refused" {
			continue // by an API, to programs
		}
		status, err := strconv.Atoi(row[2])
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodGet, app+"/admin", http.NoBody)
		r.Header.Set("Accept", "text/html")
		if status == http.StatusForbidden {
			r = r.WithContext(oidcauth.WithUser(r.Context(), alice))
		}
		p := &oidcauth.Problem{Status: status, Code: row[1]}
		if p.Code == "device_proof_required" {
			p.Link = "/cart" // where the form was
		}
		answer := httptest.NewRecorder()
		oidcauth.Fail(w.auth, answer, r, p)
		pages["problem-"+row[1]] = answer.Body.String()
	}
	require.Greater(t, len(pages), 25)
	texts := oidcauth.English()
	head := func(title string, user *oidcauth.User) oidcauth.Page {
		return oidcauth.PageIn(w.auth, texts[title], user)
	}
	choices := []oidcauth.Choice{{Label: "Example Bank", URL: "/1", Last: true}, {Label: "Gesellschaft für Datenverarbeitung und Buchhaltung mbH", URL: "/2"}}
	for name, data := range map[string]any{
		"logout":     &oidcauth.LogoutPage{Page: head("logout.title", alice), Action: "/auth/logout"},
		"leave":      &oidcauth.LeavePage{Page: head("leave.title", nil), Action: "https://id.example.com/logout"},
		"signed-out": &oidcauth.SignedOutPage{Page: head("signed_out.title", nil)},
		// The next two reload themselves, on the web.
		"confirm":        &oidcauth.ConfirmPage{Page: head("confirm.title", alice), Action: "#"},
		"onward":         &oidcauth.OnwardPage{Page: head("onward.title", nil), Action: "#"},
		"choose":         &oidcauth.ChooserPage{Page: head("choose.title", nil), Choices: choices, Action: "/auth/login"},
		"choose-unknown": &oidcauth.ChooserPage{Page: head("choose.title", nil), Action: "/auth/login", Unknown: true},
		"choose-none":    &oidcauth.ChooserPage{Page: head("choose.title", alice)},
	} {
		var body bytes.Buffer
		oidcauth.WriteBuiltIn(&body, data)
		pages[name] = body.String()
	}
	return pages
}
