package session

import (
	"context"
	"sync"
)

// locks are locks by name, which exist while somebody holds or wants them, and can be given up
// waiting for.
//
// Who holds several locks of this package has taken them in this order:
//
//  1. that of Exclusive, named by the session's id
//  2. that of the request's session, then of the one to come: Session.mu
//  3. that of a merge, named "merge " and the id
//  4. that of a user's list, named "list " and the key of a tag
//  5. that of one memory: recent, cache, watch, told, locks itself
//
// Under a memory's lock there is no call of a Store, no log line and no second lock. A method whose
// name ends in Locked needs its receiver's lock held, that of a watched its watch's.
type locks struct {
	mu sync.Mutex
	m  map[string]*lock
}

// lock is a channel and not a mutex, so that waiting can be given up.
type lock struct {
	held  chan struct{} // holds one element while locked
	users int
}

// lock waits for the lock of name, or for ctx.
func (l *locks) lock(ctx context.Context, name string) (unlock func(), err error) {
	l.mu.Lock()
	if l.m == nil {
		l.m = map[string]*lock{}
	}
	k := l.m[name]
	if k == nil {
		k = &lock{held: make(chan struct{}, 1)}
		l.m[name] = k
	}
	k.users++
	l.mu.Unlock()
	select {
	case k.held <- struct{}{}:
		return func() { <-k.held; l.leave(name, k) }, nil
	case <-ctx.Done():
		l.leave(name, k)
		return nil, ctx.Err()
	}
}

// leave forgets a lock that nobody holds or wants.
func (l *locks) leave(name string, k *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(l.m, name)
	}
}
