package session

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// Handler loads the session of each request (lazily: nothing is decoded or read from the Store
// before it is needed) and saves changes before the first byte of the response. If they can't be
// saved, the handler's response is replaced: by 503 with Retry-After if the Store is unavailable,
// otherwise by 500. After the first byte, a failure can only be logged. Nesting is harmless: an
// inner Handler of the same Manager passes through.
//
// A response that set or depends on the session carries "Vary: Cookie" and, unless the handler says
// otherwise, "Cache-Control: private, no-store". A handler may let shared caches store the response
// only if no cookie has to be set: moving the idle limit then waits for another response, but a new
// or changed session overrides the handler.
func (m *Manager) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.From(r.Context()) != nil {
			next.ServeHTTP(w, r)
			return
		}
		x := &exchange{Context: r.Context()}
		x.session.m, x.session.ctx, x.session.header, x.session.arrived = m, x.Context, r.Header, time.Now()
		x.writer = writer{ResponseWriter: w, exchange: x}
		defer x.session.over() // after a panic too
		next.ServeHTTP(&x.writer, r.WithContext(x))
		x.writer.begin()
		x.session.finish(stageReturned)
	})
}

// exchange is all that Handler adds to a request, in one piece: the context that leads to the
// session, and the writer.
type exchange struct {
	context.Context
	session Session
	writer  writer
	vary    [1]string // header values, so that they need no allocation of their own
	control [1]string
}

// Value finds the session for From and Manager.From.
func (x *exchange) Value(key any) any {
	if key == (contextKey{}) || key == any(x.session.m) {
		return &x.session
	}
	return x.Context.Value(key)
}

// writer saves the session before the first byte. It implements what http.ResponseController and
// io.Copy look for itself, because they would otherwise find it behind Unwrap, past the saving.
type writer struct {
	http.ResponseWriter
	exchange *exchange
	begun    bool
	failed   bool // the response was replaced; what the handler writes goes nowhere
}

// begin commits the session, and replaces the response when that fails.
func (w *writer) begin() {
	if w.begun {
		return
	}
	w.begun = true
	err := w.exchange.commit(w.Header())
	if err == nil {
		return
	}
	w.failed = true
	w.exchange.session.m.log.Error("session not saved", "error", err)
	if errors.Is(err, ErrUnavailable) {
		WriteUnavailable(w.ResponseWriter)
	} else {
		writeFailure(w.ResponseWriter, http.StatusInternalServerError)
	}
}

// commit is the last chance to change the header.
func (x *exchange) commit(h http.Header) error {
	s := &x.session
	shared := s.depends() && x.describe(h)
	s.inviteOnPage(h, shared)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stage >= stageBegun {
		return nil
	}
	defer s.reachLocked(stageBegun) // until then it is no stream
	if !s.loaded {                  // nothing depends on it
		return nil
	}
	return s.commitLocked(h, shared)
}

// depends reports whether the response depends on the session, and has not begun.
func (s *Session) depends() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loaded && s.stage < stageBegun
}

// WriteHeader implements http.ResponseWriter. An informational response (RFC 9110 §15.2) is not the
// first byte.
func (w *writer) WriteHeader(status int) {
	if status < 100 || status >= 200 || status == http.StatusSwitchingProtocols {
		w.begin()
	}
	if !w.failed {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements io.Writer.
func (w *writer) Write(b []byte) (int, error) {
	w.begin()
	if w.failed {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// WriteString implements io.StringWriter.
func (w *writer) WriteString(s string) (int, error) {
	w.begin()
	if w.failed {
		return len(s), nil
	}
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom implements io.ReaderFrom, so that files still leave by sendfile.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	if w.failed {
		return io.Copy(io.Discard, r)
	}
	return io.Copy(w.ResponseWriter, r)
}

// FlushError is what http.ResponseController calls.
func (w *writer) FlushError() error {
	w.begin()
	if w.failed {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker. Whoever takes the connection over writes its own header, so that
// no cookie can be set any more: call Session.Save before.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.begun = true
		w.exchange.session.hijacked()
	}
	return conn, rw, err
}

// Unwrap is for http.ResponseController: deadlines and full duplex need nothing of us.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hijacked notes that none of our headers will be sent, and publishes the changes made so far.
func (s *Session) hijacked() {
	s.finish(stageBegun)
}
