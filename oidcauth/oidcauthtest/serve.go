package oidcauthtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"runtime/debug"
	"sync"
)

// maxHeld is how much of a body is held back for a client that does not read, as a socket's buffers
// would, before the handler has to wait.
const maxHeld = 64 << 10

// errDropped is what a client sees of a connection that ends without an answer.
var errDropped = fmt.Errorf("oidcauthtest: the server dropped the connection: %w", io.ErrUnexpectedEOF)

// serve has a handler answer a client's request, as if a connection was between them.
func serve(h http.Handler, r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.Background()) // values don't cross the wire
	stop := context.AfterFunc(r.Context(), cancel)
	// The handler runs on, as it would behind a socket, when the client has left; its context tells
	// it.
	x := &exchange{request: r, cancel: cancel, header: http.Header{}, ready: make(chan struct{})}
	go func() {
		defer func() {
			x.finish(recover())
			stop()
			if r.Body != nil {
				_ = r.Body.Close()
			}
		}()
		h.ServeHTTP(x, serverSide(ctx, r))
	}()
	select {
	case <-x.ready:
		return x.response, x.err
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

// serverSide returns the request as a server reads it.
func serverSide(ctx context.Context, r *http.Request) *http.Request {
	in := r.Clone(ctx)
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "192.0.2.1:1234"
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if r.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: r.URL.Hostname()}
	}
	in.URL.Scheme, in.URL.Host, in.URL.User, in.URL.Fragment, in.URL.RawFragment = "", "", nil, "", ""
	if in.Body == nil {
		in.Body = http.NoBody
	}
	return in
}

// exchange is the handler's ResponseWriter and the maker of the client's response. The handler's
// goroutine alone calls its methods.
type exchange struct {
	request *http.Request
	cancel  context.CancelFunc
	header  http.Header
	sent    http.Header // header as it was at WriteHeader
	status  int
	held    bytes.Buffer
	pipe    *io.PipeWriter // once the body streams

	once     sync.Once
	ready    chan struct{} // closed when response and err are set
	response *http.Response
	err      error
}

// Header returns the headers to be sent.
func (x *exchange) Header() http.Header { return x.header }

// WriteHeader fixes status and headers; only the first call counts.
func (x *exchange) WriteHeader(status int) {
	if x.status != 0 || status < 200 {
		return // an informational answer is not the answer
	}
	x.status = status
	x.sent = x.header.Clone()
}

// Write holds a small body back, so that a handler is done when its client gets the answer, and
// streams a large one.
func (x *exchange) Write(b []byte) (int, error) {
	x.WriteHeader(http.StatusOK)
	if x.request.Method == http.MethodHead {
		return len(b), nil
	}
	if x.status == http.StatusNoContent || x.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	if x.pipe == nil && x.held.Len()+len(b) <= maxHeld {
		return x.held.Write(b)
	}
	x.stream()
	return x.pipe.Write(b)
}

// FlushError sends what was written so far; [http.ResponseController] calls it.
func (x *exchange) FlushError() error {
	x.WriteHeader(http.StatusOK)
	x.stream()
	return nil
}

// Flush implements [http.Flusher].
func (x *exchange) Flush() { _ = x.FlushError() }

// stream gives the client its response while the handler goes on writing.
func (x *exchange) stream() {
	if x.pipe != nil {
		return
	}
	reader, writer := io.Pipe()
	x.pipe = writer
	context.AfterFunc(x.request.Context(), func() { _ = writer.CloseWithError(context.Cause(x.request.Context())) })
	body := io.MultiReader(bytes.NewReader(bytes.Clone(x.held.Bytes())), reader)
	x.deliver(&streamBody{body, reader, x.cancel}, -1)
}

// finish ends the exchange when the handler has returned or panicked.
func (x *exchange) finish(panicked any) {
	err := errDropped
	if panicked != nil && panicked != http.ErrAbortHandler { //nolint:errorlint // net/http compares so
		err = fmt.Errorf("oidcauthtest: the handler panicked: %v", panicked)
		log.Printf("%v\n%s", err, debug.Stack())
	}
	switch gone := context.Cause(x.request.Context()); {
	case x.pipe != nil && gone != nil:
		_ = x.pipe.CloseWithError(gone)
	case x.pipe != nil && panicked != nil:
		_ = x.pipe.CloseWithError(err)
	case x.pipe != nil:
		_ = x.pipe.Close()
	case panicked != nil:
		x.once.Do(func() { x.err = err; close(x.ready) })
	default:
		x.WriteHeader(http.StatusOK)
		x.deliver(io.NopCloser(bytes.NewReader(x.held.Bytes())), int64(x.held.Len()))
	}
	x.cancel()
}

// deliver makes the client's response and wakes it up.
func (x *exchange) deliver(body io.ReadCloser, length int64) {
	if x.sent.Get("Content-Type") == "" && x.held.Len() > 0 {
		x.sent.Set("Content-Type", http.DetectContentType(x.held.Bytes()))
	}
	x.response = &http.Response{
		Status:     fmt.Sprintf("%03d %s", x.status, http.StatusText(x.status)),
		StatusCode: x.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: x.sent, Body: body, ContentLength: length, Request: x.request,
	}
	x.once.Do(func() { close(x.ready) })
}

// streamBody is a body under way; closing it tells the handler to stop.
type streamBody struct {
	io.Reader
	pipe   *io.PipeReader
	cancel context.CancelFunc
}

// Close lets the handler's next Write fail, as a closed connection does.
func (b *streamBody) Close() error {
	b.cancel()
	return b.pipe.CloseWithError(errors.New("oidcauthtest: the client closed the body"))
}
