package oidcauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// callbackParameters are the parameters of an authentication response that the package reads (RFC 6749 §4.1.2, RFC 9207 §2).
var callbackParameters = []string{"code", "state", "iss", "error", "error_description", "error_uri", "response"} // response (JARM) is the last

const (
	maxState = 512
	maxCode  = 8 << 10
	maxIss   = 2 << 10
	maxShown = 200
)

// A callback is an authentication response.
type callback struct {
	code, state, iss, errorCode, description string
	hasIss                                   bool
	jwt                                      string // the whole response, where it is a JWT (JARM)
}

// readCallback reads the response from the one source that the response mode names, each parameter at most once.
func (a *Authenticator) readCallback(w http.ResponseWriter, r *http.Request) (callback, *Problem) {
	params, problem := formOf(w, r)
	if problem != nil {
		return callback{}, problem
	}
	bad := func(text string) (callback, *Problem) {
		return callback{}, &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: errors.New(text)}
	}
	if r.Method == http.MethodPost && r.URL.RawQuery != "" && hasAny(r.URL.Query(), callbackParameters) {
		return bad("response parameters in query and body")
	}
	for _, name := range callbackParameters {
		if len(params[name]) > 1 {
			return bad("parameter given more than once: " + name)
		}
	}
	params, wrapped, err := a.unwrapped(params)
	if err != nil {
		return bad(err.Error())
	}
	cb := callback{
		jwt: wrapped, code: params.Get("code"), state: params.Get("state"), iss: params.Get("iss"), hasIss: params.Has("iss"),
		errorCode: params.Get("error"), description: params.Get("error_description"),
	}
	switch {
	case params.Has("code") == params.Has("error"):
		return bad("response needs either code or error")
	case cb.state == "" || len(cb.state) > maxState:
		return bad("state is missing or too long")
	case len(cb.code) > maxCode || len(cb.iss) > maxIss || cb.code == "" && cb.errorCode == "":
		return bad("code or iss is empty or too long")
	}
	return cb, nil
}

func hasAny(values url.Values, names []string) bool {
	return slices.ContainsFunc(names, values.Has)
}

// unwrapped returns the parameters of a response JWT in place of params, where the response mode asks for one.
func (a *Authenticator) unwrapped(params url.Values) (inner url.Values, jwt string, err error) {
	if !a.config.ResponseMode.isJWT() {
		return params, "", nil
	}
	if hasAny(params, callbackParameters[:len(callbackParameters)-1]) {
		return nil, "", errors.New("response parameters beside the response JWT")
	}
	jwt = params.Get("response")
	inner, err = unwrapResponse(jwt)
	if err != nil {
		err = fmt.Errorf("response: %w", err)
	}
	return inner, jwt, err
}
