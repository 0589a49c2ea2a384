package session

import "net/http"

// Peek is [Manager.Handler] for requests that look at the session and are no use of it: a page that
// asks each second whether somebody is still signed in must not keep him signed in. The session can
// be read as ever, while its idle limit stays where it is, in the cookie and in the Store, and its
// cookie is neither renewed nor expired. Vary and Cache-Control are set as by Handler.
//
// What next changes all the same is saved, and its cookie set, as by Handler. Inside a Handler of
// the same Manager, Peek makes the whole request a look; a Handler inside of Peek passes through
// and leaves it one.
func (m *Manager) Peek(next http.Handler) http.Handler {
	return m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.From(r.Context()).peek()
		next.ServeHTTP(w, r)
	}))
}

// peek makes the request a look.
func (s *Session) peek() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looking = true
}

// looks reports whether the request is a look.
func (s *Session) looks() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looking
}
