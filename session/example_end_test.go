package session_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/signet-go/signet/session"
)

// "Sign out everywhere else" ends every session with the tag but this one.
func ExampleExcept() {
	manager, err := session.New(session.Config{Keys: []string{session.NewKey()}, Store: session.NewMemoryStore()})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(_ http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if err := s.Renew(); err != nil {
			log.Print(err)
			return
		}
		if err := s.Tag("user ada"); err != nil {
			log.Print(err)
		}
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		if err := manager.Revoke(r.Context(), "user ada", session.Except(session.From(r.Context()))); err != nil {
			session.WriteUnavailable(w)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, session.From(r.Context()).Load() == nil)
	})
	laptop, stop := serve(manager, mux)
	defer stop()
	phone, stopPhone := serve(manager, mux)
	defer stopPhone()
	laptop("/login")
	phone("/login")
	laptop("/elsewhere")
	fmt.Println("laptop:", laptop("/"))
	fmt.Println("phone:", phone("/"))
	// Output:
	// laptop: true
	// phone: false
}

// A page that asks each second whether somebody is signed in does not keep the session alive by asking.
func ExampleManager_Peek() {
	manager, err := session.New(session.Config{Keys: []string{session.NewKey()}})
	if err != nil {
		log.Fatal(err)
	}
	const name session.Field[string] = "name"
	mux := http.NewServeMux()
	mux.Handle("/login", manager.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := name.Set(r.Context(), "ada"); err != nil {
			session.WriteUnavailable(w)
		}
	})))
	mux.Handle("/whoami", manager.Peek(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := name.Get(r.Context())
		fmt.Fprint(w, who)
	})))
	get, stop := serveAsIs(mux)
	defer stop()
	get("/login")
	fmt.Println(get("/whoami"))
	// Output: ada
}

// A login works on a session to come, so that one that is refused leaves the browser's session as it was.
func ExampleSession_Prepare() {
	manager, err := session.New(session.Config{Keys: []string{session.NewKey()}})
	if err != nil {
		log.Fatal(err)
	}
	const user session.Field[string] = "user"
	mux := http.NewServeMux()
	mux.HandleFunc("/login/{name}", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		ctx, next, err := s.Prepare(r.Context(), false)
		if err == nil {
			err = user.Set(ctx, r.PathValue("name")) // in the session to come
		}
		if err == nil && r.PathValue("name") == "mallory" {
			return // refused
		}
		if err == nil {
			err = s.Replace(r.Context(), next)
		}
		if err != nil {
			session.WriteUnavailable(w)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		name, _ := user.Get(r.Context())
		fmt.Fprint(w, name)
	})
	get, stop := serve(manager, mux)
	defer stop()
	get("/login/ada")
	get("/login/mallory")
	fmt.Println(get("/"))
	// Output: ada
}

// People see where they are signed in, and end what they don't know.
func ExampleManager_List() {
	manager, err := session.New(session.Config{Keys: []string{session.NewKey()}, Store: session.NewMemoryStore()})
	if err != nil {
		log.Fatal(err)
	}
	const tag = "user ada" // package oidcauth's is that of the user who is signed in: User.Tag
	mux := http.NewServeMux()
	mux.HandleFunc("/login/{device}", func(_ http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if err := s.Renew(); err != nil {
			log.Print(err)
			return
		}
		if err := s.Enlist(tag, session.Place{UserAgent: r.PathValue("device")}); err != nil {
			log.Print(err)
		}
	})
	mux.HandleFunc("/devices", func(w http.ResponseWriter, r *http.Request) {
		all, err := manager.List(r.Context(), tag)
		if err != nil {
			session.WriteUnavailable(w)
			return
		}
		for _, s := range all {
			fmt.Fprintf(w, "%s %t. ", s.Place.UserAgent, s.Current)
		}
	})
	mux.HandleFunc("/end-others", func(w http.ResponseWriter, r *http.Request) {
		if err := manager.EndOthers(r.Context()); err != nil {
			session.WriteUnavailable(w)
		}
	})
	laptop, stop := serve(manager, mux)
	defer stop()
	phone, stopPhone := serve(manager, mux)
	defer stopPhone()
	laptop("/login/laptop")
	phone("/login/phone")
	laptop("/end-others")
	fmt.Println(laptop("/devices"))
	// Output: laptop true.
}
