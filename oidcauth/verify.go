package oidcauth

import (
	"cmp"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// A verifier checks what the provider signed: ID tokens, logout tokens, userinfo. go-oidc verifies signature, issuer
// and audience with our keys; the rest of OpenID Connect Core §3.1.3.7 and Back-Channel Logout §2.6 is here.
// It is safe for concurrent use.
type verifier struct {
	issuers       issuers
	clientID, alg string
	skew          time.Duration
	keys          *keySet
	decryption    []crypto.PrivateKey
}

// newVerifier shares the keys of p. The client is p's; the parameter keeps the three constructors alike.
func newVerifier(c *Config, p *provider, _ *http.Client) *verifier {
	return &verifier{
		issuers: p.issuers, clientID: c.ClientID, alg: c.SigningAlg, skew: c.Skew,
		keys: p.keys, decryption: c.Advanced.DecryptionKeys,
	}
}

// A tokenError says that a token is at fault: what was expected and what came, never the token. Failures that are not
// the token's are *UnavailableErrors instead.
type tokenError struct {
	Reason string // a constant: which check
	Err    error
}

func (e *tokenError) Error() string { return "oidcauth: " + e.Reason + ": " + e.Err.Error() }
func (e *tokenError) Unwrap() error { return e.Err }

// errNoAuthTime is in the chain when max_age was asked for and the provider left auth_time out, as some do.
var errNoAuthTime = errors.New("auth_time: expected because max_age was asked for, got none")

// An idToken is a verified ID token.
type idToken struct {
	Raw                              string // the signed token, for id_token_hint
	Issuer, Subject, SID, Nonce, ACR string
	AMR                              []string
	IssuedAt, Expiry, AuthTime       time.Time // AuthTime is zero when the provider doesn't say
	SessionExpiry                    time.Time // session_expiry; zero: the provider sets no limit
	Claims                           json.RawMessage
}

// A loginExpectation is what the ID token of a login is compared with.
type loginExpectation struct {
	Nonce        string         // never empty
	AccessToken  string         // for at_hash
	Started      time.Time      // when the transaction began
	MaxAge       *time.Duration // nil: max_age was not asked for
	EssentialACR []string       // one of them is needed; none: any will do
}

// login verifies the ID token of a code exchange. The error is a *tokenError or an *UnavailableError.
func (v *verifier) login(ctx context.Context, raw string, want loginExpectation) (*idToken, error) {
	t, claims, err := v.idToken(ctx, raw, maxIssuedAgo, want.AccessToken)
	if err != nil {
		return nil, err
	}
	if want.Nonce == "" || !equalText(t.Nonce, want.Nonce) {
		return nil, refuseIDToken(errors.New("nonce: expected the one of this login, got another or none"))
	}
	if err := v.readAuthTime(t, claims); err != nil {
		return nil, refuseIDToken(err)
	}
	if err := want.checkFreshness(t, v.skew); err != nil {
		return nil, refuseIDToken(err)
	}
	return t, nil
}

// readAuthTime refuses an auth_time in the future: it would look fresh for too long.
func (v *verifier) readAuthTime(t *idToken, claims object) error {
	at, _, err := claims.date("auth_time")
	if err != nil {
		return err
	}
	if now := time.Now(); at.After(now.Add(v.skew)) {
		return fmt.Errorf("auth_time: %v in the future"+clockHint, at.Sub(now).Round(time.Second))
	}
	t.AuthTime = at
	return nil
}

// checkFreshness compares auth_time and acr with what was asked for (Core §3.1.3.7, steps 12 and 13).
func (want loginExpectation) checkFreshness(t *idToken, skew time.Duration) error {
	if want.MaxAge != nil {
		if t.AuthTime.IsZero() {
			return errNoAuthTime
		}
		if t.AuthTime.Before(want.Started.Add(-*want.MaxAge - skew)) {
			return fmt.Errorf("auth_time: expected at most %v before the login, got %v"+clockHint, *want.MaxAge,
				want.Started.Sub(t.AuthTime).Round(time.Second))
		}
	}
	if len(want.EssentialACR) > 0 && !slices.Contains(want.EssentialACR, t.ACR) {
		return fmt.Errorf("acr: expected one of %q, got %s", want.EssentialACR, quoteShort(t.ACR))
	}
	return nil
}

// A refreshExpectation is what the login's ID token said, for comparison with that of a refresh.
type refreshExpectation struct {
	Subject, Nonce string
	IssuedAt       time.Time
	AccessToken    string // the new one, for at_hash
}

// refresh verifies the ID token of a refresh (Core §12.2): the same person, from the same provider, for the same
// client. auth_time is not taken over, so that a refresh freshens nothing. The error is as login's.
func (v *verifier) refresh(ctx context.Context, raw string, want refreshExpectation) (*idToken, error) {
	t, claims, err := v.idToken(ctx, raw, 0, want.AccessToken)
	if err != nil {
		return nil, err
	}
	switch {
	case t.Subject != want.Subject:
		err = errors.New("sub: expected the one of the login, got another")
	case claims.present("nonce") && !equalText(t.Nonce, want.Nonce):
		err = errors.New("nonce: expected the one of the login, got another")
	case t.IssuedAt.Before(want.IssuedAt.Add(-v.skew)):
		err = fmt.Errorf("iat: %v before the login's", want.IssuedAt.Sub(t.IssuedAt).Round(time.Second))
	}
	if err != nil {
		return nil, refuseIDToken(err)
	}
	return t, nil
}

// idToken holds what login and refresh have in common.
func (v *verifier) idToken(ctx context.Context, raw string, maxAge time.Duration, accessToken string) (*idToken, object, error) {
	jws, err := v.open(raw)
	if err == nil {
		err = jws.checkHeader(v.alg)
	}
	if err == nil {
		err = checkNames(jws.payload)
	}
	if err == nil && jws.payload.has("events") {
		err = errors.New("events: expected an ID token, got an event token")
	}
	if err != nil {
		return nil, object{}, refuseIDToken(err)
	}
	if err := v.signature(ctx, jws, forLogin); err != nil {
		return nil, object{}, asTokenError("ID token refused", err)
	}
	t, err := v.readIDToken(jws, maxAge)
	if err == nil {
		err = checkTokenHash(jws.payload, v.alg, accessToken)
	}
	if err != nil {
		return nil, object{}, refuseIDToken(err)
	}
	return t, jws.payload, nil
}

func (v *verifier) readIDToken(jws *compactJWS, maxAge time.Duration) (*idToken, error) {
	claims := jws.payload
	t := &idToken{Raw: jws.raw, Claims: jws.body}
	var errs [10]error
	now := clock{time.Now(), v.skew}
	t.Subject, errs[0] = subjectOf(claims)
	errs[1] = checkAudience(claims, v.clientID)
	t.Expiry, errs[2] = now.expiry(claims)
	t.IssuedAt, errs[3] = now.issuedAt(claims, maxAge)
	errs[4] = now.notBefore(claims)
	t.SID, errs[5] = identifierOf(claims, "sid")
	t.Nonce, errs[6] = claims.text("nonce")
	t.SessionExpiry, _, errs[7] = claims.date("session_expiry")
	errs[8] = t.readContext(claims)
	t.Issuer, errs[9] = v.issuers.of(claims)
	return t, cmp.Or(errs[:]...)
}

// readContext reads how the user authenticated.
func (t *idToken) readContext(claims object) (err error) {
	if t.ACR, err = claims.text("acr"); err != nil {
		return err
	}
	t.AMR, err = claims.texts("amr")
	return err
}

// signature lets go-oidc verify signature, issuer and audience. Its own expiry check, which knows no skew, is off.
func (v *verifier) signature(ctx context.Context, jws *compactJWS, why purpose) error {
	issuer, err := v.issuers.of(jws.payload)
	if err != nil {
		return err
	}
	keys := &oneSignature{verifier: v, claims: jws.payload, why: why}
	_, err = oidc.NewVerifier(issuer, keys, &oidc.Config{
		ClientID:             v.clientID,
		SupportedSigningAlgs: []string{v.alg},
		SkipExpiryCheck:      true,
	}).Verify(ctx, jws.raw)
	if keys.err != nil {
		return keys.err // go-oidc flattens errors to text
	}
	return err
}

// oneSignature is go-oidc's KeySet for one token. It keeps the error that go-oidc would flatten.
type oneSignature struct {
	verifier *verifier
	claims   object // not verified yet
	why      purpose
	err      error
}

func (s *oneSignature) VerifySignature(ctx context.Context, raw string) (payload []byte, err error) {
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.verifier.alg)})
	if err == nil {
		payload, err = s.verifier.keys.verify(ctx, jws, s.why, s.owned)
	}
	s.err = err
	return payload, err
}

// owned reports whether a key of this issuer may have signed the token.
func (s *oneSignature) owned(issuer string) bool { return s.verifier.issuers.ownsKey(issuer, s.claims) }

func refuseIDToken(err error) error { return &tokenError{Reason: "ID token refused", Err: err} }

// asTokenError leaves an *UnavailableError alone: the keys are missing, and the token may be good.
func asTokenError(reason string, err error) error {
	if unavailable, ok := errors.AsType[*UnavailableError](err); ok {
		return unavailable
	}
	return &tokenError{Reason: reason, Err: err}
}
