package oauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"time"

	"github.com/signet-go/signet/internal/strictjson"
)

// maxRequestURI leaves room in a URL for everything else.
const maxRequestURI = 2048

// A PushedRequest is an authorization request that the provider keeps.
type PushedRequest struct {
	// URI is the request_uri for the browser.
	URI string

	// Life is how long the provider keeps the request; 0 when it doesn't say so in a way that can
	// be understood, which is no reason not to use it.
	Life time.Duration
}

// Push stores an authorization request at the provider (RFC 9126 §2).
func (e *Endpoint) Push(ctx context.Context, params url.Values) (pushed PushedRequest, err error) {
	m, err := e.provider.Metadata(ctx)
	if err != nil {
		return PushedRequest{}, err
	}
	if m.PushedAuthorizationRequestEndpoint == "" {
		return PushedRequest{}, pushError(0, errors.New("expected a pushed_authorization_request_endpoint in the metadata, got none"))
	}
	params = maps.Clone(params)
	params.Set("client_id", e.auth.ClientID)
	target := e.target(m, "pushed_authorization_request_endpoint", m.PushedAuthorizationRequestEndpoint)
	a, err := e.Bind(nil).send(ctx, "pushed authorization request", target, params, "")
	if err != nil {
		return PushedRequest{}, err
	}
	o, err := strictjson.Parse(a.Body)
	if err == nil {
		pushed.URI, err = requiredCredential(o, "request_uri")
	}
	if err == nil && len(pushed.URI) > maxRequestURI {
		err = fmt.Errorf("request_uri: expected at most %d bytes, got %d", maxRequestURI, len(pushed.URI))
	}
	if err != nil {
		return PushedRequest{}, pushError(a.Status, err)
	}
	if end, err := expiresIn(o, a.received); err == nil && !end.IsZero() {
		pushed.Life = end.Sub(a.received)
	}
	return pushed, nil
}

// pushError is an answer to a pushed request that makes no sense.
func pushError(status int, err error) error {
	return &Error{Endpoint: "pushed authorization request", Status: status, Err: err}
}
