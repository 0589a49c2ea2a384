package oidcauth

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	loopWindow = 10 * time.Second // a guard that finds nobody this soon after a login has met a loop
	maxLoops   = 3                // then the browser gets a page; browsers themselves give up after about 20 redirects
)

// errLoop is for the operator.
var errLoop = errors.New("logins succeed and the session is not there afterwards: the browser refuses the session cookie, or another replica has other session keys")

// loopCookie names the cookie that counts logins which did not stick. It is not sealed: it only brakes the browser that
// sends it.
func (a *Authenticator) loopCookie() string { return a.sessions.CookieName() + "-loop" }

// countLogin notes when a login finished, and how many before it in a row did not stick.
func (a *Authenticator) countLogin(w http.ResponseWriter, t *transaction) {
	value := strconv.Itoa(t.Loops) + "." + strconv.FormatInt(time.Now().Unix(), 10)
	http.SetCookie(w, a.loopCookieOf(value, int(loopWindow/time.Second)))
}

func (a *Authenticator) loopCookieOf(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: a.loopCookie(), Value: value, Path: "/", MaxAge: maxAge, Secure: !a.config.insecureCookies(), HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// loops returns how many logins in a row did not stick: a login finished moments ago, and now nobody is signed in.
func (a *Authenticator) loops(r *http.Request) int {
	c, err := r.Cookie(a.loopCookie())
	if err != nil || len(c.Value) > 20 {
		return 0
	}
	count, at, _ := strings.Cut(c.Value, ".")
	n, err1 := strconv.ParseUint(count, 10, 8)
	finished, err2 := strconv.ParseInt(at, 10, 64)
	if err1 != nil || err2 != nil || time.Since(time.Unix(finished, 0)) > loopWindow {
		return 0
	}
	return int(n) + 1
}

// forgetLoops drops the count when a session ends on purpose.
func (a *Authenticator) forgetLoops(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie(a.loopCookie()); err == nil {
		http.SetCookie(w, a.loopCookieOf("", -1))
	}
}
