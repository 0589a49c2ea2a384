package oauth

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-go/signet/internal/jwt"
)

// requestObjectLife is how long a request object may be used: the browser carries it to the
// provider at once.
const requestObjectLife = 5 * time.Minute

// RequestObject replaces params by one JWT of them that the client signs (RFC 9101 §4), so that
// nobody on the way can change or add any. Where the browser carries it, response_type and scope
// are sent with it too: without them it isn't an OAuth 2.0 request to an OpenID provider (Core
// §6.1).
func (e *Endpoint) RequestObject(params url.Values, pushed bool) (url.Values, error) {
	client, now := &e.auth.Client, time.Now()
	claims := map[string]any{
		"iss": client.ClientID, "aud": client.Issuer, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(requestObjectLife).Unix(),
	}
	for name, values := range params {
		claims[name] = requestClaim(name, values)
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	options := (&jose.SignerOptions{}).WithType("oauth-authz-req+jwt")
	if client.KeyID != "" {
		options = options.WithHeader("kid", client.KeyID)
	}
	signed, err := jwt.Sign(client.Key, client.Alg, raw, options)
	if err != nil {
		return nil, err
	}
	outer := url.Values{"client_id": {client.ClientID}, "request": {signed}}
	if !pushed {
		outer["response_type"], outer["scope"] = params["response_type"], params["scope"]
	}
	return outer, nil
}

// requestClaim is a parameter's value as a claim: JSON where the parameter is JSON, a list where it
// stands several times, a number for max_age (RFC 9101 §4, Core §6.1).
func requestClaim(name string, values []string) any {
	switch {
	case len(values) > 1:
		return values
	case name == "claims" || name == "authorization_details" || name == "max_age":
		if json.Valid([]byte(values[0])) {
			return json.RawMessage(values[0])
		}
	}
	return values[0]
}

// EssentialClaims adds acr as an essential claim to the claims parameter (Core §5.5.1.1):
// acr_values alone is only a wish.
func EssentialClaims(claims json.RawMessage, acr []string) (json.RawMessage, error) {
	request := map[string]map[string]any{}
	if len(claims) > 0 {
		if err := json.Unmarshal(claims, &request); err != nil {
			return nil, errors.New("oidcauth: Claims: expected a JSON object of objects (Core §5.5)")
		}
	}
	if len(acr) > 0 {
		if request["id_token"] == nil {
			request["id_token"] = map[string]any{}
		}
		request["id_token"]["acr"] = map[string]any{"essential": true, "values": acr}
	}
	if len(request) == 0 {
		return nil, nil
	}
	return json.Marshal(request)
}
