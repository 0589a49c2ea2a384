package oidcauth

import (
	"context"
	"sync"
)

// Shutdown waits until no refresh of a user's tokens is in flight, or until ctx
// ends, whose error it then returns. Call it after http.Server.Shutdown: a refresh
// goes on when the request that began it is gone, and a refresh token that is spent
// while its successor is not kept signs the user out. It stops nothing, and the
// Authenticator can be used afterwards.
func (a *Authenticator) Shutdown(ctx context.Context) error { return a.tokens.running.wait(ctx) }

// A tally counts what is under way. The zero value is ready.
type tally struct {
	mu sync.Mutex
	n  int

	// none is closed when n is 0 again.
	none chan struct{}
}

// begin counts one more, until the function that it returns is called.
func (c *tally) begin() (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n++; c.n == 1 {
		c.none = make(chan struct{})
	}
	return c.end
}

// end counts one less.
func (c *tally) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 {
		close(c.none)
	}
}

// wait returns when nothing is under way, or with ctx's error.
func (c *tally) wait(ctx context.Context) error {
	c.mu.Lock()
	n, none := c.n, c.none
	c.mu.Unlock()
	if n == 0 {
		return nil
	}
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
