package oidcauth

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/signet-go/signet/internal/outbound"
)

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
