package outbound

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Patient returns a RoundTripper that gives up on a server which has not begun its answer within
// wait after it took the last of the request. The time that the sender of a request's body takes
// does not count, and neither does the body of the answer.
func Patient(base http.RoundTripper, wait time.Duration) http.RoundTripper {
	return &patient{base, wait}
}

type patient struct {
	base http.RoundTripper
	wait time.Duration
}

// RoundTrip implements http.RoundTripper. The error of a server that is late has Timeout.
func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	clock := &patience{wait: p.wait}
	clock.timer = time.AfterFunc(p.wait, func() {
		if !clock.answered.Load() {
			cancel(lateError{})
		}
	})
	out := r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = &pausing{r.Body, clock}
	}
	res, err := p.base.RoundTrip(out)
	clock.answered.Store(true)
	clock.timer.Stop()
	if err != nil {
		if late, ok := context.Cause(ctx).(lateError); ok { //nolint:errorlint // it is set just above
			err = late
		}
		cancel(nil)
		return nil, err
	}
	res.Body = &releasing{res.Body, cancel}
	return res, nil
}

// lateError is a net.Error.
type lateError struct{}

// Error says what did not come.
func (lateError) Error() string { return "no answer within the time for it" }

// Timeout is what callers ask for.
func (lateError) Timeout() bool { return true }

// Temporary is the rest of net.Error.
func (lateError) Temporary() bool { return true }

// patience runs while a server could act.
type patience struct {
	wait     time.Duration
	timer    *time.Timer
	answered atomic.Bool
}

// pausing is a request's body, during whose reading the server waits for us.
type pausing struct {
	io.ReadCloser
	clock *patience
}

// Read implements io.Reader.
func (b *pausing) Read(p []byte) (int, error) {
	b.clock.timer.Stop()
	n, err := b.ReadCloser.Read(p)
	if !b.clock.answered.Load() {
		b.clock.timer.Reset(b.clock.wait)
	}
	return n, err
}

// releasing is an answer's body, with which the request's context ends.
type releasing struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

// Close implements io.Closer.
func (b *releasing) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// maxAPIHeader bounds the header of an API's answer that is passed on.
const maxAPIHeader = 64 << 10

// Passing returns rt as it suits answers that are passed on: with a header of bounded size, and with
// the encoding that the receiver asked for. One that is no *http.Transport stays as it is.
func Passing(rt http.RoundTripper) http.RoundTripper {
	standard, ok := rt.(*http.Transport)
	if !ok {
		return rt
	}
	standard = standard.Clone()
	standard.MaxResponseHeaderBytes, standard.DisableCompression = maxAPIHeader, true
	return standard
}
