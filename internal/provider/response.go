package provider

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/signet-go/signet/internal/logtext"
)

// responseParameters are the parameters of an authentication response that are read (RFC 6749
// §4.1.2, RFC 9207 §2); responseJWT is the one that holds them all where responses are JWTs (JARM
// §2.3).
var responseParameters = []string{"code", "state", "iss", "error", "error_description"}

const responseJWT = "response"

// ResponseMarks are parameters of which every response has one, in whichever mode.
var ResponseMarks = []string{"state", "error", responseJWT}

const (
	maxState = 512
	maxCode  = 8 << 10
	maxIss   = 2 << 10
)

// A Response is an authentication response, as the browser brought it: nothing in it is anybody's
// word before VerifyResponse or CheckResponseIssuer.
type Response struct {
	Code, State string

	// ErrorCode and Description are the error that came in place of a code.
	ErrorCode, Description string

	// JWT is the whole response, where it is one (JARM).
	JWT string

	iss    string
	hasIss bool
}

// ResponseParameters are the names to read of a response, which is a JWT or not.
func ResponseParameters(asJWT bool) []string {
	if asJWT {
		return append(slices.Clone(responseParameters), responseJWT)
	}
	return responseParameters
}

// ReadResponse reads a response out of its parameters, each of which is there at most once.
func ReadResponse(params url.Values, asJWT bool) (Response, error) {
	params, raw, err := unwrapped(params, asJWT)
	if err != nil {
		return Response{}, err
	}
	r := Response{
		JWT: raw, Code: params.Get("code"), State: params.Get("state"), iss: params.Get("iss"), hasIss: params.Has("iss"),
		ErrorCode: params.Get("error"), Description: params.Get("error_description"),
	}
	switch {
	case params.Has("code") == params.Has("error"):
		return Response{}, errors.New("response needs either code or error")
	case len(r.State) > maxState || r.State == "" && r.ErrorCode == "": // an error without state is told apart from nonsense
		return Response{}, errors.New("state is missing or too long")
	case len(r.Code) > maxCode || len(r.iss) > maxIss || r.Code == "" && r.ErrorCode == "":
		return Response{}, errors.New("code or iss is empty or too long")
	}
	return r, nil
}

// unwrapped returns the parameters of a response JWT in place of params, where the response mode
// asks for one. An error without a JWT keeps its code, for the log, and loses its state: nobody has
// signed it, so that it can't be a login's.
func unwrapped(params url.Values, asJWT bool) (inner url.Values, raw string, err error) {
	switch raw = params.Get(responseJWT); {
	case !asJWT:
		return params, "", nil
	case raw == "" && params.Get("error") != "" && !params.Has("code"):
		return url.Values{"error": params["error"], "error_description": params["error_description"]}, "", nil
	case slices.ContainsFunc(responseParameters, params.Has):
		return nil, "", errors.New("response parameters beside the response JWT")
	}
	inner, err = unwrapResponse(raw, responseParameters)
	if err != nil {
		err = fmt.Errorf("response: %w", err)
	}
	return inner, raw, err
}

// CheckResponseIssuer decides whether the issuer that answers is the one that was asked (RFC 9207 §2.4),
// which it has to say where its metadata promise it or required is set. The iss of a response JWT
// is VerifyResponse's.
func (v *Verifier) CheckResponseIssuer(m *Metadata, r *Response, required bool) error {
	if r.JWT != "" || r.hasIss && v.issuers.Allow(r.iss) || !r.hasIss && !m.IssParameterSupported && !required {
		return nil
	}
	return fmt.Errorf("iss of the response is %q, expected %q (RFC 9207 §2.4)", logtext.Clip(r.iss, 100), v.issuers.Configured)
}
