package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// An Error says that a call to an endpoint of the provider failed: no answer, an error answer (RFC
// 6749 §5.2) or one that makes no sense. Its text names status, code and description; it never
// holds a body, a credential or anything else that we sent.
type Error struct {
	// Endpoint says which one: token, userinfo …
	Endpoint string

	// Status is the HTTP status, 0 when there was no answer.
	Status int

	// Code is the provider's error code and Description its error_description, both cleaned and
	// cut, "" when it sent none. They are the provider's words: for logs, not for pages.
	Code, Description string

	// RetryAfter is how long the provider asks to be left alone, 0 when it doesn't.
	RetryAfter time.Duration

	// Err is the cause when the provider gave no code, or nil.
	Err error

	// Hint says what to try, "" when nobody knows.
	Hint string

	// wordless says that the answer has no code although it is no page or text of something on the
	// way: its body is empty, or JSON.
	wordless bool

	// nonce is the DPoP nonce that came along.
	nonce string
}

// wantsNonce reports whether an authorization server refused a DPoP proof for want of a nonce, and
// gave one (RFC 9449 §8).
func (e *Error) wantsNonce() bool { return e.Code == "use_dpop_nonce" && e.nonce != "" }

// Error is one line: endpoint, status, code, description, cause and hint, as far as they are known.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "oidcauth: %s endpoint", e.Endpoint)
	if e.Status != 0 {
		fmt.Fprintf(&b, " answered %d", e.Status)
	}
	for _, s := range []string{e.Code, e.Description} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// HintIn returns what err's endpoint error says to try, "" when there is none.
func HintIn(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Hint
	}
	return ""
}

// Unwrap returns the cause when the provider gave no error code.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether the time ran out before the answer was complete. The request may have
// been carried out.
func (e *Error) Timeout() bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Err)
	return ok && timeout.Timeout()
}

// MaxDescription leaves room for what some providers say only at the end, such as the audience that
// they expect.
const MaxDescription = 500

// readError takes code and description out of an error answer. What repeats a secret of the request
// is left out.
func (e *Error) readError(body []byte, secrets []string) {
	e.wordless = isWordless(body)
	o, err := strictjson.Parse(bytes.ToValidUTF8(body, []byte("\uFFFD"))) // a description in Latin-1 must not hide the code
	if err != nil {
		e.Err = errors.New("expected an OAuth error in JSON, got " + strictjson.KindOf(body))
		return
	}
	code, _ := o.Text("error")
	description, _ := o.Text("error_description")
	if strings.EqualFold(code, http.StatusText(e.Status)) {
		code = "" // a framework's word for the status, not a code
	}
	e.Code, e.Description = clean(code, 64, secrets), clean(description, MaxDescription, secrets)
}

// isWordless reports whether a body without an error code may be the endpoint's own: empty, or
// JSON, be it cut. A page or a text comes from something on the way, which knows nothing of grants.
func isWordless(body []byte) bool {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\uFEFF")))
	return len(body) == 0 || body[0] == '{' || json.Valid(body)
}

// readChallenge takes what readError did not find out of WWW-Authenticate, where resources such as
// userinfo say what is wrong with a token (RFC 6750 §3).
func (e *Error) readChallenge(h http.Header, secrets []string) {
	params := tokenChallenge(h).Params
	if e.Code == "" {
		e.Code = clean(params["error"], 64, secrets)
	}
	if e.Description == "" {
		e.Description = clean(params["error_description"], MaxDescription, secrets)
	}
}

// clean makes a provider's text fit for logs: without what repeats a secret, reduced to the
// printable ASCII that RFC 6749 §5.2 allows, without markup, and cut.
func clean(s string, limit int, secrets []string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"<>`, r) || r == '\\' {
			return '?'
		}
		return r
	}, logtext.WithoutSecrets(s, secrets))
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}
