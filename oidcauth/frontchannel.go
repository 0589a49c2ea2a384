package oidcauth

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/seal"
)

// serveFrontChannelLogout is loaded by the provider's page in a frame (Front-Channel Logout §2). It
// needs iss and sid, and works without cookies, which browsers keep from such frames: the sid,
// which only the provider and its clients know, is the authority.
func (a *signOut) serveFrontChannelLogout(w http.ResponseWriter, r *http.Request) {
	a.allowFraming(w)
	if a.methodNotAllowed(w, r, http.MethodGet) {
		return
	}
	r, end := a.observe(r, OperationFrontChannelLogout)
	defer end()
	r, cancel := toItsEnd(r)
	defer cancel()
	query := r.URL.Query()
	iss, sid := query["iss"], query["sid"]
	if len(iss) != 1 || len(sid) != 1 || !a.provider.Issuers.Allow(iss[0]) || sid[0] == "" || len(sid[0]) > provider.MaxSessionID {
		a.endedNothing(r.Context(), "expected our iss and one sid: does the client's registration require them?")
		a.showSignedOut(w, r)
		return
	}
	if err := a.endBySID(r.Context(), iss[0], sid[0]); err != nil {
		a.fail(w, r, &Problem{Status: http.StatusServiceUnavailable, Code: "store_unavailable", Err: err})
		return
	}
	a.showSignedOut(w, r)
}

// endedNothing logs that a front-channel request had no effect: at most once in nothingEvery, since
// anybody can send them.
func (a *signOut) endedNothing(ctx context.Context, why string) {
	if a.nothing.Allow() {
		a.log.LogAttrs(ctx, slog.LevelInfo, "front-channel logout ended nothing", slog.String("issuer", a.config.Issuer), slog.String("reason", why))
	}
}

// nothingEvery is how often a front-channel request that ends nothing is logged.
const nothingEvery = time.Minute

// allowFraming lets the provider's pages frame the answer.
func (a *signOut) allowFraming(w http.ResponseWriter) {
	ancestors := append([]string{originOf(a.config.Issuer)}, a.config.FrameAncestors...)
	if meta := a.provider.Peek(); meta != nil && meta.EndSessionEndpoint != "" {
		ancestors = append(ancestors, originOf(meta.EndSessionEndpoint))
	}
	w.Header().Del("X-Frame-Options")
	w.Header().Set("Content-Security-Policy", strings.Replace(pagePolicy, "frame-ancestors 'none'", "frame-ancestors "+strings.Join(ancestors, " "), 1))
}

func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "'none'"
	}
	return u.Scheme + "://" + u.Host
}

// recordSID notes that a login has this sid and when its ID token was issued, so that front-channel
// logout knows a real sid from a made-up one, and marks it by the provider's clock. Of several
// logins with one sid, as with single sign-on, the latest counts, in whatever order they arrive.
func (a *core) recordSID(ctx context.Context, u *User, issued time.Time) error {
	if !a.config.FrontChannelLogout || u.SessionID == "" {
		return nil
	}
	known, tag := inside.OfManager(a.sessions).Vault("known sid"), sidTag(u.Provider, u.Issuer, u.SessionID)
	life := a.sessions.Config().Lifetime + 2*a.config.Skew
	err := known.Update(ctx, tag, life, func(row seal.Row) ([]byte, error) {
		return strconv.AppendInt(nil, max(issued.Unix(), issuedIn(row)), 10), nil
	})
	if err != nil {
		return unavailableStore(err)
	}
	return nil
}

// issuedIn returns what recordSID wrote into row, 0 where that can't be read.
func issuedIn(row seal.Row) int64 {
	issued, err := strconv.ParseInt(string(row.Value), 10, 64)
	if err != nil {
		return 0
	}
	return issued
}

// endBySID ends the sessions with this sid, if a login recorded it; what nobody recorded writes
// nothing.
func (a *signOut) endBySID(ctx context.Context, issuer, sid string) error {
	tag := sidTag(a.name(), issuer, sid)
	rows, err := inside.OfManager(a.sessions).Vault("known sid").Get(ctx, tag)
	if err != nil {
		return err
	}
	if rows[0].Raw == nil {
		a.endedNothing(ctx, "no login here has this sid")
		return nil
	}
	if issued := issuedIn(rows[0]); issued != 0 {
		err = a.sessions.RevokeAt(ctx, tag, time.Unix(issued, 0))
	} else {
		// A login did record it, under a session key that is gone: everything until now ends.
		err = a.sessions.Revoke(ctx, tag)
	}
	if err != nil {
		return err
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "session revoked", slog.String("issuer", a.config.Issuer), slog.String("by", "front-channel logout"), logtext.Fingerprint("sid", sid))
	if a.config.Hooks.Logout != nil {
		a.config.Hooks.Logout(ctx, nil, LogoutByProvider)
	}
	return nil
}
