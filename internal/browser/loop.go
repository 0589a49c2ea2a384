package browser

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxLoops is how many logins in a row may not stick; then the browser gets a page. Browsers
// themselves give up after about 20 redirects.
const MaxLoops = 3

const (
	loopWindow = 10 * time.Second // a guard that finds nobody this soon after a login has met a loop

	maxLoopCookie = 32 // bytes of its value
)

// ErrLoop is for the operator.
var ErrLoop = errors.New("logins succeed, but the session is missing on the next request: the browser rejects the session cookie, replicas use different session keys, or the Store loses writes (reading from a database replica looks like that)")

// ErrStepUpLoop is for the developer.
var ErrStepUpLoop = errors.New("logins succeed, but none satisfies the next guard: the guards' requirements contradict one another")

// ErrSilentLoop is for the developer.
var ErrSilentLoop = errors.New("logins with prompt=none return without a user, and the page keeps starting new ones: remember that it has already asked")

// loopCookie names the cookie that counts logins which did not stick. It is not sealed: it only
// brakes the browser that sends it.
func (l *Logins) loopCookie() string { return l.Cookie + "-loop" }

// Count notes when a login finished, how many before it in a row did not stick, and what a guard
// had demanded of it.
func (l *Logins) Count(w http.ResponseWriter, t *Transaction) {
	value := strconv.Itoa(t.Loops) + "." + strconv.FormatInt(time.Now().Unix(), 10) + "." + t.Demand
	http.SetCookie(w, l.loopCookieFor(value, int(loopWindow/time.Second)))
}

func (l *Logins) loopCookieFor(value string, maxAge int) *http.Cookie {
	return l.NewCookie(l.loopCookie(), value, maxAge)
}

// A LastLogin is what the browser remembers of a login that finished moments ago.
type LastLogin struct {
	Loops  int    // logins in a row that did not bring what the guard wanted, this one included
	Demand string // fingerprint of the step-up that this login was
}

// Last returns the zero value when no login finished within loopWindow.
func (l *Logins) Last(r *http.Request) LastLogin {
	c, err := r.Cookie(l.loopCookie())
	if err != nil || len(c.Value) > maxLoopCookie {
		return LastLogin{}
	}
	count, rest, _ := strings.Cut(c.Value, ".")
	at, demand, _ := strings.Cut(rest, ".")
	n, err1 := strconv.ParseUint(count, 10, 8)
	finished, err2 := strconv.ParseInt(at, 10, 64)
	if err1 != nil || err2 != nil || time.Since(time.Unix(finished, 0)) > loopWindow {
		return LastLogin{}
	}
	return LastLogin{int(n) + 1, demand}
}

// ForgetLoops drops the count when a session ends on purpose.
func (l *Logins) ForgetLoops(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie(l.loopCookie()); err == nil {
		http.SetCookie(w, l.loopCookieFor("", -1))
	}
}
