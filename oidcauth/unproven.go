package oidcauth

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/signet-go/signet/internal/bound"
	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/session"
)

const (
	// maxConfirmations is how often a page may load itself again without that a proof comes of it.
	maxConfirmations = 2

	// confirmingFor is how long the browser remembers how often it did.
	confirmingFor = time.Minute
)

// Retry-After of what a browser could not renew: the quota comes back in minutes, an outage may end
// at any time.
const (
	quotaPause  = time.Minute
	outagePause = 5 * time.Second
)

// withoutProof reports whether err means that the session is alive but must not be used for this
// request.
func withoutProof(err error) bool {
	return errors.Is(err, session.ErrDeviceProof) || errors.Is(err, session.ErrDeviceRequired)
}

// A proofless says what is to be done with a request whose session lives, and comes without a proof
// of its device.
type proofless int

const (
	askProof       proofless = iota // tell a script that the proof is missing
	reload                          // show a page that loads itself again, so that the browser renews
	waitForRenewal                  // the browser could not renew just now
	signInAgain                     // nothing but a login helps
	refuseForGood                   // the session had to be bound, and is not
)

// judge is the decision, apart from denyProofless, which enacts it.
func (d *binder) judge(r *http.Request, err error) (what proofless, after time.Duration) {
	if errors.Is(err, session.ErrDeviceRequired) {
		return refuseForGood, 0
	}
	for _, skip := range bound.SkipsIn(r.Header) {
		switch {
		case !slices.Contains([]string{"quota_exceeded", "server_error", "unreachable"}, skip.Reason):
		case skip.Identifier != "" && !inside.OfManager(d.sessions).KnowsBinding(skip.Identifier):
			return signInAgain, 0 // it can't be renewed: our keys have changed
		case skip.Reason == "quota_exceeded":
			return waitForRenewal, quotaPause
		default:
			return waitForRenewal, outagePause
		}
	}
	switch {
	case !IsPageView(r):
		return askProof, 0
	case d.confirmations(r) >= maxConfirmations:
		return signInAgain, 0
	}
	return reload, 0
}

// denyProofless answers a guarded request whose session can't be used because there is no proof.
// Nobody is signed out by it, and nothing is cleared.
func (a *Authenticator) denyProofless(w http.ResponseWriter, r *http.Request, err error) {
	what, after := a.devices.judge(r, err)
	switch what {
	case refuseForGood:
		a.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "device_binding_required", Err: err})
	case waitForRenewal:
		a.fail(w, r, &Problem{Status: http.StatusServiceUnavailable, Code: "device_unavailable", RetryAfter: after, Err: err})
	case signInAgain:
		http.SetCookie(w, a.devices.confirmingCookie("", -1))
		a.challenge(w, r, ErrLoginRequired, nil)
	case reload:
		a.devices.confirm(w, r)
	case askProof:
		a.devices.askProof(w, r, err)
	}
}

// confirm is the page that loads itself again. That is a request of this very site, for which
// browsers renew the bound cookie first, while they don't for a link of another.
func (d *binder) confirm(w http.ResponseWriter, r *http.Request) {
	d.log.LogAttrs(r.Context(), slog.LevelDebug, "device proof missing", slog.String("issuer", d.config.Issuer),
		slog.String("session", inside.OfSession(d.sessions.From(r.Context())).Unproven()), slog.String("path", logtext.Clip(r.URL.Path, 200)))
	protectAnswer(w)
	http.SetCookie(w, d.confirmingCookie(strconv.Itoa(d.confirmations(r)+1), int(confirmingFor/time.Second)))
	if inside.OfSession(d.sessions.From(r.Context())).HasStaleProof() {
		http.SetCookie(w, inside.OfManager(d.sessions).ExpiredProof()) // what is there, browsers don't renew
	}
	d.writePage(w, http.StatusOK, pageConfirm, &ConfirmPage{d.headOf(w, r, "confirm.title"), d.site.Seen(r)})
}

// confirmingCookie counts how often a page has loaded itself again. It is not sealed: it only brakes
// the browser that sends it.
func (d *binder) confirmingCookie(value string, maxAge int) *http.Cookie {
	return d.logins.NewCookie(d.sessions.CookieName()+"-confirm", value, maxAge)
}

// confirmations is how often the page that r opens has loaded itself again. A page that somebody
// else opens begins anew: only our own reload counts, or one of a browser that does not say.
func (d *binder) confirmations(r *http.Request) int {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return 0
	}
	c, err := r.Cookie(d.confirmingCookie("", 0).Name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(c.Value, 10, 8)
	if err != nil {
		return maxConfirmations
	}
	return int(n)
}

// askProof is the 401 for everything that is no page view: a person is shown a page, to a form
// or in a frame.
func (d *binder) askProof(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("WWW-Authenticate", loginChallenge)
	if WantsPage(r) && !browser.IsPrefetch(r) {
		d.fail(w, r, &Problem{Status: http.StatusUnauthorized, Code: "device_proof_required", Link: d.site.PageOf(r), Err: err})
		return
	}
	d.log.LogAttrs(r.Context(), slog.LevelDebug, "device proof missing", slog.String("issuer", d.config.Issuer),
		slog.String("session", inside.OfSession(d.sessions.From(r.Context())).Unproven()), logtext.Reason(err))
	protectAnswer(w)
	writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "device_proof_required"})
}
