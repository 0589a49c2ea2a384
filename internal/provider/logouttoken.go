package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/strictjson"
)

const (
	logoutEvent     = "http://schemas.openid.net/event/backchannel-logout"
	logoutTokenType = "logout+jwt"

	// MaxLogoutTokenAge is how old a logout token may be by its iat, plus the skew.
	MaxLogoutTokenAge = 5 * time.Minute
)

// A LogoutToken is a verified logout token (Back-Channel Logout §2.4): Subject or SID may be empty,
// not both.
type LogoutToken struct {
	// Issuer is the configured one.
	Issuer string

	// SID names the session that ended, Subject the user. With SID empty, all of the user's
	// sessions ended.
	Subject, SID string

	// ID is jti: the caller refuses one that it has seen before.
	ID string

	// IssuedAt is iat, by the provider's clock, for comparison with the iat of ID tokens.
	IssuedAt time.Time

	// Expiry is exp; zero when absent, as with some providers.
	Expiry time.Time
}

// Logout verifies a logout token (Back-Channel Logout §2.6, without the replay check). Anybody may
// send one, so everything that needs no key comes first: a forged token with the wrong issuer costs
// no fetch. The error is a *TokenError, or a *pace.Outage when the provider's keys can't be had.
func (v *Verifier) Logout(ctx context.Context, raw string) (*LogoutToken, error) {
	if strings.Count(raw, ".") == 4 && len(v.decryption) > 0 && !v.decryptions.Allow() {
		return nil, pace.NewOutage(0, errors.New("too many encrypted logout tokens at once"))
	}
	jws, err := jwt.Open(raw, v.decryption)
	if err == nil {
		err = jws.CheckHeader(v.alg, logoutTokenType)
	}
	if err == nil {
		err = claims.CheckNames(jws.Payload)
	}
	var t *LogoutToken
	if err == nil {
		t, err = v.readLogoutToken(jws.Payload)
	}
	if err == nil {
		err = v.signature(ctx, jws, forLogout)
	}
	if err != nil {
		return nil, asTokenError("logout token refused", err)
	}
	return t, nil
}

// readLogoutToken checks every claim of a logout token. It runs before the signature is verified,
// and its result counts only after that.
func (v *Verifier) readLogoutToken(claims strictjson.Object) (*LogoutToken, error) {
	t := new(LogoutToken)
	var errs [9]error
	now := clock{time.Now(), v.skew}
	errs[0] = v.issuers.check(claims)
	errs[1] = checkListed(claims, v.clientID) // logout tokens have no azp (Back-Channel Logout §2.4)
	t.IssuedAt, errs[2] = now.issuedAt(claims, MaxLogoutTokenAge)
	t.Expiry, errs[3] = now.logoutExpiry(claims)
	errs[4] = now.notBefore(claims)
	errs[5] = checkEvents(claims)
	t.ID, errs[6] = requiredID(claims)
	errs[7] = t.readTarget(claims)
	t.Issuer, errs[8] = v.issuers.of(claims)
	return t, cmp.Or(errs[:]...)
}

// logoutExpiry is expiry for a token that may come without exp and that nobody needs for longer
// than a day.
func (c clock) logoutExpiry(claims strictjson.Object) (time.Time, error) {
	if !claims.Has("exp") {
		return time.Time{}, nil
	}
	capped, err := c.expiry(claims)
	if err != nil {
		return time.Time{}, err
	}
	if exp, _, _ := claims.Date("exp"); exp.After(capped) {
		return time.Time{}, fmt.Errorf("exp: expected at most %v ahead, got more", maxLifetime)
	}
	return capped, nil
}

// checkEvents demands the back-channel logout event, an object, and no nonce, by which an ID token
// with an events claim gives itself away.
func checkEvents(claims strictjson.Object) error {
	if claims.Has("nonce") {
		return errors.New("nonce: forbidden in a logout token")
	}
	if !claims.Present("events") {
		return errors.New("events: expected the back-channel logout event, got none")
	}
	events, err := strictjson.Parse(claims.Values["events"])
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	if !events.Has(logoutEvent) || events.Values[logoutEvent][0] != '{' {
		return errors.New("events: expected the back-channel logout event as an object")
	}
	return nil
}

// requiredID returns jti. Without it a token could be sent again and again, each time as if it were
// new.
func requiredID(claims strictjson.Object) (string, error) {
	id, err := identifierOf(claims, "jti")
	if err == nil && id == "" {
		err = errors.New("jti: expected, got none")
	}
	return id, err
}

// readTarget reads whom the token logs out: sid, sub or both.
func (t *LogoutToken) readTarget(claims strictjson.Object) (err error) {
	if t.SID, err = identifierOf(claims, "sid"); err != nil {
		return err
	}
	if claims.Present("sub") {
		t.Subject, err = subjectOf(claims)
		return err
	}
	if t.SID == "" {
		return errors.New("sub, sid: expected one of them, got none")
	}
	return nil
}
