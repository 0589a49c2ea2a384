package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"log/slog"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/seal"
)

// maxDeadGrants bounds the memory. Forgetting one early costs a request to the provider, which
// refuses it again.
const maxDeadGrants = 50_000

// DeadGrants remember refresh tokens that the provider refused for good, so that each is sent once,
// and their sessions count as signed out. Owner is whose token it is: a session's id.
//
// The mark is not put into the session: two processes without a common Store can't keep from
// refreshing at the same time, and the one that lost would overwrite the cookie with which the
// other one's session lives on. Here the mark is bound to the refused token, so that a newer one of
// the same owner is not hit. It is safe for concurrent use.
type DeadGrants struct {
	// vault tells other processes; nil without a Store.
	vault *seal.Vault

	log *slog.Logger
	mu  sync.RWMutex

	// byOwner holds the hash of the refused token of each owner, until the session's end, after
	// which nobody asks.
	byOwner expiring.Map[string, [sha256.Size]byte]
}

// NewDeadGrants returns an empty memory.
func NewDeadGrants(vault *seal.Vault, log *slog.Logger) *DeadGrants {
	d := &DeadGrants{vault: vault, log: log}
	d.byOwner.Limit = maxDeadGrants
	return d
}

// Knows reports whether a token of owner's was refused, as far as this process knows: it may have a
// newer one by now. It does no I/O, for guards ask it for every request.
func (d *DeadGrants) Knows(owner string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.byOwner.Len() == 0 {
		return false // as nearly always
	}
	_, ok := d.byOwner.Get(owner, time.Now())
	return ok
}

// Has reports whether owner's token was refused, as far as this process knows.
func (d *DeadGrants) Has(owner, token string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	dead, ok := d.byOwner.Get(owner, time.Now())
	if !ok {
		return false
	}
	// Another process may have got a newer token for the same owner.
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], dead[:]) == 1
}

// Add remembers for life that owner's token was refused, here and in the Store.
func (d *DeadGrants) Add(ctx context.Context, owner, token string, life time.Duration) {
	d.addLocal(owner, token, life)
	if d.vault == nil {
		return
	}
	if err := d.vault.Set(ctx, grantRow(owner, token), []byte("dead"), life); err != nil {
		d.log.LogAttrs(ctx, slog.LevelError, "store unavailable", slog.String("during", "refresh"), logtext.Reason(err))
	}
}

// addLocal is Add for this process alone.
func (d *DeadGrants) addLocal(owner, token string, life time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byOwner.Put(owner, sha256.Sum256([]byte(token)), 1, time.Now(), life)
}

// Elsewhere reports whether another process found owner's token refused, which is then remembered
// here for life. The Store's failure is no answer: the provider will give one.
func (d *DeadGrants) Elsewhere(ctx context.Context, owner, token string, life time.Duration) bool {
	if d.vault == nil {
		return false
	}
	rows, err := d.vault.Get(ctx, grantRow(owner, token))
	if err != nil || len(rows) != 1 || rows[0].Value == nil {
		return false
	}
	d.addLocal(owner, token, life)
	return true
}

// grantRow is the row of owner's token. The token itself is hashed.
func grantRow(owner, token string) string {
	sum := sha256.Sum256([]byte(token))
	return owner + "/" + base64.RawURLEncoding.EncodeToString(sum[:])
}
