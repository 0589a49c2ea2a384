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
	"time"

	"github.com/signet-go/signet/session"
)

// serve starts h behind sessions and returns a browser for it.
func serve(manager *session.Manager, h http.Handler) (get func(path string) string, stop func()) {
	server := httptest.NewTLSServer(manager.Handler(h))
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

func ExampleDone() {
	manager, err := session.New(session.Config{Keys: []string{session.NewKey()}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(_ http.ResponseWriter, r *http.Request) { session.From(r.Context()).Renew() })
	mux.HandleFunc("/logout", func(_ http.ResponseWriter, r *http.Request) { session.From(r.Context()).Destroy(r.Context()) })
	streaming := make(chan struct{})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		ended := session.Done(r.Context())
		http.NewResponseController(w).Flush()
		close(streaming)
		select {
		case <-ended:
			fmt.Fprint(w, "signed out")
		case <-time.After(10 * time.Second):
			fmt.Fprint(w, "still here")
		}
	})
	get, stop := serve(manager, mux)
	defer stop()
	get("/login")
	events := make(chan string)
	go func() { events <- get("/events") }()
	<-streaming
	get("/logout")
	fmt.Println(<-events)
	// Output: signed out
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
