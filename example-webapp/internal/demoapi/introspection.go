package demoapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/oidcauth"
)

// maxIntrospections is how many tokens are asked about at once: anybody can make up opaque ones.
const maxIntrospections = 8

// errBusy: too many tokens are being asked about.
var errBusy = errors.New("too many introspections at once")

// An introspector asks the provider about tokens that are opaque to everybody else (RFC 7662).
//
// Each token is asked about each time: an answer that was kept would outlive a revocation.
type introspector struct {
	config *oidcauth.Config
	client *http.Client
	keys   *providerKeys
	places chan struct{} // as many as may be under way
}

// ask works with client secrets only: the other methods are the library's own, for its own
// endpoints.
//
// A provider that refuses to answer this client makes the token unknown, not invalid: the operator
// is told to set API_URL, in place of the user being told to sign in again.
func (i *introspector) ask(ctx context.Context, token string) (*tokenClaims, error) {
	leave, err := i.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	endpoint, err := i.keys.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	if endpoint == "" || !settings.UsesSecret(i.config) {
		return nil, errNeedsAPIURL
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	id, secret := i.config.ClientID, i.config.ClientSecret
	if i.config.ClientAuth.Method == oidcauth.ClientSecretPost {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if i.config.ClientAuth.Method == oidcauth.ClientSecretBasic {
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) // RFC 6749 §2.3.1
	}
	answer := struct {
		Active bool `json:"active"`
		tokenClaims
	}{}
	if err := doJSON(i.client, req, &answer); err != nil {
		return nil, errors.Join(errNeedsAPIURL, err)
	}
	foreign := answer.Issuer != "" && answer.Issuer != i.config.Issuer
	if !answer.Active || foreign || answer.Validate(jwt.Expected{Time: time.Now()}) != nil {
		return nil, errInvalidToken
	}
	return &answer.tokenClaims, nil
}

// enter waits for a place, as long as the caller does: a page that asks for much at once is no
// attack.
func (i *introspector) enter(ctx context.Context) (leave func(), err error) {
	select {
	case i.places <- struct{}{}:
		return func() { <-i.places }, nil
	case <-ctx.Done():
		return nil, errBusy
	}
}
