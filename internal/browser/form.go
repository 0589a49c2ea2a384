package browser

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/signet-go/signet/internal/outbound"
)

const (
	// MaxForm bounds a posted form.
	MaxForm = 64 << 10

	// maxParameters bounds how many parameters are looked at where others may stand between them.
	maxParameters = 1000
)

// errNoForm means that a body is of another type than the one that we read.
var errNoForm = errors.New("expected application/x-www-form-urlencoded")

// A FormError is a request whose parameters can't be read.
type FormError struct {
	// Status is for the answer: 400, 413 or 415.
	Status int

	// Err is the cause.
	Err error
}

// Error is the cause's text.
func (e *FormError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *FormError) Unwrap() error { return e.Err }

// badForm is a *FormError for err: 413 where the form is too large.
func badForm(err error) *FormError {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return &FormError{http.StatusRequestEntityTooLarge, err}
	}
	return &FormError{http.StatusBadRequest, err}
}

// checkForm refuses a body that is no urlencoded form.
func checkForm(r *http.Request) error {
	if outbound.MediaType(r.Header) != "application/x-www-form-urlencoded" {
		return &FormError{http.StatusUnsupportedMediaType, errNoForm}
	}
	return nil
}

// FormOf reads the parameters of a GET's query or a POST's urlencoded body, bounded. The error is a
// *FormError.
func FormOf(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		values, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, badForm(err)
		}
		return values, nil
	}
	if err := checkForm(r); err != nil {
		return nil, err
	}
	r.Body = http.MaxBytesReader(w, r.Body, MaxForm)
	if err := r.ParseForm(); err != nil {
		return nil, badForm(err)
	}
	return r.PostForm, nil
}

// ParametersOf returns the parameters of an authentication response from the one source that its
// response mode names: those with these names, and of the others nothing. Whoever sends the browser
// here may add what it likes (RFC 6749 §4.1.2), and a flaw in what nobody reads must not hide the
// answer; what is read has to be well-formed, single, and from that source alone. The error is a
// *FormError.
func ParametersOf(w http.ResponseWriter, r *http.Request, names []string) (url.Values, error) {
	inQuery, err := InQuery(r, names)
	if r.Method != http.MethodPost {
		return inQuery, err
	}
	if err != nil || len(inQuery) > 0 {
		return nil, badForm(errors.New("the POST has response parameters in its query"))
	}
	if err := checkForm(r); err != nil {
		return nil, err
	}
	if r.PostForm != nil { // the application has read the body
		return pickedFrom(r.PostForm, names)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxForm))
	if err != nil {
		return nil, badForm(err)
	}
	return pick(string(body), names)
}

// InQuery returns those parameters of r's query that have one of names. The error is a *FormError.
func InQuery(r *http.Request, names []string) (url.Values, error) {
	return pick(r.URL.RawQuery, names)
}

// pick reads those parameters of an urlencoded text that have one of names.
func pick(encoded string, names []string) (url.Values, error) {
	picked, count := url.Values{}, 0
	for pair := range strings.SplitSeq(encoded, "&") {
		if count++; count > maxParameters {
			return nil, badForm(errors.New("too many parameters"))
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil || !slices.Contains(names, name) {
			continue
		}
		value, err := url.QueryUnescape(rawValue)
		switch {
		case err != nil || strings.Contains(rawValue, ";"): // which some readers take for an ampersand
			return nil, badForm(errors.New("malformed parameter: " + name))
		case picked.Has(name):
			return nil, badForm(errors.New("parameter given more than once: " + name))
		}
		picked.Set(name, value)
	}
	return picked, nil
}

// pickedFrom is pick for a form that was parsed already.
func pickedFrom(form url.Values, names []string) (url.Values, error) {
	picked := url.Values{}
	for _, name := range names {
		if len(form[name]) > 1 {
			return nil, badForm(errors.New("parameter given more than once: " + name))
		}
		if form.Has(name) {
			picked.Set(name, form.Get(name))
		}
	}
	return picked, nil
}
