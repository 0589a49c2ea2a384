package relay

import (
	"net/http"
	"regexp"
)

// answerDropped are the headers of an API's answer that act on the browser, on its whole idea of our
// origin, or on servers between us and it: none of them is an API's to set.
var answerDropped = fields{
	names: []string{
		"Set-Cookie", "Set-Cookie2", "Clear-Site-Data", "Service-Worker-Allowed", "Strict-Transport-Security", "Alt-Svc", "Refresh",
		"Accept-Ch", "Critical-Ch", "Content-Security-Policy-Report-Only", "Expect-Ct", "Nel", "Public-Key-Pins", "Report-To",
		"Reporting-Endpoints", "Hx-Location", "Hx-Redirect", "Hx-Refresh", "Speculation-Rules",
		// Some of them are orders to a proxy before us, or keep the answer in its cache.
		"Age", "Expires", "Pragma", "Surrogate-Control", "X-Accel-Charset", "X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Redirect",
		"X-Lighttpd-Send-File", "X-Reproxy-Url", "X-Sendfile",
		"Cache-Control", "Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Trailer",
	},
	prefixes: []string{"Access-Control-", "Secure-Session-", "Sec-Session-"},
}

// answerSet are the headers that every answer has: nothing that an API says is a page, a script or
// a picture of our origin, and no cache keeps it for the next user.
var answerSet = map[string]string{
	"X-Content-Type-Options":       "nosniff",
	"Content-Security-Policy":      "sandbox; default-src 'none'",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "private, no-store",
}

// asksPerson finds the challenges for which browsers ask the person for a password, even in the
// answer to a script (RFC 9110 §11.6.1).
var asksPerson = regexp.MustCompile(`(?i)(^|[\s,])(basic|digest|negotiate|ntlm)($|[\s,])`)

// AnswerHeader makes of an API's header what a browser may see, but for Location.
func AnswerHeader(h http.Header) {
	answerDropped.removeFrom(h)
	for name, value := range answerSet {
		h.Set(name, value)
	}
	kept := h["Www-Authenticate"][:0]
	for _, challenge := range h["Www-Authenticate"] {
		if !asksPerson.MatchString(challenge) {
			kept = append(kept, challenge)
		}
	}
	if len(kept) == 0 {
		h.Del("WWW-Authenticate")
		return
	}
	h["Www-Authenticate"] = kept
}
