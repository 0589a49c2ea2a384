// Package reply writes answers: pages, JSON and static files.
//
// It promises that an answer is whole or not there at all (no half page under a status of 200), and
// that what Headers sets is on every one of them. It knows nothing of sessions and users, and never
// marks a text as safe HTML. Start at Headers and Pages.
package reply

import (
	"encoding/json"
	"net/http"
)

// Policy allows our own stylesheet and images, nothing else. It has no form-action: the sign-in and
// sign-out forms lead to redirects to the provider, which browsers would hold against it.
//
// No script may run, unless a page adds its own file; no page may frame this one (RFC 9700 §4.16).
const Policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// Headers sets what every answer carries, unless its handler says otherwise later.
func Headers(h http.Header) {
	// Pages show who is signed in: the back button after a logout must not bring them back from a
	// cache.
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: with it browsers send "Origin: null" from our own forms, which the check of
	// their origin refuses.
	h.Set("Referrer-Policy", "same-origin")
}

// JSON writes v as the whole answer. Values that JSON can't hold are programming errors.
//
// It is marshalled whole before the status is sent, for the same reason as a page is rendered
// first.
func JSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
