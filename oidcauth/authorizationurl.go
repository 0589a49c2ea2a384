package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// authorizationURL is where the browser goes: with all parameters, or with a reference to those that were pushed (RFC 9126 §4).
func (a *Authenticator) authorizationURL(ctx context.Context, meta *metadata, params url.Values) (string, error) {
	target, err := url.Parse(meta.AuthorizationEndpoint)
	if err != nil {
		return "", &LoginError{Code: "invalid_metadata", Err: err}
	}
	if a.config.Advanced.SignedRequests {
		if params, err = a.requestObject(params); err != nil {
			return "", err
		}
	}
	if a.pushes(meta) {
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

// pushes reports whether requests are pushed.
func (a *Authenticator) pushes(meta *metadata) bool {
	switch a.config.PAR {
	case PAROff:
		return false
	case PARRequire:
		return true
	default:
		return meta.PushedAuthorizationRequestEndpoint != ""
	}
}

// push pushes the request. A failure fails the login: falling back would let whoever disturbs the push read the request.
func (a *Authenticator) push(ctx context.Context, meta *metadata, params url.Values) (string, error) {
	if meta.PushedAuthorizationRequestEndpoint == "" {
		return "", &LoginError{Code: "par_unavailable", Err: errors.New("PAR is PARRequire, and the provider has no pushed_authorization_request_endpoint")}
	}
	release, ok := a.endpoint.acquire()
	if !ok {
		return "", errBusy
	}
	defer release()
	uri, err := a.endpoint.push(ctx, params)
	if err != nil {
		return "", pushFailed(err)
	}
	return uri, nil
}

// pushFailed adds what to try, unless the provider said what is wrong with the request or the client: that would be wrong without
// the push too.
func pushFailed(err error) error {
	if refused, ok := errors.AsType[*endpointError](err); ok && slices.Contains([]string{"invalid_client", "unauthorized_client", "invalid_redirect_uri", "invalid_scope"}, refused.Code) {
		return &LoginError{Code: refused.Code, Description: refused.Description, Err: err}
	}
	return &LoginError{Code: "par_failed", Err: fmt.Errorf("%w (is RedirectURL registered at the provider, byte for byte? To go without pushed requests, set Config.PAR to PAROff)", err)}
}
