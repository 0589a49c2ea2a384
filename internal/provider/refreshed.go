package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
)

// What is wrong with the ID token of a refresh decides what becomes of the session (Core §12.2).
// Anything else than these two leaves it: the token endpoint has accepted the refresh token, and an
// ID token that can't be verified just now is merely not believed.
var (
	// ErrOtherLogin is in the chain when the token is of another login: of another person, provider
	// or client.
	ErrOtherLogin = errors.New("of another login")

	// ErrForged is in the chain when the provider can't have signed the token.
	ErrForged = errors.New("not signed by the provider")
)

// A RefreshExpectation is what the login's ID token said, for comparison with that of a refresh.
type RefreshExpectation struct {
	// Subject and Nonce are the login's, and so is Issuer, which matters where a provider has
	// several.
	Issuer, Subject, Nonce string

	// IssuedAt is the iat of the login's ID token, by the provider's clock.
	IssuedAt time.Time

	// AccessToken is the new one; at_hash is compared with it.
	AccessToken string
}

// Refresh verifies the ID token of a refresh (Core §12.2): the same person, from the same provider,
// for the same client. auth_time is not taken over, so that a refresh freshens nothing. The error
// is as login's, with ErrOtherLogin or ErrForged in the chain where the session can't go on.
func (v *Verifier) Refresh(ctx context.Context, raw string, want RefreshExpectation) (*IDToken, error) {
	// 1. Whom it is of, as far as it can be read, and whether or not it can be verified.
	parts := jwt.GlimpseOf(raw, v.decryption)
	if err := v.sameLogin(parts, want); err != nil {
		return nil, refuseIDToken(fmt.Errorf("%w: %w", ErrOtherLogin, err))
	}
	// 2. Who signed it.
	if err := v.signedByProvider(ctx, parts); err != nil {
		return nil, asTokenError(idTokenRefused, err)
	}
	// 3. Whether it may be believed.
	t, _, err := v.idToken(ctx, raw, 0, want.AccessToken, forRefresh)
	if err != nil {
		return nil, err
	}
	switch {
	case t.Subject != want.Subject:
		err = fmt.Errorf("%w: sub: expected the login's, got another", ErrOtherLogin)
	case v.issuers.Many() && t.Issuer != want.Issuer:
		err = fmt.Errorf("%w: iss: expected the login's, got another tenant's", ErrOtherLogin)
	case t.IssuedAt.Before(want.IssuedAt.Add(-v.skew)):
		err = fmt.Errorf("iat: %v before the login's", want.IssuedAt.Sub(t.IssuedAt).Round(time.Second))
	}
	if err != nil {
		return nil, refuseIDToken(err)
	}
	return t, nil
}

// sameLogin refuses a token that says that it is of another login. What it does not say is for
// later checks.
func (v *Verifier) sameLogin(g jwt.Glimpse, want RefreshExpectation) error {
	issuer := v.issuers.Configured
	if v.issuers.Many() {
		issuer = want.Issuer
	}
	for _, claim := range []struct{ name, want string }{{"iss", issuer}, {"sub", want.Subject}, {"nonce", want.Nonce}, {"azp", v.clientID}} {
		for _, value := range g.Claims[claim.name] {
			if text, ok := textOf(value); ok && !equalText(text, claim.want) {
				return fmt.Errorf("%s: expected the login's, got another", claim.name)
			}
		}
	}
	for _, value := range g.Claims["aud"] {
		if _, ok := textOf(value); ok && !hasText(value, v.clientID) {
			return errors.New("aud: expected the client in it, got others")
		}
	}
	return nil
}

// textOf returns a string's text, and the spelling of any other value: an odd type is a flaw,
// another value is another login. Null says nothing.
func textOf(value json.RawMessage) (text string, ok bool) {
	if string(value) == "null" {
		return "", false
	}
	if json.Unmarshal(value, &text) != nil {
		return string(value), true
	}
	return text, true
}

// hasText reports whether value is text, or a list with it.
func hasText(value json.RawMessage, text string) bool {
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		list = []json.RawMessage{value}
	}
	for _, item := range list {
		if got, ok := textOf(item); ok && got == text {
			return true
		}
	}
	return false
}

// signedByProvider looks at the signature alone, so that no flaw in a claim hides a forgery. The
// error has ErrForged in its chain for another algorithm than the configured one, and when the
// provider publishes the key that the token names and that is not the signer. A key that is not
// published may be so tomorrow, with nodes that rotate one by one and with caches in between.
func (v *Verifier) signedByProvider(ctx context.Context, g jwt.Glimpse) error {
	if g.Header == nil {
		return nil // not to be read, and so not to be believed
	}
	if algs := g.Header["alg"]; len(algs) == 0 {
		return fmt.Errorf("%w: alg: expected %s, got none", ErrForged, v.alg)
	}
	for _, value := range g.Header["alg"] {
		if alg, _ := textOf(value); alg != v.alg {
			return fmt.Errorf("%w: alg: expected exactly %s, got %s", ErrForged, v.alg, logtext.Quote(alg))
		}
	}
	jws, err := jose.ParseSignedCompact(g.Raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(v.alg)})
	if err != nil {
		return err
	}
	owned := func(string) bool { return true }
	if strict, err := jwt.Parse(g.Raw); err == nil {
		owned = func(issuer string) bool { return v.issuers.ownsKey(issuer, strict.Payload) }
	}
	_, err = v.keys.verify(ctx, jws, forRefresh, owned)
	if errors.Is(err, errNoKey) && !errors.Is(err, errUnknownKey) {
		return fmt.Errorf("%w: %w", ErrForged, err)
	}
	return err
}
