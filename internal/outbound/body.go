package outbound

import (
	"io"
	"net/http"
)

// Rewound returns r with its body to be sent once more, if it can be.
func Rewound(r *http.Request) (*http.Request, bool) {
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

// CloseBody does what a RoundTripper owes to a request that it does not send.
func CloseBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // nothing was sent
	}
}

// Discard gives res's connection back, if that costs little.
func Discard(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // fewer bytes are fine, and so is a broken connection
	_ = res.Body.Close()
}
