// Package browser knows one login that is under way in one browser: its transaction in a sealed
// cookie, how often logins did not stick, whether its callback came before, and who reads the
// answer to a request (Fetch Metadata). It judges no protocol message and knows no session. Start
// at [Logins].
package browser

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/logtext"
)

const (
	maxTransactions     = 10      // live logins of one browser; the oldest gives way
	maxTransactionBytes = 6 << 10 // of all their cookies, names included
	longReturnTo        = 256     // a return path above this gives way when room is short, its query first

	maxTransactionCookie = 4096 // of one, attributes included: browsers drop longer ones (RFC 6265 §6.1)

	maxTransactionScan = 64        // cookies looked at; what is beyond is expired unread
	transactionMark    = "-login-" // between the session cookie's name and the state's hash
)

// A Transaction is one login under way: what the callback must match. It is kept in a sealed cookie
// of its own, so that the tabs of one browser finish in any order.
type Transaction struct {
	Provider string `json:"p"`
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	ReturnTo string `json:"r,omitempty"`
	Began    int64  `json:"b"` // Unix milliseconds
	MaxAge   *int64 `json:"m,omitempty"`
	// ACR and AMR are demanded by a guard and verified at the return; Aged says that MaxAge is,
	// too, and not Config.Login's.
	ACR     []string `json:"a,omitempty"`
	AMR     []string `json:"w,omitempty"`
	Aged    bool     `json:"g,omitempty"`
	Silent  bool     `json:"q,omitempty"` // prompt=none: a refusal is an answer, not an error
	Session string   `json:"o,omitempty"` // the id of the session that the login replaces
	User    string   `json:"i,omitempty"` // userMark of who is signed in there
	Scopes  []string `json:"c,omitempty"` // what is asked for, where that is not Config.Scopes
	Loops   int      `json:"l,omitempty"`
	Demand  string   `json:"u,omitempty"` // fingerprint of the step-up that this login is
	Only    bool     `json:"e,omitempty"` // begun by a guard that takes the users of one of several providers alone
	DPoPKey []byte   `json:"d,omitempty"`
	Fresh   int64    `json:"f,omitempty"` // when the revocation was made that this login is begun for, Unix milliseconds
	// Persistence is what the login's session is asked to be: see session.Persistence.
	Persistence byte `json:"t,omitempty"`
	// Resource is that of the request, repeated with the code (RFC 8707 §2.2).
	Resource []string `json:"h,omitempty"`
}

// Secrets are what must not come back in a message.
func (t *Transaction) Secrets() []string { return []string{t.State, t.Nonce, t.Verifier} }

// BeganAt is when the login began.
func (t *Transaction) BeganAt() time.Time { return time.UnixMilli(t.Began) }

// prefix is what the names of all transaction cookies begin with.
func (l *Logins) prefix() string {
	return l.Cookie + transactionMark
}

// CookieOf names the cookie of the login with this state: by a hash, so that the name tells
// nothing.
func (l *Logins) CookieOf(state string) string {
	return l.prefix() + logtext.Short(state)
}

// Begin adds t's cookie to the response, and expires those that must give way to it. Where the
// browser has no room for t's way back, t loses it, or its query: lost is then the path of the one
// that was wanted.
func (l *Logins) Begin(w http.ResponseWriter, r *http.Request, t *Transaction) (lost string, err error) {
	name, wanted := l.CookieOf(t.State), t.ReturnTo
	c, err := l.seal(name, t)
	if err != nil {
		return "", err
	}
	for !l.fits(r, c, t) {
		if t.ReturnTo, _, _ = strings.Cut(t.ReturnTo, "?"); t.ReturnTo == wanted || len(t.ReturnTo) > longReturnTo {
			t.ReturnTo = ""
		}
		if c, err = l.seal(name, t); err != nil {
			return "", err
		}
	}
	if t.ReturnTo != wanted {
		lost, _, _ = strings.Cut(wanted, "?")
	}
	l.trim(w, r, len(name)+len(c.Value))
	http.SetCookie(w, c)
	return lost, nil
}

// fits reports whether the browser keeps c, in addition to those that it sent, with t's way back in
// it.
func (l *Logins) fits(r *http.Request, c *http.Cookie, t *Transaction) bool {
	if len(t.ReturnTo) <= longReturnTo {
		return true
	}
	return len(c.String()) <= maxTransactionCookie && len(c.Name)+len(c.Value) <= l.room(r)
}

// seal returns t's cookie. A way back keeps its bytes: a query is full of what JSON for HTML would
// escape.
func (l *Logins) seal(name string, t *Transaction) (*http.Cookie, error) {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(t); err != nil {
		return nil, err
	}
	sealed, err := l.Sealer.Seal(name, plain.Bytes())
	if err != nil {
		return nil, err
	}
	return l.loginCookie(name, sealed, int(l.Life/time.Second)), nil
}

// NewCookie is a cookie in addition to the session's own, sent wherever that is.
func (l *Logins) NewCookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: l.Path, MaxAge: maxAge,
		Secure: !l.Insecure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// loginCookie is a transaction's cookie with its attributes. Only a form_post return is a
// cross-site POST, which Lax cookies don't come with.
func (l *Logins) loginCookie(name, value string, maxAge int) *http.Cookie {
	c := l.NewCookie(name, value, maxAge)
	if l.Posted {
		c.SameSite = http.SameSiteNoneMode
	}
	return c
}

// Expire drops the login with this state from its browser.
func (l *Logins) Expire(w http.ResponseWriter, state string) { l.drop(w, l.CookieOf(state)) }

// ExpireAll drops all logins of the browser that sent r.
func (l *Logins) ExpireAll(w http.ResponseWriter, r *http.Request) {
	for _, p := range l.pending(r) {
		l.drop(w, p.name)
	}
}

func (l *Logins) drop(w http.ResponseWriter, name string) {
	http.SetCookie(w, l.loginCookie(name, "", -1))
}

// Open returns the login that state belongs to, if it was begun in this browser. Errors wrap
// ErrState. With ErrElsewhere it may return the login, which is another provider's.
func (l *Logins) Open(r *http.Request, state string) (*Transaction, error) {
	name := l.CookieOf(state)
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return nil, l.lost(r, state, len(found))
	}
	t, err := l.decode(name, found[0].Value)
	if err != nil {
		return nil, fmt.Errorf("%w: its cookie can't be decrypted: it was modified, or replicas use different session keys", ErrState)
	}
	if subtle.ConstantTimeCompare([]byte(t.State), []byte(state)) != 1 {
		return nil, ErrElsewhere
	}
	if t.Provider != l.Provider {
		return t, ErrElsewhere
	}
	return t, nil
}

// ErrState means that a callback has no login transaction in this browser: unknown, expired, or
// used before.
var ErrState = errors.New("oidcauth: no login transaction for this callback")

// Why there is no transaction, where that is known. They wrap ErrState.
var (
	ErrFinished  = fmt.Errorf("%w: used before: the callback was requested again by a reload, the back button or a double click", ErrState)
	ErrElsewhere = fmt.Errorf("%w: it is a login at another provider", ErrState)
	ErrGaveWay   = fmt.Errorf("%w: it was replaced by newer ones", ErrState)
)

// lost tells why the browser sent no cookie, or several, of the login with this state: what is
// known, else what it may be.
func (l *Logins) lost(r *http.Request, state string, cookies int) error {
	if l.consumed.knows(state) {
		return ErrFinished
	}
	alive := 0
	for _, p := range l.pending(r) {
		if p.began > 0 {
			alive++
		}
	}
	if cookies == 0 && alive >= maxTransactions {
		return fmt.Errorf("%w: %d others are under way in this browser", ErrGaveWay, alive)
	}
	return fmt.Errorf("%w: the browser sent %d of its cookies: it was started in another browser or at an address other than %s, cookies are blocked, "+
		"it was already completed, or was replaced by newer ones", ErrState, cookies, l.Origin)
}

func (l *Logins) decode(name, sealed string) (*Transaction, error) {
	plain, _, err := l.Sealer.Open(name, sealed)
	if err != nil {
		return nil, err
	}
	t := new(Transaction)
	if err := json.Unmarshal(plain, t); err != nil {
		return nil, errors.Join(ErrState, err)
	}
	return t, nil
}

// Expired reports whether the login took longer than it may, by the time that is sealed inside.
func (l *Logins) Expired(t *Transaction) bool {
	age := time.Since(t.BeganAt())
	return age > l.Life || age < -l.Skew
}

// Again reports whether t has a user authenticate who is signed in: a step-up, or prompt=none.
func (t *Transaction) Again() bool { return t.User != "" && (t.Demand != "" || t.Silent) }

// Purpose is what the log calls a login that has a user authenticate once more.
func (t *Transaction) Purpose() string {
	if t.Silent {
		return "silent login"
	}
	return "step-up"
}
