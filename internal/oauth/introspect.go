package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/signet-go/signet/internal/strictjson"
)

// introspection is the name of the endpoint in errors.
const introspection = "introspection"

// ErrNoIntrospection means that the provider has no introspection endpoint, or an http one.
var ErrNoIntrospection = errors.New("the provider's metadata name no introspection_endpoint that may be called")

// Introspect asks what an access token is worth (RFC 7662 §2.1), in the client's name. The answer
// is an object with an active member that is a boolean; its text is returned as well. The error is
// [ErrNoIntrospection], a *pace.Outage when there are no metadata, else an *Error.
func (e *Endpoint) Introspect(ctx context.Context, token string) (answer strictjson.Object, body []byte, err error) {
	m, err := e.provider.Metadata(ctx)
	switch {
	case err != nil:
		return answer, nil, err
	case m.IntrospectionEndpoint == "":
		return answer, nil, ErrNoIntrospection
	}
	a, err := e.sendProven(ctx, introspection, e.target(m, "introspection_endpoint", m.IntrospectionEndpoint),
		url.Values{"token": {token}, "token_type_hint": {"access_token"}})
	if err != nil {
		return answer, nil, err
	}
	answer, err = strictjson.Parse(a.Body)
	switch {
	case a.Status != http.StatusOK:
		err = errors.New("expected status 200")
	case err == nil && !answer.Present("active"):
		err = errors.New("active: expected true or false, got none")
	case err == nil:
		_, err = answer.Flag("active")
	}
	if err != nil {
		return answer, nil, &Error{Endpoint: introspection, Status: a.Status, Err: fmt.Errorf("introspection: %w", err)}
	}
	return answer, a.Body, nil
}
