package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
)

// servers are the app and, maybe, the embedded provider. The last one added stops first: a request in flight there may still
// need the others.
//
// Both run in one process, so that "go run" is all it takes; in production there is one server, and the provider is somebody
// else's.
type servers struct {
	listeners []net.Listener
	list      []*http.Server
	cancel    []context.CancelFunc
	last      func() // called when all are closed; nil: nothing
}

// add takes over listener. Each server's requests share a context that serve can cancel.
func (s *servers) add(listener net.Listener, server *http.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	s.listeners = append(s.listeners, listener)
	s.list = append(s.list, server)
	s.cancel = append(s.cancel, cancel)
}

// serve answers requests until ctx ends or a server fails, then drains.
//
// A server that fails takes the process with it: an app without its provider, or a provider without its app, is of no use to
// anybody, and whatever supervises the process will start both again.
func (s *servers) serve(ctx context.Context, log *slog.Logger) error {
	failed := make(chan error, len(s.list))
	for i, server := range s.list {
		server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
		go func() { failed <- server.Serve(s.listeners[i]) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping")
	// One after the other, so that a request in the app can still redeem its code at the provider.
	for i := len(s.list) - 1; i >= 0; i-- {
		s.drain(i, log)
	}
	log.Info("stopped")
	return nil
}

// drain lets the requests of one server finish, cancels those that don't, and closes what is left.
//
// Shutdown closes the listener first: a load balancer that still sends requests sees at once that nobody is here. Requests
// that are cut off get the end of their context, which ends their calls of provider, API and Redis; those that ignore even
// that lose their connection.
func (s *servers) drain(i int, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	err := s.list[i].Shutdown(ctx)
	// Also after a good end: the context has no other owner.
	s.cancel[i]()
	if err == nil {
		return
	}
	log.Warn("requests did not finish in time and are cancelled")
	last, cancelLast := context.WithTimeout(context.Background(), cancelTime)
	defer cancelLast()
	if err := s.list[i].Shutdown(last); errors.Is(err, context.DeadlineExceeded) {
		s.list[i].Close()
	}
}

// close releases everything, served or not.
func (s *servers) close() {
	for i := range s.list {
		s.cancel[i]()
		s.list[i].Close()
		s.listeners[i].Close()
	}
	if s.last != nil {
		s.last()
	}
}
