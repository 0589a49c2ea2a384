package oidcauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/seal"
)

// maxConsumed bounds the memory of finished logins. Logins that finish faster than that within their lifetime are refused:
// forgetting one early would let its callback be replayed.
const maxConsumed = 200_000

var errConsumedFull = errors.New("oidcauth: too many logins at once")

// consumed remembers the states of logins whose callback was accepted, so that each code is sent once: in this process, and
// in the Store where there is one.
type consumed struct {
	life  time.Duration
	vault *seal.Vault // nil without a Store

	mu    sync.Mutex
	until map[string]time.Time
	swept time.Time
}

func newConsumed(life time.Duration, vault *seal.Vault) *consumed {
	return &consumed{life: life, vault: vault, until: map[string]time.Time{}}
}

// take reports whether state is taken for the first time. With an error it is not taken, as far as this process knows.
func (c *consumed) take(ctx context.Context, state string) (bool, error) {
	if first, err := c.takeLocal(state); !first || err != nil || c.vault == nil {
		return first, err
	}
	first, err := c.vault.Add(ctx, state, []byte{1}, c.life+time.Minute)
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
	if end, ok := c.until[state]; ok && now.Before(end) {
		return false, nil
	}
	if len(c.until) >= maxConsumed {
		return false, errConsumedFull
	}
	c.until[state] = now.Add(c.life + time.Minute)
	return true, nil
}

// sweep drops what is over, once a minute.
func (c *consumed) sweep(now time.Time) {
	if now.Sub(c.swept) < time.Minute {
		return
	}
	c.swept = now
	for state, end := range c.until {
		if now.After(end) {
			delete(c.until, state)
		}
	}
}
