package provider

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/strictjson"
)

// unwrapResponse takes the parameters called names out of a response JWT without verifying it: only
// the state, by which this browser's login is found, is used before VerifyResponse, so that
// strangers' JWTs cost neither key fetches nor signatures.
func unwrapResponse(raw string, names []string) (url.Values, error) {
	jws, err := jwt.ParseRepeating(raw)
	if err != nil {
		return nil, err
	}
	params := url.Values{}
	for _, name := range names {
		if !jws.Payload.Has(name) || name == "iss" {
			continue
		}
		value, err := jws.Payload.Text(name)
		if err != nil {
			return nil, err
		}
		params.Set(name, value)
	}
	return params, nil
}

// VerifyResponse verifies a response JWT (JARM §2.4): iss, aud, exp and a signature by the
// provider. Errors are a *TokenError or an *pace.Outage.
func (v *Verifier) VerifyResponse(ctx context.Context, raw string) error {
	jws, err := jwt.ParseRepeating(raw)
	if err == nil {
		err = jws.CheckHeader(v.alg)
	}
	if err == nil {
		err = v.checkResponse(jws.Payload)
	}
	if err == nil {
		err = v.signature(ctx, jws, forResponse)
	}
	if err != nil {
		return asTokenError("authorization response refused", err)
	}
	return nil
}

func (v *Verifier) checkResponse(claims strictjson.Object) error {
	now := clock{time.Now(), v.skew}
	_, expiry := now.expiry(claims)
	var nonce error
	if claims.Has("nonce") || claims.Has("sub") {
		nonce = errors.New("expected an authorization response, got another kind of token")
	}
	return cmp.Or(v.issuers.check(claims), checkAudience(claims, v.clientID), expiry, nonce)
}
