package oidcauth

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/provider"
)

// callbackParameters are the parameters of an authentication response that are read (RFC 6749
// §4.1.2, RFC 9207 §2); jwtParameter is the one that holds them all where responses are JWTs (JARM
// §2.3).
var callbackParameters = []string{"code", "state", "iss", "error", "error_description"}

const jwtParameter = "response"

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

// readCallback reads the response from the one source that the response mode names, each parameter
// at most once.
func (a *returner) readCallback(w http.ResponseWriter, r *http.Request) (callback, *Problem) {
	names := callbackParameters
	if a.config.ResponseMode.isJWT() {
		names = append(slices.Clone(names), jwtParameter)
	}
	params, problem := responseParameters(w, r, names)
	if problem != nil {
		return callback{}, problem
	}
	bad := func(text string) (callback, *Problem) {
		return callback{}, &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: errors.New(text)}
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
	case len(cb.state) > maxState || cb.state == "" && cb.errorCode == "": // an error without state is told apart from nonsense
		return bad("state is missing or too long")
	case len(cb.code) > maxCode || len(cb.iss) > maxIss || cb.code == "" && cb.errorCode == "":
		return bad("code or iss is empty or too long")
	}
	return cb, nil
}

// unmatched is the cause of a response that no login of this browser's is found for: err and, for
// the log, what error it brought.
func (cb *callback) unmatched(err error) error {
	if cb.errorCode == "" {
		return err
	}
	if cb.state == "" {
		err = fmt.Errorf("%w: the response has no state", ErrState)
	}
	said := LoginError{Code: logtext.Clip(cb.errorCode, 64), Description: logtext.Clip(logtext.WithoutSecrets(cb.description, []string{cb.state}), oauth.MaxDescription)}
	return fmt.Errorf("%w; %s", err, said.Error())
}

func hasAny(values url.Values, names []string) bool {
	return slices.ContainsFunc(names, values.Has)
}

// unwrapped returns the parameters of a response JWT in place of params, where the response mode
// asks for one. An error beside no JWT keeps its code, for the log, and loses its state: nobody has
// signed it, so that it can't be a login's.
func (a *returner) unwrapped(params url.Values) (inner url.Values, jwt string, err error) {
	switch jwt = params.Get(jwtParameter); {
	case !a.config.ResponseMode.isJWT():
		return params, "", nil
	case jwt == "" && params.Get("error") != "" && !params.Has("code"):
		return url.Values{"error": params["error"], "error_description": params["error_description"]}, "", nil
	case hasAny(params, callbackParameters):
		return nil, "", errors.New("response parameters beside the response JWT")
	}
	inner, err = provider.UnwrapResponse(jwt, callbackParameters)
	if err != nil {
		err = fmt.Errorf("response: %w", err)
	}
	return inner, jwt, err
}

// maxResponseParameters bounds how many parameters of a response are looked at.
const maxResponseParameters = 1000

// responseParameters returns the parameters of an authentication response from the one source that
// its response mode names: those with these names, and of the others nothing. Whoever sends the
// browser here may add what it likes (RFC 6749 §4.1.2), and a flaw in what nobody reads must not
// hide the answer; what is read has to be well-formed, single, and from that source alone.
func responseParameters(w http.ResponseWriter, r *http.Request, names []string) (url.Values, *Problem) {
	bad := func(status int, err error) (url.Values, *Problem) {
		return nil, &Problem{Status: status, Code: "invalid_request", Err: err}
	}
	inQuery, err := pickParameters(r.URL.RawQuery, names)
	if r.Method != http.MethodPost {
		if err != nil {
			return bad(http.StatusBadRequest, err)
		}
		return inQuery, nil
	}
	if err != nil || len(inQuery) > 0 {
		return bad(http.StatusBadRequest, errors.New("response parameters in the query of a POST"))
	}
	if outbound.MediaType(r.Header) != "application/x-www-form-urlencoded" {
		return bad(http.StatusUnsupportedMediaType, errNoForm)
	}
	if r.PostForm != nil { // the application has read the body
		return pickedFrom(r.PostForm, names)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return bad(http.StatusRequestEntityTooLarge, err)
	} else if err != nil {
		return bad(http.StatusBadRequest, err)
	}
	posted, err := pickParameters(string(body), names)
	if err != nil {
		return bad(http.StatusBadRequest, err)
	}
	return posted, nil
}

// errNoForm means that a body is of another type than the one that we read.
var errNoForm = errors.New("expected application/x-www-form-urlencoded")

// pickParameters reads those parameters of an urlencoded text that have one of names.
func pickParameters(encoded string, names []string) (url.Values, error) {
	picked, count := url.Values{}, 0
	for pair := range strings.SplitSeq(encoded, "&") {
		if count++; count > maxResponseParameters {
			return nil, errors.New("too many parameters")
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil || !slices.Contains(names, name) {
			continue
		}
		value, err := url.QueryUnescape(rawValue)
		switch {
		case err != nil || strings.Contains(rawValue, ";"): // which some readers take for an ampersand
			return nil, errors.New("malformed parameter: " + name)
		case picked.Has(name):
			return nil, errors.New("parameter given more than once: " + name)
		}
		picked.Set(name, value)
	}
	return picked, nil
}

// pickedFrom is pickParameters for a form that was parsed already.
func pickedFrom(form url.Values, names []string) (url.Values, *Problem) {
	picked := url.Values{}
	for _, name := range names {
		if len(form[name]) > 1 {
			return nil, &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: errors.New("parameter given more than once: " + name)}
		}
		if form.Has(name) {
			picked.Set(name, form.Get(name))
		}
	}
	return picked, nil
}
