package pace

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Places bound how many of one kind of request wait for something slow at once, so that they don't
// fill the memory. Make them with NewPlaces. They are safe for concurrent use.
type Places chan struct{}

// ErrBusy means that all places are taken.
var ErrBusy = errors.New("oidcauth: too many logins are under way at the provider")

// NewPlaces returns so many places, of which none is taken.
func NewPlaces(many int) Places { return make(Places, many) }

// Take takes a place, and waits for one no longer than patience; release gives it back, once.
// Errors: ErrBusy, and ctx's.
func (p Places) Take(ctx context.Context, patience time.Duration) (release func(), err error) {
	release = sync.OnceFunc(func() { <-p })
	select {
	case p <- struct{}{}:
		return release, nil
	default:
	}
	if patience <= 0 {
		return nil, ErrBusy
	}
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case p <- struct{}{}:
		return release, nil
	case <-enough.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
