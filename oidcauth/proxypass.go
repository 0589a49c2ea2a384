package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/signet-go/signet/internal/relay"
	"github.com/signet-go/signet/session"
)

// A passage is one request that a proxy passes on, and its answer.
//
// httputil.ReverseProxy does the work that is the same for all proxies: hop-by-hop headers, those
// that Connection names included, streaming, and breaking off what can't be finished. What it would
// pass on unjudged is kept from it: headers of informational answers, trailers, and upgrades.
type passage struct {
	*proxy
	w      http.ResponseWriter
	r      *http.Request // as scripts are answered
	target *url.URL

	// ctx ends with the request, and with the session once the answer has begun.
	ctx context.Context
	end context.CancelCauseFunc
}

var (
	// errSessionOver ends answers that outlive the session.
	errSessionOver = errors.New("oidcauth: the session has ended")

	// errStatus is an answer that is none.
	errStatus = errors.New("the API's answer has a status that can't be passed on")
)

// pass sends r to target and its answer to w.
func (p *proxy) pass(w http.ResponseWriter, r *http.Request, target *url.URL) {
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	x := &passage{proxy: p, w: w, r: asScript(r), target: target, ctx: ctx, end: end}
	in := r.WithContext(ctx)
	if in.Body != nil {
		in.Body = http.MaxBytesReader(w, in.Body, p.maxRequest)
	}
	if err := relay.Replayable(in); err != nil {
		x.failed(w, nil, err)
		return
	}
	reverse := httputil.ReverseProxy{
		Rewrite: x.rewrite, Transport: x, ModifyResponse: x.answered, ErrorHandler: x.failed,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // of answers that break off, which the browser sees
	}
	reverse.ServeHTTP(w, in)
}

// rewrite makes the API's request of the browser's.
func (x *passage) rewrite(r *httputil.ProxyRequest) {
	relay.RequestHeader(r.Out.Header)
	r.Out.URL, r.Out.Host, r.Out.Trailer = x.target, "", nil
}

// RoundTrip implements http.RoundTripper for ReverseProxy. The request goes out with our own
// context: ReverseProxy's has it copy informational answers to the browser, cookies and all.
func (x *passage) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := x.transport.RoundTrip(r.WithContext(x.ctx))
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 200 || res.StatusCode > 599 {
		_ = res.Body.Close() // none of it is needed
		return nil, fmt.Errorf("%w: %d", errStatus, res.StatusCode)
	}
	judged := *res // trailers come after everything was judged, and are set in the original
	judged.Trailer = nil
	return &judged, nil
}

// answered makes of the API's answer what the browser may see.
func (x *passage) answered(res *http.Response) error {
	stream := isEventStream(res.Header)
	if res.ContentLength > x.maxResponse && x.r.Method != http.MethodHead && !stream {
		return relay.ErrTooLarge
	}
	location := res.Header.Get("Location")
	relay.AnswerHeader(res.Header)
	res.Header.Del("Location")
	if to := relay.Location(location, x.target, x.api, x.browserPrefix); location != "" && to != "" {
		res.Header.Set("Location", to)
	}
	for name := range res.Header {
		if name != "Vary" {
			x.w.Header().Del(name) // ReverseProxy adds to what was set before
		}
	}
	x.endWithSession()
	if stream {
		res.Body = &eventStream{res.Body, x.ctx}
	} else {
		res.Body = relay.AtMost(res.Body, x.maxResponse)
	}
	return nil
}

// isEventStream reports whether an answer is one of server-sent events.
func isEventStream(h http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && mediaType == "text/event-stream"
}

// endWithSession breaks the answer off when the session ends. The user of a test, whom WithUser
// brought, has none.
func (x *passage) endWithSession() {
	if x.auth.sessions.From(x.ctx).Load() != nil {
		return
	}
	done := session.Done(x.ctx)
	go func() {
		select {
		case <-done:
			x.end(errSessionOver)
		case <-x.ctx.Done():
		}
	}()
}

// An eventStream is a body that is whole wherever it ends: browsers come back for more, and are
// then told that nobody is signed in.
type eventStream struct {
	io.ReadCloser
	ctx context.Context
}

// Read implements io.Reader.
func (s *eventStream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && errors.Is(context.Cause(s.ctx), errSessionOver) {
		err = io.EOF
	}
	return n, err
}

// failed answers when no answer of the API's can be had.
func (x *passage) failed(w http.ResponseWriter, _ *http.Request, err error) {
	stepUp, wanted := errors.AsType[*StepUpError](err)
	wanted = wanted && stepUp != nil
	if x.ofUser && (wanted || errors.Is(err, ErrLoginRequired)) || errors.Is(err, session.ErrUnavailable) {
		x.auth.deny(w, x.r, UserFrom(x.r.Context()), err)
		return
	}
	x.auth.fail(w, x.r, apiProblem(err))
}

// apiProblem maps trouble with an API, or with its token, to a status and code: 502 for no answer
// that can be used, 504 for a late one, 503 where the provider is down.
func apiProblem(err error) *Problem {
	if down, ok := errors.AsType[*UnavailableError](err); ok {
		return &Problem{Status: http.StatusServiceUnavailable, Code: "provider_unavailable", RetryAfter: down.RetryAfter, Err: err}
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return &Problem{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Err: err}
	}
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return &Problem{Status: http.StatusGatewayTimeout, Code: "time_out", Err: err}
	}
	return &Problem{Status: http.StatusBadGateway, Code: "no_answer", Err: err}
}
