package oidcauthtest

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"slices"
	"time"
)

// cookieName is the provider's own session cookie, which makes single sign-on work.
const cookieName = "provider_session"

// Session is a browser's session at the provider; its ID is the sid of tokens.
type Session struct {
	ID, Subject string
	AuthTime    time.Time
	order       int
}

// Sessions returns the active sessions at the provider, oldest first.
func (p *Provider) Sessions() []Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []Session
	for _, s := range p.sessions {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Session) int { return cmp.Compare(a.order, b.order) })
	return list
}

// session returns the browser's session at the provider, nil when it has none.
func (p *Provider) session(r *http.Request) *Session {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[cookie.Value]
}

// startSession signs the current user in at the provider, in place of whoever was.
func (p *Provider) startSession(w http.ResponseWriter, s *Settings) *Session {
	cookie := rand.Text()
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: cookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode,
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signIns++
	session := &Session{ID: rand.Text(), Subject: s.User.Subject, AuthTime: s.Now(), order: p.signIns}
	p.sessions[cookie] = session
	return session
}

// endSession ends the session with this sid, and the one of the browser's cookie.
func (p *Provider) endSession(r *http.Request, sid string) {
	cookie, err := r.Cookie(cookieName)
	p.mu.Lock()
	defer p.mu.Unlock()
	for value, s := range p.sessions {
		if s.ID == sid || err == nil && value == cookie.Value {
			delete(p.sessions, value)
		}
	}
}
