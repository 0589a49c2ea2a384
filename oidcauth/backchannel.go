package oidcauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/provider"
)

// serveBackChannelLogout receives logout tokens (Back-Channel Logout §2.5). It answers 200 for
// every good token, whether or not anybody was signed in; 400 for every bad one; 503 when the store
// can't take the logout, so that the provider tries again.
func (a *signOut) serveBackChannelLogout(w http.ResponseWriter, r *http.Request) {
	if a.methodNotAllowed(w, r, http.MethodPost) {
		return
	}
	r, cancel := toItsEnd(r)
	defer cancel()
	form, problem := formOf(w, r)
	if problem != nil {
		problem.Status = http.StatusBadRequest
		a.fail(w, r, problem)
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
	rows, err := seen.Get(ctx, token.Issuer+"\x1f"+token.ID)
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
	if err := seen.Set(ctx, token.Issuer+"\x1f"+token.ID, []byte{1}, a.logoutTokenLife()); err != nil {
		return err
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "session revoked", slog.String("issuer", token.Issuer), slog.String("by", "back-channel logout"),
		logtext.Fingerprint("sub", token.Subject), logtext.Fingerprint("sid", token.SID))
	if a.config.Hooks.Logout != nil {
		a.config.Hooks.Logout(ctx, nil, LogoutByProvider)
	}
	return nil
}

// nodeDrift is by how much the clocks of one provider's nodes may differ: the one that made the ID
// token and the one that made the logout token need not be the same.
const nodeDrift = 5 * time.Second

// markEnded marks the sessions that token names as ended by the logout with this number. A sid ends
// with its session, so that one which was signed in by a node whose clock is ahead is meant too; of
// a user there may be a newer login, which is not.
func (a *signOut) markEnded(ctx context.Context, token *provider.LogoutToken, number int64) error {
	for _, tag := range tagsOf(token) {
		at := token.IssuedAt
		if token.SID != "" && tag == sidTag(token.Issuer, token.SID) {
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
func tagsOf(token *provider.LogoutToken) []string {
	if token.SID == "" {
		return []string{subjectTag(token.Issuer, token.Subject)}
	}
	tags := []string{sidTag(token.Issuer, token.SID)}
	if token.Subject != "" {
		tags = append(tags, withoutSIDTag(token.Issuer, token.Subject))
	}
	return tags
}

// logoutTokenLife is how long a jti is remembered: longer than its token is accepted.
func (a *signOut) logoutTokenLife() time.Duration {
	return provider.MaxLogoutTokenAge + 3*a.config.Skew
}
