package pace

import (
	"context"
	"sync"
)

// A tally counts what is under way. Unlike a sync.WaitGroup it may be waited for while it counts
// on, and the wait can be given up. The zero value is ready.
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
