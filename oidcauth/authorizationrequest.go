package oidcauth

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/provider"
)

// authorizationURL is where the browser goes: with all parameters, or with a reference to those
// that were pushed (RFC 9126 §4).
func (a *starter) authorizationURL(ctx context.Context, meta *provider.Metadata, params url.Values) (string, error) {
	target, err := url.Parse(meta.AuthorizationEndpoint)
	if err != nil {
		return "", &LoginError{Code: "invalid_metadata", Err: err}
	}
	pushed := a.pushes(meta, params)
	if a.config.Advanced.SignedRequests {
		if params, err = a.requestObject(params, pushed); err != nil {
			return "", err
		}
	}
	if pushed {
		uri, err := a.push(ctx, meta, params)
		if err != nil {
			return "", err
		}
		params = url.Values{"client_id": {a.config.ClientID}, "request_uri": {uri}}
	}
	query := target.Query()
	for name, values := range params {
		query[name] = values
	}
	target.RawQuery = query.Encode()
	return target.String(), nil
}

// canPush reports whether a request would be pushed that has to be.
func (a *starter) canPush(meta *provider.Metadata) bool {
	return a.config.PAR != PAROff && meta.PushedAuthorizationRequestEndpoint != ""
}

// pushes reports whether a request with these parameters is pushed.
func (a *starter) pushes(meta *provider.Metadata, params url.Values) bool {
	switch a.config.PAR {
	case PAROff:
		return false
	case PARRequire:
		return true
	case PAROn:
		return meta.RequirePAR || a.canPush(meta)
	default:
		return meta.RequirePAR || a.canPush(meta) && hasAny(params, confidentialParameters)
	}
}

// confidentialParameters are kept out of URLs, and so out of browser histories and the logs of
// proxies, where that is possible: they say what somebody is about to do, or who they are.
var confidentialParameters = []string{"authorization_details", "claims", "id_token_hint"}

// push pushes the request. A failure fails the login: falling back would let whoever disturbs the
// push read the request.
func (a *starter) push(ctx context.Context, meta *provider.Metadata, params url.Values) (string, error) {
	if meta.PushedAuthorizationRequestEndpoint == "" {
		return "", &LoginError{Code: "par_unavailable", Err: errors.New("requests must be pushed, by Config.PAR or by the provider's metadata, which have no pushed_authorization_request_endpoint")}
	}
	release, err := a.pushPlaces.Take(ctx, 0)
	if err != nil {
		return "", err
	}
	defer release()
	pushed, err := a.endpoint.Push(ctx, params)
	if err != nil {
		return "", pushFailed(err)
	}
	a.warnOfShortLife(ctx, pushed.Life)
	return pushed.URI, nil
}

// warnOfShortLife tells the operator once that people who take their time at the provider may be
// refused there. Nothing else depends on how long a pushed request lives.
func (a *starter) warnOfShortLife(ctx context.Context, life time.Duration) {
	if life == 0 || life >= a.config.LoginTimeout {
		return
	}
	a.shortLife.Do(func() {
		a.log.LogAttrs(ctx, slog.LevelWarn, "pushed requests end before logins do", slog.String("issuer", a.config.Issuer),
			slog.Duration("life", life), slog.Duration("login_timeout", a.config.LoginTimeout),
			slog.String("hint", "if sign-ins fail at the provider for whoever types slowly, let the provider keep pushed requests as long as LoginTimeout, or set Config.PAR to PAROff"))
	})
}

// pushFailed adds what to try, unless the provider said what is wrong with the request or the
// client: that would be wrong without the push too.
func pushFailed(err error) error {
	what, refused, ok := oauth.FailureOf(err)
	if ok && (what == oauth.ClientRefused || slices.Contains([]string{"unauthorized_client", "invalid_redirect_uri", "invalid_scope"}, refused.Code)) {
		return &LoginError{Code: refused.ErrorCode(), Description: refused.Description, Err: err}
	}
	return &LoginError{Code: "par_failed", Err: fmt.Errorf("%w (is RedirectURL registered at the provider, byte for byte? To go without pushed requests, set Config.PAR to PAROff)", err)}
}

// authorizationParameters are the parameters of the authentication request (Core §3.1.2.1, RFC 7636
// §4.3, RFC 8707 §2.1).
func (a *starter) authorizationParameters(t *browser.Transaction, o LoginOptions) url.Values {
	p := url.Values{}
	for name, values := range o.Extra {
		p[name] = values
	}
	p.Set("client_id", a.config.ClientID)
	p.Set("response_type", "code")
	p.Set("redirect_uri", a.config.RedirectURL)
	p.Set("scope", strings.Join(a.asked(t.Scopes), " "))
	p.Set("state", t.State)
	p.Set("nonce", t.Nonce)
	p.Set("code_challenge", oauth2.S256ChallengeFromVerifier(t.Verifier))
	p.Set("code_challenge_method", "S256")
	acr := o.ACRValues
	if len(o.essentialACR) > 0 {
		acr = o.essentialACR
	}
	for name, value := range map[string]string{
		"response_mode": string(a.config.ResponseMode), "prompt": o.Prompt, "login_hint": o.LoginHint,
		"ui_locales": strings.Join(o.UILocales, " "), "acr_values": strings.Join(acr, " "),
	} {
		if value != "" {
			p.Set(name, value)
		}
	}
	if t.MaxAge != nil {
		p.Set("max_age", strconv.FormatInt(*t.MaxAge, 10))
	}
	if len(o.Resource) > 0 {
		p["resource"] = o.Resource
	}
	return p
}

// requestObjectLife is how long a request object may be used: the browser carries it to the
// provider at once.
const requestObjectLife = 5 * time.Minute

// requestObject replaces params by one signed JWT of them (RFC 9101 §4), so that nobody on the way
// can change or add any. Where the browser carries it, response_type and scope stand beside it too:
// without them it is no OAuth 2.0 request to an OpenID provider (Core §6.1).
func (a *starter) requestObject(params url.Values, pushed bool) (url.Values, error) {
	now := time.Now()
	claims := map[string]any{
		"iss": a.config.ClientID, "aud": a.config.Issuer, "jti": rand.Text(),
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
	if a.config.ClientAuth.KeyID != "" {
		options = options.WithHeader("kid", a.config.ClientAuth.KeyID)
	}
	signed, err := jwt.Sign(a.config.ClientAuth.Key, a.config.ClientAuth.Alg, raw, options)
	if err != nil {
		return nil, err
	}
	outer := url.Values{"client_id": {a.config.ClientID}, "request": {signed}}
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

// essentialClaims adds acr as an essential claim to the claims parameter (Core §5.5.1.1):
// acr_values alone is only a wish.
func essentialClaims(claims json.RawMessage, acr []string) (json.RawMessage, error) {
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
