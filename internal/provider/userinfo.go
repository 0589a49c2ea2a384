package provider

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

// Userinfo reads an answer of the userinfo endpoint, signed or not, and demands that it is about
// subject (Core §5.3.2).
func (v *Verifier) Userinfo(ctx context.Context, header http.Header, body []byte, subject string) (json.RawMessage, error) {
	if outbound.MediaType(header) == "application/jwt" {
		jws, err := v.signedUserinfo(ctx, string(bytes.TrimSpace(body)))
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
		return nil, &TokenError{Reason: "userinfo refused", Err: err}
	}
	return body, nil
}

// checkSubject compares the sub of userinfo with the ID token's (Core §5.3.4): without it, a
// provider that mixes up two answers would mix up two users.
func checkSubject(claims strictjson.Object, want string) error {
	sub, err := subjectOf(claims)
	if err == nil && sub != want {
		err = errors.New("sub: expected the ID token's, got another")
	}
	return err
}

// signedUserinfo verifies a userinfo answer that is a JWT. iss and aud must be ours when they are
// there, and what marks another kind of token, an ID token above all, is refused, for a signature
// alone doesn't say what was signed.
func (v *Verifier) signedUserinfo(ctx context.Context, raw string) (*jwt.JWS, error) {
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

// checkNoOtherKind refuses what marks a JWT as an ID token or a logout token, where claims alone
// are expected (RFC 8725 §3.12).
func checkNoOtherKind(claims strictjson.Object) error {
	for _, name := range []string{"nonce", "at_hash", "c_hash", "s_hash", "events"} {
		if claims.Has(name) {
			return fmt.Errorf("%s: expected claims about a user, got another kind of token", name)
		}
	}
	return nil
}

// checkUserinfoScope checks the claims that say for whom and when a signed answer is. They are
// optional here (Core §5.3.2), but when the provider makes them, they must hold.
func (v *Verifier) checkUserinfoScope(claims strictjson.Object) (err error) {
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
