package oidcauth

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxPlaces bounds how many requests of one kind wait for the provider at once. More are turned
// away with 503: a slow provider must not fill the memory.
const maxPlaces = 64

// callbackPatience is how long somebody who comes back from the provider waits for a place.
const callbackPatience = 2 * time.Second

// errBusy means that too many logins are under way at the provider.
var errBusy = errors.New("oidcauth: too many logins are under way at the provider")

// places are those of one kind of request that waits for the provider. It is safe for concurrent
// use.
type places chan struct{}

// newPlaces returns places of which none is taken.
func newPlaces() places { return make(places, maxPlaces) }

// take takes a place, and waits for one no longer than patience; release gives it back, once.
// Errors: errBusy, and ctx's.
func (p places) take(ctx context.Context, patience time.Duration) (release func(), err error) {
	release = sync.OnceFunc(func() { <-p })
	select {
	case p <- struct{}{}:
		return release, nil
	default:
	}
	if patience <= 0 {
		return nil, errBusy
	}
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case p <- struct{}{}:
		return release, nil
	case <-enough.C:
		return nil, errBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
