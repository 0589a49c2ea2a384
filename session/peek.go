package session

import "net/http"

// Peek is [Manager.Handler] for requests that look at the session without counting as use of it: a
// page that asks every second whether the user is still signed in must not keep the user signed in.
// The session can be read as usual, but its idle limit doesn't move, in the cookie or in the Store,
// and its cookie is neither renewed nor expired. Vary and Cache-Control are set as by Handler.
//
// If next changes the session anyway, the changes are saved and the cookie is set, as by Handler.
// Inside a Handler of the same Manager, Peek applies to the whole request; a Handler inside Peek
// passes through and changes nothing about that.
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
