package oidcauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/seal"
	"github.com/signet-go/signet/session"
)

// serveBackChannelLogout receives logout tokens (Back-Channel Logout §2.5). It answers 200 for
// every good token, whether or not anybody was signed in; 400 for every bad one; 503 when the store
// can't take the logout, so that the provider tries again.
func (a *signOut) serveBackChannelLogout(w http.ResponseWriter, r *http.Request) {
	if a.methodNotAllowed(w, r, http.MethodPost) {
		return
	}
	r, end := a.observe(r, OperationBackChannelLogout)
	defer end()
	r, cancel := toItsEnd(r)
	defer cancel()
	form, err := browser.FormOf(w, r)
	if err != nil {
		a.fail(w, r, &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: err})
		return
	}
	if len(form["logout_token"]) != 1 {
		a.fail(w, r, &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: errors.New("expected one logout_token")})
		return
	}
	token, err := a.verifier.Logout(r.Context(), form.Get("logout_token"))
	if err != nil {
		a.fail(w, r, logoutProblem(err))
		return
	}
	if err := a.endByToken(r.Context(), token); err != nil {
		a.fail(w, r, &Problem{Status: http.StatusServiceUnavailable, Code: "store_unavailable", Err: err})
		return
	}
	w.WriteHeader(http.StatusOK)
}

// logoutProblem tells a bad token from keys that can't be had, which the provider may try again.
func logoutProblem(err error) *Problem {
	if outage, down := errors.AsType[*pace.Outage](err); down {
		return &Problem{Status: http.StatusServiceUnavailable, Code: "provider_unavailable", RetryAfter: outage.RetryAfter, Err: err}
	}
	return &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: err}
}

// endByToken ends the sessions that token names, unless it did so before: a replayed token must not
// end a newer session.
func (a *signOut) endByToken(ctx context.Context, token *provider.LogoutToken) error {
	seen := inside.OfManager(a.sessions).Vault("logout token")
	row := seenRow(a.name(), token)
	rows, err := seen.Get(ctx, row)
	if err != nil {
		return err
	}
	if len(rows) == 1 && rows[0].Raw != nil {
		return nil
	}
	if err := a.logouts.take(ctx, func(number int64) error { return a.markEnded(ctx, token, number) }); err != nil {
		return err
	}
	// Recorded last, so that a token whose marks could not be stored is taken again.
	if err := seen.Set(ctx, row, []byte{1}, a.logoutTokenLife()); err != nil {
		return err
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "session revoked", slog.String("issuer", token.Issuer), slog.String("by", "back-channel logout"),
		logtext.Fingerprint("sub", token.Subject), logtext.Fingerprint("sid", token.SID))
	if a.config.Hooks.Logout != nil {
		a.config.Hooks.Logout(ctx, nil, LogoutByProvider)
	}
	return nil
}

// seenRow is where a logout token is remembered: each provider of a registry has tokens of its own.
func seenRow(name string, token *provider.LogoutToken) string {
	row := token.Issuer + "\x1f" + token.ID
	if name != "" {
		row = name + "\x1f" + row
	}
	return row
}

// nodeDrift is by how much the clocks of one provider's nodes may differ: the one that made the ID
// token and the one that made the logout token need not be the same.
const nodeDrift = 5 * time.Second

// markEnded marks the sessions that token names as ended by the logout with this number. A sid ends
// with its session, so that one which was signed in by a node whose clock is ahead is meant too; of
// a user there may be a newer login, which is not.
func (a *signOut) markEnded(ctx context.Context, token *provider.LogoutToken, number int64) error {
	for _, tag := range a.tagsOf(token) {
		at := token.IssuedAt
		if token.SID != "" && tag == sidTag(a.name(), token.Issuer, token.SID) {
			at = at.Add(nodeDrift)
		}
		if err := inside.OfManager(a.sessions).RevokeNumbered(ctx, tag, at, number); err != nil {
			return err
		}
	}
	return nil
}

// tagsOf names the sessions that token ends: the one with its sid and, of the same user, those
// whose ID token had none; or all of the user where the token has no sid (Back-Channel Logout
// §2.7).
func (a *signOut) tagsOf(token *provider.LogoutToken) []string {
	if token.SID == "" {
		return []string{subjectTag(a.name(), token.Issuer, token.Subject)}
	}
	tags := []string{sidTag(a.name(), token.Issuer, token.SID)}
	if token.Subject != "" {
		tags = append(tags, withoutSIDTag(a.name(), token.Issuer, token.Subject))
	}
	return tags
}

// logoutTokenLife is how long a jti is remembered: longer than its token is accepted.
func (a *signOut) logoutTokenLife() time.Duration {
	return provider.MaxLogoutTokenAge + 3*a.config.Skew
}

// logoutNumbers count an issuer's back-channel logouts in the Store, so that a callback finds out
// about one that came while its code was on the way: the ID token that the code then brings is
// younger than the logout token, and times tell nothing.
//
// A logout reads the number, and leaves one more in the mark of each tag that it ends; then it
// raises the number itself, by compare-and-swap, and starts over if another process has. A callback
// reads the number before it sends the code, and asks the marks of its tags after: one that is
// higher came in between. It is higher, too, when the logout was not finished yet as the callback
// read: its marks came before.
type logoutNumbers struct {
	sessions *session.Manager
	vault    *seal.Vault   // has the issuer's number; nil without a Store, where no logouts arrive
	busy     chan struct{} // holds one value while this process numbers a logout: only other processes are raced with
}

const issuerNumber = "issuer" // the row of the issuer's number

// newLogoutNumbers returns the numbers of one issuer, or of one provider of a registry.
func newLogoutNumbers(sessions *session.Manager, name, issuer string) *logoutNumbers {
	if name != "" {
		issuer = name + " " + issuer
	}
	return &logoutNumbers{sessions: sessions, vault: inside.OfManager(sessions).Vault("logout number " + issuer), busy: make(chan struct{}, 1)}
}

// life is how long the issuer's number is kept: longer than any mark that has it.
func (n *logoutNumbers) life() time.Duration { return n.sessions.Config().Lifetime + 48*time.Hour }

// current returns the issuer's number. Error: session.ErrUnavailable.
func (n *logoutNumbers) current(ctx context.Context) (int64, error) {
	if n.vault == nil {
		return 0, nil
	}
	rows, err := n.vault.Get(ctx, issuerNumber)
	if err != nil {
		return 0, unavailableStore(err)
	}
	return numberIn(rows[0]), nil
}

// numberIn returns the number in row, 0 where there is none that can be read.
func numberIn(row seal.Row) int64 {
	number, err := strconv.ParseInt(string(row.Value), 10, 64)
	if err != nil {
		return 0
	}
	return number
}

// take gives a logout its number, with which it calls mark to mark the sessions that end: again
// where somebody else took the number first. Errors: mark's; session.ErrUnavailable, also when
// others keep being faster.
func (n *logoutNumbers) take(ctx context.Context, mark func(number int64) error) error {
	select {
	case n.busy <- struct{}{}:
		defer func() { <-n.busy }()
	case <-ctx.Done():
		return unavailableStore(ctx.Err())
	}
	err := n.vault.Update(ctx, issuerNumber, n.life(), func(row seal.Row) ([]byte, error) {
		next := numberIn(row) + 1
		if next == 1 { // missing, or of a key that is gone: from the time on, above all that were
			next = time.Now().UnixMilli()
		}
		return strconv.AppendInt(nil, next, 10), mark(next)
	})
	if errors.Is(err, seal.ErrContended) {
		return unavailableStore(err)
	}
	return err
}

// errLogoutCame means that the provider signed the user out while the code was on its way.
var errLogoutCame = errors.New("oidcauth: a back-channel logout came before the code was redeemed")

// since returns an error where a logout of one of tags has come since current returned number: it
// wraps session.ErrNoSession, or session.ErrUnavailable where nobody knows.
func (n *logoutNumbers) since(ctx context.Context, number int64, tags ...string) error {
	latest, err := inside.OfManager(n.sessions).Numbered(ctx, tags...)
	switch {
	case err != nil:
		return unavailableStore(err)
	case latest > number:
		return errors.Join(session.ErrNoSession, errLogoutCame)
	}
	return nil
}
