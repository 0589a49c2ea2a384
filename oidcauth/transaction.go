package oidcauth

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	maxTransactions     = 10      // live logins of one browser; the oldest gives way
	maxTransactionBytes = 6 << 10 // of all their cookies, names included
	longReturnTo        = 256     // a return path above this gives way when room is short, its query first

	maxTransactionCookie = 4096 // of one, attributes included: browsers drop longer ones (RFC 6265 §6.1)

	maxTransactionScan = 64        // cookies looked at; what is beyond is expired unread
	transactionMark    = "-login-" // between the session cookie's name and the state's hash
)

// A transaction is one login under way: what the callback must match. It is kept in a sealed cookie of its own, so that the
// tabs of one browser finish in any order.
type transaction struct {
	Provider string `json:"p"`
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	ReturnTo string `json:"r,omitempty"`
	Began    int64  `json:"b"` // Unix milliseconds
	MaxAge   *int64 `json:"m,omitempty"`
	// ACR and AMR are demanded by a guard and verified at the return; Aged says that MaxAge is, too, and not Config.Login's.
	ACR     []string `json:"a,omitempty"`
	AMR     []string `json:"w,omitempty"`
	Aged    bool     `json:"g,omitempty"`
	Silent  bool     `json:"q,omitempty"` // prompt=none: a refusal is an answer, not an error
	Session string   `json:"o,omitempty"` // the id of the session that the login replaces
	User    string   `json:"i,omitempty"` // userMark of who is signed in there
	Scopes  []string `json:"c,omitempty"` // what is asked for, where that is not Config.Scopes
	Loops   int      `json:"l,omitempty"`
	Demand  string   `json:"u,omitempty"` // fingerprint of the step-up that this login is
	DPoPKey []byte   `json:"d,omitempty"`
	Fresh   int64    `json:"f,omitempty"` // when the revocation was made that this login is begun for, Unix milliseconds
	// Resource is that of the request, repeated with the code (RFC 8707 §2.2).
	Resource []string `json:"h,omitempty"`

	spent bool // its callback was accepted: no other will be
}

// secrets are what must not come back in a message.
func (t *transaction) secrets() []string { return []string{t.State, t.Nonce, t.Verifier} }

func (t *transaction) began() time.Time { return time.UnixMilli(t.Began) }

// transactionPrefix is what the names of all transaction cookies begin with.
func (a *Authenticator) transactionPrefix() string {
	return a.sessions.CookieName() + transactionMark
}

// transactionCookie names the cookie of the login with this state: by a hash, so that the name tells nothing.
func (a *Authenticator) transactionCookie(state string) string {
	sum := sha256.Sum256([]byte(state))
	return a.transactionPrefix() + base64.RawURLEncoding.EncodeToString(sum[:9])
}

// beginTransaction adds t's cookie to the response, and expires those that must give way to it.
func (a *Authenticator) beginTransaction(w http.ResponseWriter, r *http.Request, t *transaction) error {
	name, wanted := a.transactionCookie(t.State), t.ReturnTo
	c, err := a.sealTransaction(name, t)
	if err != nil {
		return err
	}
	for !a.transactionFits(r, c, t) {
		if t.ReturnTo, _, _ = strings.Cut(t.ReturnTo, "?"); t.ReturnTo == wanted || len(t.ReturnTo) > longReturnTo {
			t.ReturnTo = ""
		}
		if c, err = a.sealTransaction(name, t); err != nil {
			return err
		}
	}
	if t.ReturnTo != wanted {
		lost, _, _ := strings.Cut(wanted, "?")
		a.logLostWay(r.Context(), lost, a.backFrom(t), errReturnRoom)
	}
	a.trimTransactions(w, r, len(name)+len(c.Value))
	http.SetCookie(w, c)
	return nil
}

// errReturnRoom is why a way back gives way.
var errReturnRoom = errors.New("the browser's cookies of logins under way leave no room for it")

// transactionFits reports whether the browser keeps c, beside those that it sent, with t's way back in it.
func (a *Authenticator) transactionFits(r *http.Request, c *http.Cookie, t *transaction) bool {
	if len(t.ReturnTo) <= longReturnTo {
		return true
	}
	return len(c.String()) <= maxTransactionCookie && len(c.Name)+len(c.Value) <= a.transactionRoom(r)
}

// sealTransaction returns t's cookie. A way back keeps its bytes: a query is full of what JSON for HTML would escape.
func (a *Authenticator) sealTransaction(name string, t *transaction) (*http.Cookie, error) {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(t); err != nil {
		return nil, err
	}
	sealed, err := a.transacts.Seal(name, plain.Bytes())
	if err != nil {
		return nil, err
	}
	return a.transactionCookieOf(name, sealed, int(a.config.LoginTimeout/time.Second)), nil
}

// cookieOf is a cookie beside the session's own, sent wherever that is.
func (a *Authenticator) cookieOf(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: cmp.Or(a.sessions.Config().CookiePath, "/"), MaxAge: maxAge,
		Secure: !a.config.insecureCookies(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// transactionCookieOf is a transaction's cookie with its attributes. Only a form_post return is a cross-site POST, which
// Lax cookies don't come with.
func (a *Authenticator) transactionCookieOf(name, value string, maxAge int) *http.Cookie {
	c := a.cookieOf(name, value, maxAge)
	if a.config.ResponseMode.isPost() {
		c.SameSite = http.SameSiteNoneMode
	}
	return c
}

func (a *Authenticator) expireTransaction(w http.ResponseWriter, name string) {
	http.SetCookie(w, a.transactionCookieOf(name, "", -1))
}

// openTransaction returns the login that state belongs to, if it was begun in this browser. Errors wrap ErrState.
func (a *Authenticator) openTransaction(r *http.Request, state string) (*transaction, error) {
	name := a.transactionCookie(state)
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return nil, a.lost(r, state, len(found))
	}
	t, err := a.decodeTransaction(name, found[0].Value)
	if err != nil {
		return nil, fmt.Errorf("%w: its cookie can't be opened: it was changed, or another replica has other session keys", ErrState)
	}
	if subtle.ConstantTimeCompare([]byte(t.State), []byte(state)) != 1 || t.Provider != a.key {
		return nil, fmt.Errorf("%w: it is a login at another provider", ErrState)
	}
	return t, nil
}

var (
	errFinished = fmt.Errorf("%w: used before: the callback came once more, by a reload, the back button or a double click", ErrState)
	errGaveWay  = fmt.Errorf("%w: it gave way to newer ones", ErrState)
)

// lost tells why the browser sent no cookie, or several, of the login with this state: what is known, else what it may be.
func (a *Authenticator) lost(r *http.Request, state string, cookies int) error {
	if a.consumed.knows(state) {
		return errFinished
	}
	alive := 0
	for _, p := range a.pendingTransactions(r) {
		if p.began > 0 {
			alive++
		}
	}
	if cookies == 0 && alive >= maxTransactions {
		return fmt.Errorf("%w: %d others are under way in this browser", errGaveWay, alive)
	}
	return fmt.Errorf("%w: the browser sent %d cookies of it: it was started in another browser or at another address than %s, cookies are blocked, "+
		"it was finished before, or gave way to newer ones", ErrState, cookies, a.origin)
}

func (a *Authenticator) decodeTransaction(name, sealed string) (*transaction, error) {
	plain, _, err := a.transacts.Open(name, sealed)
	if err != nil {
		return nil, err
	}
	t := new(transaction)
	if err := json.Unmarshal(plain, t); err != nil {
		return nil, errors.Join(ErrState, err)
	}
	return t, nil
}

// expired reports whether the login took longer than it may, by the time that is sealed inside.
func (a *Authenticator) expired(t *transaction) bool {
	age := time.Since(t.began())
	return age > a.config.LoginTimeout || age < -a.config.Skew
}

// A pending cookie is a transaction of this browser, as the request brought it.
type pending struct {
	name  string
	size  int
	began int64 // 0 when it can't be read any more
}

// pendingTransactions lists the request's transaction cookies, newest first.
func (a *Authenticator) pendingTransactions(r *http.Request) []pending {
	var list []pending
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, a.transactionPrefix()) {
			continue
		}
		p := pending{name: c.Name, size: len(c.Name) + len(c.Value)}
		if len(list) < maxTransactionScan {
			if t, err := a.decodeTransaction(c.Name, c.Value); err == nil && !a.expired(t) {
				p.began = t.Began
			}
		}
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(x, y pending) int { return cmp.Compare(y.began, x.began) })
	return list
}

// transactionRoom returns how many bytes the request's living transactions leave.
func (a *Authenticator) transactionRoom(r *http.Request) int {
	room := maxTransactionBytes
	for i, p := range a.pendingTransactions(r) {
		if p.began > 0 && i < maxTransactions-1 {
			room -= p.size
		}
	}
	return room
}

// trimTransactions expires the request's transactions that are dead, or too many beside a new one of size bytes.
func (a *Authenticator) trimTransactions(w http.ResponseWriter, r *http.Request, size int) {
	room, expired := maxTransactionBytes-size, 0
	for i, p := range a.pendingTransactions(r) {
		room -= p.size
		if (p.began == 0 || i >= maxTransactions-1 || room < 0) && expired < maxTransactionScan {
			a.expireTransaction(w, p.name)
			expired++
		}
	}
}
