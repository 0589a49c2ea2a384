package oidcauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/seal"
)

// maxConsumed bounds the memory of finished logins. Where there is no Store, logins that finish faster than that within their
// lifetime are refused: forgetting one early would let its callback be replayed.
const maxConsumed = 200_000

var errConsumedFull = errors.New("oidcauth: too many logins at once")

// consumed remembers the states of logins whose code is sent, so that each code is sent once: in this process, and in the
// Store where there is one. Everybody can make up codes, so that those which the provider did not take give way when room is
// short: else strangers could fill the memory, and nobody would get in.
type consumed struct {
	life  time.Duration
	vault *seal.Vault // nil without a Store

	mu     sync.Mutex
	max    int
	until  map[string]time.Time
	failed map[string]time.Time // no tokens came for them: a quarter of max, then any one goes
	swept  time.Time
}

func newConsumed(life time.Duration, vault *seal.Vault) *consumed {
	return &consumed{life: life, vault: vault, max: maxConsumed, until: map[string]time.Time{}, failed: map[string]time.Time{}}
}

// take reports whether state is taken for the first time. With an error it is not taken, as far as this process knows.
func (c *consumed) take(ctx context.Context, state string) (bool, error) {
	first, err := c.takeLocal(state)
	if c.vault == nil || !first && err == nil {
		return first, err
	}
	// The Store knows all of them, also when there is no room here.
	first, err = c.vault.Add(ctx, state, []byte{1}, c.life+time.Minute)
	if err != nil {
		c.forget(state)
	}
	return first, err
}

// forget undoes takeLocal.
func (c *consumed) forget(state string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.until, state)
}

func (c *consumed) takeLocal(state string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.sweep(now)
	if now.Before(c.until[state]) || now.Before(c.failed[state]) {
		return false, nil
	}
	if len(c.until) >= c.max {
		return false, errConsumedFull
	}
	c.until[state] = now.Add(c.life + time.Minute)
	return true, nil
}

// fail notes that err came for the code of state. A code that the provider has refused is not kept from other processes: they
// would only be refused, too.
func (c *consumed) fail(ctx context.Context, state string, err error) {
	c.failLocal(state)
	if refused, ok := errors.AsType[*endpointError](err); ok && refused.Code == "invalid_grant" && c.vault != nil {
		_, _ = c.vault.Delete(ctx, state, nil) // it goes by itself after life
	}
}

func (c *consumed) failLocal(state string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end, ok := c.until[state]
	if !ok {
		return
	}
	delete(c.until, state)
	for other := range c.failed {
		if len(c.failed) < c.max/4 {
			break
		}
		delete(c.failed, other)
	}
	c.failed[state] = end
}

// sweep drops what is over, once a minute.
func (c *consumed) sweep(now time.Time) {
	if now.Sub(c.swept) < time.Minute {
		return
	}
	c.swept = now
	for _, states := range []map[string]time.Time{c.until, c.failed} {
		for state, end := range states {
			if now.After(end) {
				delete(states, state)
			}
		}
	}
}
