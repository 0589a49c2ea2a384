package devprovider

import (
	"embed"
	"net/http"

	"github.com/signet-go/signet/example-webapp/internal/reply"
)

//go:embed templates
var assets embed.FS

// pages are the provider's own: to a browser, app and provider are two sites of two companies.
var pages = reply.ParsePages(assets, nil)

// A page is what the provider's templates get.
//
// It is a type of its own, so that nothing of the app's user can appear on a page of the
// provider's.
type page struct {
	Title, Action, Username, Problem, Message string
	Users                                     []User
}

// render writes a page of the provider.
func render(w http.ResponseWriter, status int, name string, data page) {
	reply.Headers(w.Header())
	pages.Write(w, status, name, data)
}
