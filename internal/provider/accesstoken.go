package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// An AccessToken is what a resource server may believe of an access token: of a JWT (RFC 9068), or
// of what its issuer says about it (RFC 7662).
type AccessToken struct {
	// Issuer is the authorization server. Subject is sub and ClientID the client that the token was
	// issued to, each "" when nobody says.
	Issuer, Subject, ClientID string

	// Audience is aud, Scope the granted scopes in one text.
	Audience []string
	Scope    string

	// AuthTime is when the user last authenticated, zero when nobody says. Expiry is exp: zero only
	// where an issuer that was asked did not say.
	AuthTime, Expiry time.Time

	// Thumbprint is that of the key which the token is bound to (RFC 9449 §6.1), Certificate that of
	// the client's certificate (RFC 8705 §3.1); each "" where it is bound to none.
	Thumbprint, Certificate string

	// ACR and AMR say how the user was authenticated, Actor is the sub of act (RFC 8693 §4.1).
	ACR   string
	AMR   []string
	Actor string

	// Claims are all claims, as they were signed or told; Object is the same, read.
	Claims json.RawMessage
	Object strictjson.Object
}

// AccessRules say which access tokens are meant for a resource server.
type AccessRules struct {
	// Audience lists its names, of which aud must have one; with AnyAudience it need not.
	Audience    []string
	AnyAudience bool

	// Algs are the algorithms that JWTs may be signed with.
	Algs []string

	// IsClient reports whether a name is the ClientID of a client in this process: what is meant
	// for it may be an ID token, unless it says that it is none.
	IsClient func(name string) bool
}

// accessTokenType is the explicit type of an access token (RFC 9068 §2.1).
const accessTokenType = "at+jwt"

// Access verifies a JWT access token (RFC 9068 §4) that names this issuer. All that needs no key
// comes first. The error is a *TokenError, or a *pace.Outage when the keys can't be had; with
// [ErrNoKey] in the chain when no key of the issuer made the signature.
func (v *Verifier) Access(ctx context.Context, jws *jwt.JWS, rules AccessRules) (*AccessToken, error) {
	t, err := v.readAccess(jws, rules)
	if err == nil {
		err = v.signedWith(ctx, jws, jws.Alg(), forAccess)
	}
	if err != nil {
		return nil, asTokenError(accessTokenRefused, err)
	}
	return t, nil
}

// ErrNoKey is in the chain when the issuer's keys are known and none of them made a signature.
var ErrNoKey = errNoKey

// accessTokenRefused is the reason of every refusal of an access token.
const accessTokenRefused = "access token refused"

// RefuseAccessToken says that an access token is at fault.
func RefuseAccessToken(err error) error {
	return &TokenError{Reason: accessTokenRefused, Err: err}
}

// readAccess checks everything but the signature.
func (v *Verifier) readAccess(jws *jwt.JWS, rules AccessRules) (*AccessToken, error) {
	if !slices.Contains(rules.Algs, jws.Alg()) {
		return nil, fmt.Errorf("alg: expected one of %q, got %s", rules.Algs, logtext.Quote(jws.Alg()))
	}
	if err := cmp.Or(jws.CheckHeader(jws.Alg(), accessTokenType), claims.CheckNames(jws.Payload)); err != nil {
		return nil, err
	}
	if !jws.Payload.Present("exp") {
		return nil, errors.New("exp: expected a date, got none")
	}
	if err := v.issuers.check(jws.Payload); err != nil {
		return nil, err
	}
	t, err := v.readToken(jws.Payload, jws.Body, rules)
	if err != nil {
		return nil, err
	}
	return t, checkKind(jws, t, rules)
}

// Introspected reads what an issuer said about a token that is active (RFC 7662 §2.2). It is
// refused when the answer is about a token for others, or of another kind.
func (v *Verifier) Introspected(answer strictjson.Object, body []byte, rules AccessRules) (*AccessToken, error) {
	err := claims.CheckNames(answer)
	if err == nil && answer.Has("iss") {
		err = v.issuers.check(answer)
	}
	var t *AccessToken
	if err == nil {
		t, err = v.readToken(answer, body, rules)
	}
	if err == nil {
		err = cmp.Or(checkClaimedKind(answer, t), checkTokenType(answer, t))
	}
	if err == nil && t.Issuer == "" {
		t.Issuer, err = v.issuers.of(answer)
	}
	if err != nil {
		return nil, RefuseAccessToken(err)
	}
	return t, nil
}

// readToken reads the claims that both kinds of access token have, and checks whom it is for and
// when. exp is taken at its word: whoever got the token renews it earlier, while other times may be
// off by the skew.
func (v *Verifier) readToken(o strictjson.Object, body []byte, rules AccessRules) (*AccessToken, error) {
	t := &AccessToken{Claims: body, Object: o}
	var errs [9]error
	now := clock{time.Now(), v.skew}
	t.Issuer, errs[0] = o.Text("iss")
	t.Audience, errs[1] = rules.audience(o)
	errs[2] = t.readParties(o)
	t.Scope, errs[3] = scopeOf(o)
	t.Expiry, errs[4] = now.end(o)
	errs[5] = now.notBefore(o)
	errs[6] = cmp.Or(now.notFuture(o, "iat"), now.notFuture(o, "auth_time"))
	errs[7] = t.readConfirmation(o)
	errs[8] = t.readContext(o)
	if at, ok, _ := o.Date("auth_time"); ok && at.Unix() != 0 {
		t.AuthTime = at
	}
	return t, cmp.Or(errs[:]...)
}

// audience returns aud, in which one of the names must be.
func (r *AccessRules) audience(o strictjson.Object) ([]string, error) {
	audience, err := o.Texts("aud")
	meant := r.AnyAudience || slices.ContainsFunc(audience, func(name string) bool { return slices.Contains(r.Audience, name) })
	if err == nil && !meant {
		err = fmt.Errorf("aud: expected one of %q, got %d other values", r.Audience, len(audience))
	}
	return audience, err
}

// readParties reads who calls, and through which client.
func (t *AccessToken) readParties(o strictjson.Object) (err error) {
	if o.Present("sub") {
		if t.Subject, err = subjectOf(o); err != nil {
			return err
		}
	}
	for _, name := range []string{"client_id", "azp"} {
		id, err := identifierOf(o, name)
		if err != nil {
			return err
		}
		t.ClientID = cmp.Or(t.ClientID, id)
	}
	return nil
}

// readContext reads how the user was authenticated, and who acts for them.
func (t *AccessToken) readContext(o strictjson.Object) (err error) {
	if t.ACR, err = o.Text("acr"); err != nil {
		return err
	}
	if t.AMR, err = o.Texts("amr"); err != nil || !o.Present("act") {
		return err
	}
	actor, err := strictjson.Parse(o.Values["act"])
	if err == nil {
		t.Actor, err = actor.Text("sub")
	}
	if err != nil {
		return fmt.Errorf("act: %w", err)
	}
	return nil
}

// scopeOf returns scope as one text (RFC 9068 §2.2.3); some providers write a list, or call it scp.
func scopeOf(o strictjson.Object) (string, error) {
	name := "scope"
	if !o.Present(name) {
		name = "scp"
	}
	list, err := o.Texts(name)
	return strings.Join(list, " "), err
}

// end returns exp, which must not be past by our clock; zero when there is none.
func (c clock) end(o strictjson.Object) (time.Time, error) {
	exp, _, err := o.Date("exp")
	if err == nil && o.Present("exp") && !c.now.Before(exp) {
		err = fmt.Errorf("exp: expired %v ago", c.now.Sub(exp).Round(time.Second))
	}
	return exp, err
}

// notFuture refuses a date that is still to come.
func (c clock) notFuture(o strictjson.Object, name string) error {
	at, ok, err := o.Date(name)
	if err == nil && ok && at.After(c.now.Add(c.skew)) {
		err = fmt.Errorf("%s: %v in the future"+clockHint, name, at.Sub(c.now).Round(time.Second))
	}
	return err
}

// unchecked are the other ways to bind a token that are registered (RFC 7800 §6.2): a token that is
// bound by one of them would be good here for whoever has stolen it.
var unchecked = []string{"jwk", "jwe", "kid", "jku", "osc"}

// readConfirmation reads what the token is bound to (RFC 7800 §3.1), which has to be something that
// can be checked. Other members, which bind it to nothing, are ignored here: Keycloak 26.7 writes a
// kc-jkt-type.
func (t *AccessToken) readConfirmation(o strictjson.Object) error {
	if !o.Present("cnf") {
		return nil
	}
	cnf, err := strictjson.Parse(o.Values["cnf"])
	if err != nil {
		return fmt.Errorf("cnf: %w", err)
	}
	for _, name := range cnf.Names {
		to, known := map[string]*string{"jkt": &t.Thumbprint, "x5t#S256": &t.Certificate}[name]
		if !known && slices.Contains(unchecked, name) {
			return fmt.Errorf("cnf: expected jkt or x5t#S256, got %s", name)
		}
		if !known {
			continue
		}
		if *to, err = cnf.Text(name); err != nil || *to == "" {
			return cmp.Or(err, fmt.Errorf("cnf: %s: expected a thumbprint, got none", name))
		}
	}
	if t.Thumbprint == "" && t.Certificate == "" {
		return errors.New("cnf: expected jkt or x5t#S256, got neither")
	}
	return nil
}
