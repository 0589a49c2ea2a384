// Command tenants is a service whose customers each bring an OpenID provider. People choose where
// to sign in; an administrator adds providers and removes them on a page, while it serves.
//
// Read main.go, directory.go (the customers, in a file) and admin.go (the administrator's page). The
// providers of demo.go are there to try it with.
package main

import (
	"cmp"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// policy lets pages load style sheets of this site, and nothing else.
const policy = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// protected sets the headers that pages about users need.
func protected(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Security-Policy", policy)
		header.Set("Referrer-Policy", "same-origin")
		header.Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	})
}

// newApp makes the service, at an origin: its customers are those of d, and its own people sign in
// at the provider that staff describes.
func newApp(origin string, d *directory, staff oidcauth.Config) (http.Handler, error) {
	providers, err := oidcauth.NewProviders(oidcauth.ProvidersConfig{
		URL:      origin + "/auth/",
		Session:  session.Config{Keys: strings.Fields(cmp.Or(os.Getenv("SESSION_KEYS"), session.NewKey()))},
		ByDomain: d.byDomain, // an email address picks a provider, and proves nothing
	})
	if err != nil {
		return nil, err
	}
	// The service's own provider is not among the customers': nobody removes it on the page. You run
	// it yourself, and so it may be in your own network, as this one is.
	if err := providers.Add("staff", staff, oidcauth.Offered("Staff of this service"), oidcauth.InsecureAnyAddress()); err != nil {
		return nil, err
	}
	if err := d.open(providers); err != nil {
		return nil, err
	}
	show := &pages{providers, d}
	mux := http.NewServeMux()
	mux.Handle("/auth/", providers) // login, callback, logout, and the page to choose on
	mux.Handle("GET /{$}", providers.Load(show.page("home")))
	mux.Handle("GET /account", providers.RequireAny()(show.page("account"))) // users of every provider
	mux.HandleFunc("GET /style.css", show.style)

	// A customer's provider may call its people administrators as it likes: they are strangers here.
	admin, staffOnly := &admin{d, show}, providers.Require("staff", oidcauth.Role("admin"))
	sameSite := http.NewCrossOriginProtection() // no other site's form gets through
	mux.Handle("GET /admin", staffOnly(http.HandlerFunc(admin.list)))
	mux.Handle("POST /admin/add", sameSite.Handler(staffOnly(http.HandlerFunc(admin.add))))
	mux.Handle("POST /admin/remove", sameSite.Handler(staffOnly(http.HandlerFunc(admin.remove))))
	return protected(mux), nil
}

func main() {
	listen := cmp.Or(os.Getenv("LISTEN"), "localhost:8080")
	demo := cmp.Or(os.Getenv("DEMO_LISTEN"), "127.0.0.1:9200") // another host than the application's: cookies ignore ports
	origin, idps := "http://"+listen, demoAt{issuers: "http://" + demo, app: "http://" + listen}

	d := &directory{file: cmp.Or(os.Getenv("TENANTS"), "tenants.json"), nearby: idps.issuers}
	if err := d.read(idps.customers()); err != nil {
		log.Fatal(err)
	}
	app, err := newApp(origin, d, idps.staff())
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.ListenAndServe(demo, idps.handler())) }()
	log.Printf("open %s/, and %s/admin as one of the staff", origin, origin)
	log.Fatal(http.ListenAndServe(listen, app))
}
