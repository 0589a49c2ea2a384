package oidcauth

import (
	"io"
	"net/http"
)

// rewound returns r with its body to be sent once more, if it can be.
func rewound(r *http.Request) (*http.Request, bool) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, true
	}
	if r.GetBody == nil {
		return nil, false
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, false
	}
	again := *r
	again.Body = body
	return &again, true
}

// closeBody does what a RoundTripper owes to a request that it does not send.
func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // nothing was sent
	}
}

// discard gives res's connection back, if that costs little.
func discard(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // fewer bytes are fine, and so is a broken connection
	_ = res.Body.Close()
}
