package oidcauth

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/strictjson"
)

// errOtherResource explains a 401 of the userinfo endpoint (RFC 6750 §3.1).
var errOtherResource = errors.New(`the access token may be meant for another resource; if that is intended, set Config.UserInfo to UserInfoOff`)

// userinfo fetches the claims about subject (OpenID Connect Core §5.3) with the
// access token of t: nil without error when the provider has no userinfo
// endpoint. The answer's sub must be subject; a signed answer (application/jwt)
// must verify. The error is an *endpointError, a *tokenError or an
// *pace.Outage; all of them fail a login.
func (e *endpoint) userinfo(ctx context.Context, t *tokenAnswer, subject string) (json.RawMessage, error) {
	if (t.TokenType == "DPoP") != (e.proof != nil) {
		return nil, &endpointError{Endpoint: "userinfo", Err: fmt.Errorf("a %s token came without its way of being sent", t.TokenType)}
	}
	m, err := e.provider.metadata(ctx)
	if err != nil || m.UserinfoEndpoint == "" {
		return nil, err
	}
	target := e.target(m, "userinfo_endpoint", m.UserinfoEndpoint)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, &endpointError{Endpoint: "userinfo", Err: errors.New("expected a URL that can be called")}
	}
	req.Header.Set("Accept", "application/json, application/jwt")
	a, err := e.do("userinfo", req, []string{t.AccessToken}, func(r *http.Request) (*http.Response, error) {
		return e.nonces.authorized(e.client.Do, r, e.proof, t.AccessToken, new(retry))
	})
	if refused, ok := errors.AsType[*endpointError](err); ok && refused.Status == http.StatusUnauthorized {
		refused.Err = errOtherResource
	}
	if err != nil {
		return nil, err
	}
	return e.verifier.userinfo(ctx, a, subject)
}

// userinfo reads an answer of the userinfo endpoint, signed or not, and demands
// that it is about subject (Core §5.3.2).
func (v *verifier) userinfo(ctx context.Context, a *answer, subject string) (json.RawMessage, error) {
	body := a.body
	if outbound.MediaType(a.header) == "application/jwt" {
		jws, err := v.signedUserinfo(ctx, string(bytes.TrimSpace(a.body)))
		if err != nil {
			return nil, asTokenError("userinfo refused", err)
		}
		body = jws.Body
	}
	told, err := strictjson.Parse(body)
	if err == nil {
		err = claims.CheckNames(told)
	}
	if err == nil {
		err = checkSubject(told, subject)
	}
	if err != nil {
		return nil, &tokenError{Reason: "userinfo refused", Err: err}
	}
	return body, nil
}

// checkSubject compares the sub of userinfo with the ID token's (Core §5.3.4):
// without it, a provider that mixes up two answers would mix up two users.
func checkSubject(claims strictjson.Object, want string) error {
	sub, err := subjectOf(claims)
	if err == nil && sub != want {
		err = errors.New("sub: expected the one of the ID token, got another")
	}
	return err
}

// signedUserinfo verifies a userinfo answer that is a JWT. iss and aud must be
// ours when they are there, and what marks another kind of token, an ID token
// above all, is refused, for a signature alone doesn't say what was signed.
func (v *verifier) signedUserinfo(ctx context.Context, raw string) (*jwt.JWS, error) {
	jws, err := jwt.Open(raw, v.decryption)
	if err != nil {
		return nil, err
	}
	if err := jws.CheckHeader(v.alg); err != nil {
		return nil, err
	}
	if err := checkNoOtherKind(jws.Payload); err != nil {
		return nil, err
	}
	if err := v.checkUserinfoScope(jws.Payload); err != nil {
		return nil, err
	}
	return jws, v.signedBy(ctx, jws)
}

// checkNoOtherKind refuses what marks a JWT as an ID token or a logout token, where claims alone are expected (RFC 8725 §3.12).
func checkNoOtherKind(claims strictjson.Object) error {
	for _, name := range []string{"nonce", "at_hash", "c_hash", "s_hash", "events"} {
		if claims.Has(name) {
			return fmt.Errorf("%s: expected claims about a user, got another kind of token", name)
		}
	}
	return nil
}

// checkUserinfoScope checks the claims that say for whom and when a signed
// answer is. They are optional here (Core §5.3.2), but when the provider makes
// them, they must hold.
func (v *verifier) checkUserinfoScope(claims strictjson.Object) (err error) {
	now := clock{time.Now(), v.skew}
	if claims.Has("iss") {
		err = v.issuers.check(claims)
	}
	if err == nil && claims.Has("aud") {
		err = checkAudience(claims, v.clientID)
	}
	if err == nil && claims.Has("exp") {
		_, err = now.expiry(claims)
	}
	return cmp.Or(err, now.notBefore(claims))
}
