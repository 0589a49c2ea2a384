package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/signet-go/signet/session"
)

// serve starts h behind sessions and returns a browser for it.
func serve(manager *session.Manager, h http.Handler) (get func(path string) string, stop func()) {
	return serveAsIs(manager.Handler(h))
}

// serveAsIs starts h and returns a browser for it.
func serveAsIs(h http.Handler) (get func(path string) string, stop func()) {
	server := httptest.NewTLSServer(h)
	browser := server.Client()
	browser.Jar, _ = cookiejar.New(nil)
	return func(path string) string {
		resp, err := browser.Get(server.URL + path)
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}, server.Close
}

func Example() {
	manager, err := session.New(session.Config{Keys: []string{session.NewKey()}})
	if err != nil {
		log.Fatal(err)
	}
	const visits session.Field[int] = "visits"
	get, stop := serve(manager, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := visits.Get(r.Context())
		if err := visits.Set(r.Context(), n+1); err != nil {
			session.WriteUnavailable(w)
			return
		}
		fmt.Fprintf(w, "visit %d", n+1)
	}))
	defer stop()
	fmt.Println(get("/"))
	fmt.Println(get("/"))
	// Output:
	// visit 1
	// visit 2
}

// A login begins a new session, so that nobody can plant one, and tags it with its user.
func ExampleSession_RenewKeepingFields() {
	manager, err := session.New(session.Config{Keys: []string{session.NewKey()}, Store: session.NewMemoryStore()})
	if err != nil {
		log.Fatal(err)
	}
	const user session.Field[string] = "user"
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if s.RenewKeepingFields() != nil || user.Set(r.Context(), "ada") != nil || s.Tag("user ada") != nil {
			session.WriteUnavailable(w)
			return
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		name, ok := user.Get(r.Context())
		fmt.Fprint(w, name, " ", ok)
	})
	get, stop := serve(manager, mux)
	defer stop()
	get("/login")
	fmt.Println(get("/"))
	if err := manager.Revoke(context.Background(), "user ada"); err != nil { // on every device
		log.Fatal(err)
	}
	fmt.Println(get("/"))
	// Output:
	// ada true
	//  false
}

func ExampleSession_Load() {
	manager, err := session.New(session.Config{Keys: []string{session.NewKey()}})
	if err != nil {
		log.Fatal(err)
	}
	page := func(w http.ResponseWriter, r *http.Request) {
		switch err := session.From(r.Context()).Load(); {
		case err == nil:
			fmt.Fprint(w, "welcome back")
		case errors.Is(err, session.ErrNoSession):
			fmt.Fprint(w, "please sign in")
		default: // an outage is not a logout
			session.WriteUnavailable(w)
		}
	}
	get, stop := serve(manager, http.HandlerFunc(page))
	defer stop()
	fmt.Println(get("/"))
	// Output: please sign in
}

// A stream of server-sent events that ends with its session: by a logout here, or on another replica within 5 s.
func ExampleDone() {
	manager, err := session.New(session.Config{Keys: []string{session.NewKey()}})
	if err != nil {
		log.Fatal(err)
	}
	news := make(chan string)
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(_ http.ResponseWriter, r *http.Request) { session.From(r.Context()).Renew() })
	mux.HandleFunc("/logout", func(_ http.ResponseWriter, r *http.Request) { session.From(r.Context()).Destroy(r.Context()) })
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			select {
			case text := <-news:
				fmt.Fprintf(w, "data: %s\n\n", text)
				http.NewResponseController(w).Flush()
			case <-session.Done(r.Context()):
				fmt.Fprint(w, "event: signed-out\ndata:\n\n")
				return
			case <-r.Context().Done(): // the browser has gone
				return
			}
		}
	})
	get, stop := serve(manager, mux)
	defer stop()
	get("/login")
	events := make(chan string)
	go func() { events <- get("/events") }()
	news <- "tea is ready"
	get("/logout")
	fmt.Print(<-events)
	// Output:
	// data: tea is ready
	//
	// event: signed-out
	// data:
}

// A field is a constant, with the type of what it keeps.
func ExampleField() {
	type Cart struct{ Items []string }
	const cart session.Field[Cart] = "cart"

	manager, err := session.New(session.Config{Keys: []string{session.NewKey()}})
	if err != nil {
		log.Fatal(err)
	}
	get, stop := serve(manager, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := cart.Get(r.Context()) // an empty cart when there is none
		var err error
		switch r.URL.Path {
		case "/add":
			c.Items = append(c.Items, r.FormValue("item"))
			err = cart.Set(r.Context(), c)
		case "/pay":
			err = cart.Delete(r.Context())
		}
		if err != nil {
			session.WriteUnavailable(w)
			return
		}
		fmt.Fprint(w, c.Items)
	}))
	defer stop()
	get("/add?item=tea")
	get("/add?item=cups")
	fmt.Println(get("/"))
	get("/pay")
	fmt.Println(get("/"))
	// Output:
	// [tea cups]
	// []
}

// Keys rotate in three steps, each at every replica before the next: first all learn the new key, then it moves to the front, and
// last the old one goes, when Config.OnKeyUse names it no more.
func ExampleManager_SetKeys() {
	oldKey, newKey := session.NewKey(), session.NewKey()
	manager, err := session.New(session.Config{Keys: []string{oldKey}})
	if err != nil {
		log.Fatal(err)
	}
	for _, keys := range [][]string{{oldKey, newKey}, {newKey, oldKey}, {newKey}} {
		if err := manager.SetKeys(keys); err != nil {
			log.Fatal(err) // nothing has changed
		}
		fmt.Println(len(manager.KeyIDs()), "keys")
	}
	// Output:
	// 2 keys
	// 2 keys
	// 1 keys
}

// An administrator signs somebody out on all devices.
func ExampleManager_Revoke() {
	manager, err := session.New(session.Config{Keys: []string{session.NewKey()}, Store: session.NewMemoryStore()})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if s.Renew() != nil || s.Tag("user ada") != nil {
			session.WriteUnavailable(w)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "signed in: ", session.From(r.Context()).Load() == nil)
	})
	phone, stopPhone := serve(manager, mux)
	defer stopPhone()
	laptop, stopLaptop := serve(manager, mux)
	defer stopLaptop()
	phone("/login")
	laptop("/login")
	if err := manager.Revoke(context.Background(), "user ada"); err != nil {
		log.Fatal(err) // ErrUnavailable: nobody knows whether it was done; call again
	}
	fmt.Println(phone("/"))
	fmt.Println(laptop("/"))
	phone("/login") // a new login is not affected
	fmt.Println(phone("/"))
	// Output:
	// signed in: false
	// signed in: false
	// signed in: true
}

// One process can keep its sessions in memory: the cookie then holds nothing but a random id, and Revoke works.
func ExampleMemoryStore() {
	manager, err := session.New(session.Config{
		Keys:       []string{session.NewKey()},
		Store:      &session.MemoryStore{MaxBytes: 64 << 20},
		ServerSide: true,
	})
	fmt.Println(manager != nil, err)
	// Output: true <nil>
}

func ExampleSession_Exclusive() {
	manager, err := session.New(session.Config{Keys: []string{session.NewKey()}})
	if err != nil {
		log.Fatal(err)
	}
	get, stop := serve(manager, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if r.URL.Path == "/login" {
			s.SetToken("refresh", "first")
			return
		}
		// However many requests come at once, one of them spends the refresh token, and all of them get what it brought.
		err := s.Exclusive(context.Background(), func(_ context.Context, latest *session.Session) error {
			if token, _ := latest.Token("refresh"); token != "first" {
				return nil // somebody was faster
			}
			return latest.SetToken("refresh", "second")
		})
		if err == nil {
			err = s.Sync(r.Context())
		}
		token, _ := s.Token("refresh")
		fmt.Fprint(w, token, " ", err)
	}))
	defer stop()
	get("/login")
	fmt.Println(get("/"))
	// Output: second <nil>
}
