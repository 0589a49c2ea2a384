package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// errOtherResource explains a 401 of the userinfo endpoint (RFC 6750 §3.1).
var errOtherResource = errors.New(`the access token may be meant for another resource; if that is intended, set Config.UserInfo to UserInfoOff`)

// Userinfo fetches the claims about subject (OpenID Connect Core §5.3) with the access token of t:
// nil without error when the provider has no userinfo endpoint. The answer's sub must be subject; a
// signed answer (application/jwt) must verify. The error is an *Error, a *tokenError or an
// *pace.Outage; all of them fail a login.
func (e *Endpoint) Userinfo(ctx context.Context, t *TokenAnswer, subject string) (json.RawMessage, error) {
	if (t.TokenType == "DPoP") != (e.proof != nil) {
		return nil, &Error{Endpoint: "userinfo", Err: fmt.Errorf("a %s token came without its way of being sent", t.TokenType)}
	}
	m, err := e.provider.Metadata(ctx)
	if err != nil || m.UserinfoEndpoint == "" {
		return nil, err
	}
	target := e.target(m, "userinfo_endpoint", m.UserinfoEndpoint)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, &Error{Endpoint: "userinfo", Err: errors.New("expected a URL that can be called")}
	}
	req.Header.Set("Accept", "application/json, application/jwt")
	a, err := e.do("userinfo", req, []string{t.AccessToken}, func(r *http.Request) (*http.Response, error) {
		return e.Nonces.Authorized(e.client.Do, r, e.proof, t.AccessToken, new(Retry))
	})
	if refused, ok := errors.AsType[*Error](err); ok && refused.Status == http.StatusUnauthorized {
		refused.Err, refused.Hint = nil, errOtherResource.Error()
	}
	if err != nil {
		return nil, err
	}
	return e.verifier.Userinfo(ctx, a.Header, a.Body, subject)
}
