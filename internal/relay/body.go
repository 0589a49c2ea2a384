package relay

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// replayable is how much of a body is read before a request is sent, so that it can be sent again:
// with a new token, or with the nonce that an API asks for.
const replayable = 64 << 10

// ErrTooLarge means that an API says more than is taken.
var ErrTooLarge = errors.New("the API's answer is larger than MaxResponseBody")

// Replayable lets r be sent more than once where its body is small. Of a larger one the beginning
// is kept in memory until it is sent, and it is sent once.
func Replayable(r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 || r.ContentLength > replayable {
		return nil
	}
	start, err := io.ReadAll(io.LimitReader(r.Body, replayable+1))
	if err != nil {
		return err
	}
	if len(start) > replayable {
		r.Body = restOf{io.MultiReader(bytes.NewReader(start), r.Body), r.Body}
		return nil
	}
	r.ContentLength = int64(len(start))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(start)), nil }
	r.Body, err = r.GetBody()
	return err
}

// restOf is a body whose beginning was read.
type restOf struct {
	io.Reader
	io.Closer
}

// AtMost returns a body that fails with ErrTooLarge after n bytes.
func AtMost(body io.ReadCloser, n int64) io.ReadCloser { return &atMost{body, n} }

type atMost struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *atMost) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more tells whether there is more
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n, b.left = int(b.left), 0
		return n, ErrTooLarge
	}
	b.left -= int64(n)
	return n, err
}
