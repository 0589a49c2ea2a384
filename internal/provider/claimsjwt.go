package provider

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/strictjson"
)

// checkClaimsJWT decides that a JWT with claims of this party, which it names as its issuer, is good
// for the user called subject (Core §5.6.2). With sameSubject its sub is the OpenID provider's name
// for the user.
func (v *Verifier) checkClaimsJWT(ctx context.Context, jws *jwt.JWS, subject string, sameSubject bool) error {
	if err := jws.CheckHeader(v.alg); err != nil {
		return err
	}
	if err := claims.CheckNames(jws.Payload); err != nil {
		return err
	}
	if err := checkNoOtherKind(jws.Payload); err != nil {
		return err
	}
	if err := v.checkClaimsTimes(jws.Payload); err != nil {
		return err
	}
	if err := checkClaimsSubject(jws.Payload, subject, sameSubject); err != nil {
		return err
	}
	return v.signedBy(ctx, jws)
}

// checkClaimsSubject compares sub where it can be compared: at another party it is that party's
// name for the user (Core §5.6.2).
func checkClaimsSubject(claims strictjson.Object, subject string, same bool) error {
	if !claims.Has("sub") {
		return nil
	}
	if same {
		return checkSubject(claims, subject)
	}
	_, err := subjectOf(claims)
	return err
}

// checkClaimsTimes checks the claims that say for whom and when a JWT is. They are optional, but
// when they are made, they must hold.
func (v *Verifier) checkClaimsTimes(claims strictjson.Object) error {
	now := clock{time.Now(), v.skew}
	if claims.Has("aud") {
		audience, err := claims.Texts("aud")
		if err != nil || !slices.Contains(audience, v.clientID) {
			return cmp.Or(err, fmt.Errorf("aud: expected %q in it, got %d other values", v.clientID, len(audience)))
		}
	}
	if claims.Has("exp") {
		if _, err := now.expiry(claims); err != nil {
			return err
		}
	}
	if claims.Has("iat") {
		if _, err := now.issuedAt(claims, 0); err != nil {
			return err
		}
	}
	return now.notBefore(claims)
}
