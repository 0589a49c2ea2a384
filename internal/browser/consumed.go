package browser

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/seal"
)

// ErrConsumedFull means that no more finished logins can be remembered, so that none may finish.
var ErrConsumedFull = errors.New("oidcauth: too many logins at once")

// consumed remembers the states of logins whose code is sent, so that each code is sent once: in
// this process, and in the Store where there is one. Anyone can make up codes, so those which the
// provider did not take give way when room is short: else strangers could fill the memory, and
// nobody would get in.
type consumed struct {
	vault *seal.Vault // nil without a Store

	mu     sync.Mutex
	life   time.Duration                   // longer than that of a login
	taken  expiring.Map[string, time.Time] // when each was taken
	failed expiring.Map[string, struct{}]  // no tokens came for them: when there is no room, the oldest goes
}

func newConsumed(s *Settings) *consumed {
	c := &consumed{life: s.Life + time.Minute, vault: s.Vault}
	c.taken.Limit, c.failed.Limit = s.Finished, s.Finished/4
	return c
}

// A Memory remembers which logins of one client finished. It may outlive its Logins, and be that of
// those that come in their place. It is safe for concurrent use.
type Memory struct{ consumed *consumed }

// NewMemory returns a Memory for Settings with this Life, Vault and Finished.
func NewMemory(life time.Duration, vault *seal.Vault, finished int) *Memory {
	return &Memory{newConsumed(&Settings{Life: life, Vault: vault, Finished: finished})}
}

// Clear gives room back. Nothing may have finished for longer than a login takes.
func (m *Memory) Clear() {
	c := m.consumed
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = expiring.Map[string, time.Time]{Limit: c.taken.Limit}
	c.failed = expiring.Map[string, struct{}]{Limit: c.failed.Limit}
}

// Cover makes m remember for as long as logins with this Life take, and no shorter than before.
func (m *Memory) Cover(life time.Duration) {
	c := m.consumed
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life = max(c.life, life+time.Minute)
}

// lives is for how long a state is remembered.
func (c *consumed) lives() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.life
}

// Take reports whether state is taken for the first time. With an error it is not taken, as far as
// this process knows.
func (c *consumed) take(ctx context.Context, state string) (bool, error) {
	first, err := c.takeLocal(state)
	if c.vault == nil || !first && err == nil {
		return first, err
	}
	// The Store knows all of them, also when there is no room here.
	first, err = c.vault.Add(ctx, state, []byte{1}, c.lives())
	if err != nil {
		c.forget(state)
	}
	return first, err
}

// forget undoes takeLocal.
func (c *consumed) forget(state string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken.Delete(state)
}

func (c *consumed) takeLocal(state string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.hasLocked(state, now) {
		return false, nil
	}
	if !c.taken.Fits(state, 1, now) {
		return false, ErrConsumedFull
	}
	c.taken.Put(state, now, 1, now, c.life)
	return true, nil
}

// knows reports whether this process has taken state.
func (c *consumed) knows(state string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hasLocked(state, time.Now())
}

// hasLocked is knows.
func (c *consumed) hasLocked(state string, now time.Time) bool {
	_, taken := c.taken.Get(state, now)
	_, failed := c.failed.Get(state, now)
	return taken || failed
}

// fail notes that no tokens came for the code of state. A code that the provider has refused is not
// kept from other processes: they would only be refused, too.
func (c *consumed) fail(ctx context.Context, state string, refused bool) {
	c.failLocal(state)
	if refused && c.vault != nil {
		_, _ = c.vault.Delete(ctx, state, nil) // it goes by itself after life
	}
}

func (c *consumed) failLocal(state string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if at, ok := c.taken.Get(state, now); ok {
		c.taken.Delete(state)
		c.failed.Put(state, struct{}{}, 1, now, c.life-now.Sub(at))
	}
}

// Take reports whether the callback of the login with this state comes for the first time, and
// remembers that it came. With an error it has not come, as far as this process knows.
func (l *Logins) Take(ctx context.Context, state string) (bool, error) {
	return l.consumed.take(ctx, state)
}

// Failed notes that no tokens came for the code of the login with this state; refused says that the
// provider did not take the code.
func (l *Logins) Failed(ctx context.Context, state string, refused bool) {
	l.consumed.fail(ctx, state, refused)
}
