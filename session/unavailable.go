package session

import (
	"fmt"
	"net/http"
)

// WriteUnavailable answers 503 with Retry-After, the right response to [ErrUnavailable]: the cookie
// stays, and the browser may try again. Once the response has begun, it can only add its text to
// the body.
func WriteUnavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "5")
	writeFailure(w, http.StatusServiceUnavailable)
}

// writeFailure answers with a fixed text, and takes back what a handler said of a body that is not
// sent.
func writeFailure(w http.ResponseWriter, status int) {
	h := w.Header()
	for _, name := range []string{"Content-Encoding", "Content-Length", "Etag", "Last-Modified", "Location"} {
		h.Del(name)
	}
	dropTargeted(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Content-Security-Policy") == "" {
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'")
	}
	w.WriteHeader(status)
	fmt.Fprintln(w, http.StatusText(status))
}
