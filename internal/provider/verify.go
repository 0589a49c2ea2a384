package provider

import (
	"cmp"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/strictjson"
)

// A Verifier checks what the provider signed: ID tokens, logout tokens, userinfo. go-oidc verifies
// signature, issuer and audience with our keys; the rest of OpenID Connect Core §3.1.3.7 and
// Back-Channel Logout §2.6 is here. It is safe for concurrent use.
type Verifier struct {
	// issuers, clientID and alg are the only ones that a token may name.
	issuers       Issuers
	clientID, alg string

	// skew is how far the provider's clock may be from ours, either way.
	skew time.Duration

	// keys verify signatures; decryption opens encrypted tokens, and none means that encrypted
	// tokens are refused.
	keys       *keySet
	decryption []crypto.PrivateKey

	// decryptions bounds the private-key operations that strangers can cause: those on logout
	// tokens.
	decryptions pace.Brake
}

// VerifierSettings say whose tokens are good, and how far clocks may differ.
type VerifierSettings struct {
	// ClientID is whom tokens are for, Alg the one algorithm that they are signed with.
	ClientID, Alg string

	// Skew is the tolerated difference between the provider's clock and ours.
	Skew time.Duration

	// Decryption are the keys that open encrypted tokens; none means that these are refused.
	Decryption []crypto.PrivateKey
}

// NewVerifier shares the keys of p.
func NewVerifier(p *Provider, s VerifierSettings) *Verifier {
	return &Verifier{
		issuers: p.Issuers, clientID: s.ClientID, alg: s.Alg, skew: s.Skew,
		keys: p.keys, decryption: s.Decryption,
		decryptions: pace.Brake{Burst: 50, Interval: 20 * time.Millisecond},
	}
}

// A TokenError says that a token is at fault: what was expected and what came, never the token.
// Failures that are not the token's are *pace.Outages instead.
type TokenError struct {
	// Reason is a constant that says which kind of token was refused.
	Reason string

	// Err says what was expected and what came.
	Err error
}

// Error names the check and what it found. Nothing in it is longer than a line, and no token is
// repeated.
func (e *TokenError) Error() string { return "oidcauth: " + e.Reason + ": " + e.Err.Error() }

// Unwrap returns the finding.
func (e *TokenError) Unwrap() error { return e.Err }

// ErrNoAuthTime is in the chain when max_age was asked for and the provider left auth_time out, as
// some do.
var ErrNoAuthTime = errors.New("auth_time: expected because max_age was asked for, got none or 0: the provider took no notice of max_age")

// ErrOldAuthTime is in the chain when the authentication is older than the max_age that was asked
// for.
var ErrOldAuthTime = errors.New("auth_time")

// ErrOtherACR is in the chain when the authentication is not of a class that was asked for as
// essential.
var ErrOtherACR = errors.New("acr")

// An IDToken is a verified ID token.
type IDToken struct {
	// Raw is the signed token, decrypted if it was encrypted, for id_token_hint.
	Raw string

	// Issuer is the configured one. Subject names the user there.
	Issuer, Subject string

	// SID is the provider's session, "" when it doesn't say.
	SID string

	// Nonce is the one of the login, ACR the authentication context class (Core §2), each "" when
	// absent; AMR lists the methods of authentication.
	Nonce, ACR string
	AMR        []string

	// IssuedAt is iat, by the provider's clock. Expiry is exp, at most 24 hours ahead.
	IssuedAt, Expiry time.Time

	// AuthTime is when the user last authenticated; zero when the provider doesn't say, and always
	// after a refresh.
	AuthTime time.Time

	// SessionExpiry is the provider's limit to the session (session_expiry); zero when it sets
	// none.
	SessionExpiry time.Time

	// Claims are all claims as they were signed.
	Claims json.RawMessage
}

// A LoginExpectation is what the ID token of a login is compared with.
type LoginExpectation struct {
	// Nonce is what the login sent. An empty one is met by no token.
	Nonce string

	// AccessToken came with the ID token; at_hash is compared with it.
	AccessToken string

	// Started is when the transaction began, by our clock.
	Started time.Time

	// MaxAge is the max_age that was asked for; nil when none was.
	MaxAge *time.Duration

	// EssentialACR lists the classes of which one was asked for as essential; empty when any will
	// do.
	EssentialACR []string
}

// Login verifies the ID token of a code exchange. The error is a *TokenError or a *pace.Outage.
// Along with an error it returns the token only if all is well except the authentication, which is
// not what was asked for.
func (v *Verifier) Login(ctx context.Context, raw string, want LoginExpectation) (*IDToken, error) {
	t, claims, err := v.idToken(ctx, raw, maxIssuedAgo, want.AccessToken, forLogin)
	if err != nil {
		return nil, err
	}
	if want.Nonce == "" || !equalText(t.Nonce, want.Nonce) {
		return nil, refuseIDToken(errors.New("nonce: expected this login's, got another or none"))
	}
	if err := v.readAuthTime(t, claims); err != nil {
		return nil, refuseIDToken(err)
	}
	if err := want.checkFreshness(t, v.skew); err != nil {
		return t, refuseIDToken(err)
	}
	return t, nil
}

// readAuthTime refuses an auth_time in the future: it would look fresh for too long.
func (v *Verifier) readAuthTime(t *IDToken, claims strictjson.Object) error {
	at, _, err := claims.Date("auth_time")
	if err != nil {
		return err
	}
	if at.Unix() == 0 {
		return nil // some providers write 0 when they don't know
	}
	if now := time.Now(); at.After(now.Add(v.skew)) {
		return fmt.Errorf("auth_time: %v in the future"+clockHint, at.Sub(now).Round(time.Second))
	}
	t.AuthTime = at
	return nil
}

// checkFreshness compares auth_time and acr with what was asked for (Core §3.1.3.7, steps 12 and
// 13).
func (want LoginExpectation) checkFreshness(t *IDToken, skew time.Duration) error {
	if want.MaxAge != nil {
		if t.AuthTime.IsZero() {
			return ErrNoAuthTime
		}
		if t.AuthTime.Before(want.Started.Add(-*want.MaxAge - skew)) {
			return fmt.Errorf("%w: expected at most %v before the login, got %v: the provider took no notice of max_age",
				ErrOldAuthTime, *want.MaxAge, want.Started.Sub(t.AuthTime).Round(time.Second))
		}
	}
	if len(want.EssentialACR) > 0 && !slices.Contains(want.EssentialACR, t.ACR) {
		return fmt.Errorf("%w: expected one of %q, got %s", ErrOtherACR, want.EssentialACR, logtext.Quote(t.ACR))
	}
	return nil
}

// idToken holds what login and refresh have in common.
func (v *Verifier) idToken(ctx context.Context, raw string, maxAge time.Duration, accessToken string, why purpose) (*IDToken, strictjson.Object, error) {
	// What needs no key comes first, so that nonsense costs neither cryptography nor a fetch.
	jws, err := jwt.Open(raw, v.decryption)
	if err == nil {
		err = jws.CheckHeader(v.alg)
	}
	if err == nil {
		err = claims.CheckNames(jws.Payload)
	}
	if err == nil && jws.Payload.Has("events") {
		err = errors.New("events: expected an ID token, got an event token")
	}
	if err != nil {
		return nil, strictjson.Object{}, refuseIDToken(err)
	}
	if err := v.signature(ctx, jws, why); err != nil {
		return nil, strictjson.Object{}, asTokenError(idTokenRefused, err)
	}
	// The payload was taken apart before, from the very bytes that are signed: go-oidc decodes the
	// same segments.
	t, err := v.readIDToken(jws, maxAge)
	if err == nil {
		err = checkTokenHash(jws.Payload, v.alg, accessToken)
	}
	if err != nil {
		return nil, strictjson.Object{}, refuseIDToken(err)
	}
	return t, jws.Payload, nil
}

// readIDToken reads the claims of a token whose signature is good, and checks those that need
// nothing but a clock and the configuration. Every claim is read, so that one of an odd type is
// found even where its value would not matter.
func (v *Verifier) readIDToken(jws *jwt.JWS, maxAge time.Duration) (*IDToken, error) {
	claims := jws.Payload
	t := &IDToken{Raw: jws.Raw, Claims: jws.Body}
	var errs [10]error
	now := clock{time.Now(), v.skew}
	t.Subject, errs[0] = subjectOf(claims)
	errs[1] = checkAudience(claims, v.clientID)
	t.Expiry, errs[2] = now.expiry(claims)
	t.IssuedAt, errs[3] = now.issuedAt(claims, maxAge)
	errs[4] = now.notBefore(claims)
	t.SID, errs[5] = identifierOf(claims, "sid")
	t.Nonce, errs[6] = claims.Text("nonce")
	t.SessionExpiry, _, errs[7] = claims.Date("session_expiry")
	errs[8] = t.readContext(claims)
	t.Issuer, errs[9] = v.issuers.of(claims)
	return t, cmp.Or(errs[:]...)
}

// readContext reads how the user authenticated.
func (t *IDToken) readContext(claims strictjson.Object) (err error) {
	if t.ACR, err = claims.Text("acr"); err != nil {
		return err
	}
	t.AMR, err = claims.Texts("amr")
	return err
}

// idTokenRefused is the reason of every refusal of an ID token: which check failed is for the log.
const idTokenRefused = "ID token refused"

// refuseIDToken gives err that reason.
func refuseIDToken(err error) error { return &TokenError{Reason: idTokenRefused, Err: err} }

// asTokenError leaves a *pace.Outage alone: the keys are missing, and the token may be good.
func asTokenError(reason string, err error) error {
	if unavailable, ok := errors.AsType[*pace.Outage](err); ok {
		return unavailable
	}
	return &TokenError{Reason: reason, Err: err}
}

// KnownStill reports whether the provider may know an ID token that was verified before: not one
// whose key has left its set, which many refuse as a hint, and the logout with it.
func (v *Verifier) KnownStill(idToken string) bool {
	if idToken == "" {
		return false
	}
	jws, err := jwt.Parse(idToken)
	if err != nil {
		return false
	}
	issued, _, _ := jws.Payload.Date("iat")
	return !v.keys.dropped(v.alg, jws.KeyID(), issued)
}
