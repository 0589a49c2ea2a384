// Package downstream asks an API with a client that brings the token.
//
// It promises that an answer is bounded in time and size, and whole. It never sees a token: the
// library's client adds it. Start at Get.
package downstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// maxBody bounds what is read.
//
// An API that says more is refused as a whole: half an answer would look like an answer.
const maxBody = 1 << 20

// errBody is an API answer that is too large or breaks off.
var errBody = errors.New("the API's answer is too large or incomplete")

// Get calls the API within timeout and a bounded size.
//
// The context ends with the request, so that nobody works for a browser that has left, and the
// client is one that lets the token go to the origins in oidcauth.Config.APIs only, also behind
// redirects.
func Get(ctx context.Context, client *http.Client, api *url.URL, timeout time.Duration) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api.String(), nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errBody, err)
	}
	if len(body) > maxBody {
		return 0, nil, errBody
	}
	return resp.StatusCode, body, nil
}
