// Package serving runs the HTTP servers of one process and ends them.
//
// It promises that no connection costs more than its bounds, and that a stop is orderly: requests
// in flight finish or have their contexts canceled, and what they leave behind is waited for, all
// within the ten seconds that container platforms give. It knows nothing of what is served. Start
// at Servers.Serve.
package serving

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// drainTime is how long requests in flight may go on after the signal to stop.
	drainTime = 8 * time.Second
	// cancelTime is how long they then have to notice that their contexts are canceled. Both
	// together stay below the ten seconds after which Docker kills a container that was asked to
	// stop.
	cancelTime = time.Second
)

// Servers are the app and, maybe, the embedded provider. The last one added stops first: a request
// in flight there may still need the others.
//
// Both run in one process, so that "go run" is all it takes; in production there is one server, and
// the provider is somebody else's.
type Servers struct {
	list []*server
	Last func() // called when all are closed; nil: nothing
}

// A server answers on one port.
type server struct {
	*http.Server
	listener net.Listener
	// cancel ends the context that all its requests share.
	cancel context.CancelFunc
	// settle waits for what requests leave behind; nil: nothing.
	settle func(context.Context) error
}

// Add takes over listener.
func (s *Servers) Add(listener net.Listener, h *http.Server, settle func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	h.BaseContext = func(net.Listener) context.Context { return ctx }
	s.list = append(s.list, &server{Server: h, listener: listener, cancel: cancel, settle: settle})
}

// Serve answers requests until ctx ends or a server fails, then drains.
//
// A server that fails takes the process with it: an app without its provider, or a provider without
// its app, is of no use to anybody, and whatever supervises the process will start both again.
func (s *Servers) Serve(ctx context.Context, log *slog.Logger) error {
	failed := make(chan error, len(s.list))
	for _, server := range s.list {
		server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
		go func() { failed <- server.Serve(server.listener) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping")
	// One after the other, so that a request in the app can still redeem its code at the provider.
	for i := len(s.list) - 1; i >= 0; i-- {
		s.list[i].drain(log)
	}
	log.Info("stopped")
	return nil
}

// drain lets requests finish, and what they leave behind; it cancels those that don't, and closes
// what is left.
//
// Shutdown closes the listener first: a load balancer that still sends requests sees at once that
// nobody is here. Requests that are cut off get the end of their context, which ends their calls of
// provider, API and Redis; those that ignore even that lose their connection.
func (s *server) drain(log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	err := s.finish(ctx)
	s.cancel()
	if err == nil {
		return
	}
	log.Warn("requests did not finish in time and are canceled")
	last, cancelLast := context.WithTimeout(context.Background(), cancelTime)
	defer cancelLast()
	if err := s.finish(last); errors.Is(err, context.DeadlineExceeded) {
		_ = s.Close() // its error would be the listener's, which is closed already
	}
}

// finish waits for the requests in flight and then for what goes on without them: the refresh of a
// token, say, whose outcome somebody has to keep.
func (s *server) finish(ctx context.Context) error {
	err := s.Shutdown(ctx)
	if s.settle != nil {
		err = errors.Join(err, s.settle(ctx))
	}
	return err
}

// Close releases everything, served or not.
func (s *Servers) Close() {
	for _, server := range s.list {
		server.cancel()
		_ = server.Close() // whatever can't be closed ends with the process
		server.listener.Close()
	}
	if s.Last != nil {
		s.Last()
	}
}

// NewServer bounds what one connection can cost; timeout is that of one call to the provider or the
// API. Headers may have net/http's usual megabyte: with less, a hostile callback URL would meet
// net/http's own plain answer instead of our page.
//
// There is no limit on the whole connection's life: HTTP/1.1 keep-alive is bounded by IdleTimeout,
// and every request by the others.
func NewServer(h http.Handler, timeout time.Duration) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		// Several times what a browser with a full set of our cookies sends.
		MaxHeaderBytes: 256 << 10,
		ReadTimeout:    30 * time.Second,
		// A request may wait for the provider and for the API, each with one retry.
		WriteTimeout: 30*time.Second + 4*timeout,
		IdleTimeout:  2 * time.Minute,
	}
}
