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
	"github.com/signet-go/signet/internal/oauth"
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

// maxDoubts bounds the memory. Forgetting one early costs a request to the provider.
const maxDoubts = 50_000

// Doubts remember refresh tokens of which the provider's answer does not tell whether they are
// still good: a refusal without a word, as some providers give for every dead token, and others
// while they are out of order; and tokens that were issued in an answer which can't be used, which
// with rotation leaves nothing. The second such answer decides. They are safe for concurrent use;
// the zero value is ready.
type Doubts struct {
	mu sync.Mutex

	// byToken holds what is in doubt, by grantRow, until the session's end.
	byToken expiring.Map[string, doubt]
}

// A doubt is the first answer to a refresh token that left it in doubt.
type doubt struct {
	// what it was, and since when.
	what  oauth.Failure
	since time.Time
}

// of returns the doubt about the token in row, if there is one.
func (d *Doubts) of(row string) (doubt, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byToken.Get(row, time.Now())
}

// raise notes the doubt about the token in row, for as long as its session lives.
func (d *Doubts) raise(row string, what oauth.Failure, life time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.byToken.Limit = maxDoubts
	d.byToken.Put(row, doubt{what, now}, 1, now, life)
}

// Drop forgets the doubt about owner's token.
func (d *Doubts) Drop(owner, token string) { d.drop(grantRow(owner, token)) }

func (d *Doubts) drop(row string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byToken.Delete(row)
}

// SilentSince returns since when owner's token is in doubt because it was refused without a word,
// and whether it is. Before it is sent again, somebody has to know whether the provider works
// otherwise.
func (d *Doubts) SilentSince(owner, token string) (since time.Time, silent bool) {
	known, ok := d.of(grantRow(owner, token))
	return known.since, ok && known.what == oauth.Silent
}

// Decides reports whether an answer that means what is the second that leaves owner's token in
// doubt, and so the last that it is sent for. The first is noted for life. answered reports whether
// the provider has answered somebody since.
func (d *Doubts) Decides(owner, token string, what oauth.Failure, life time.Duration, answered func(since time.Time) bool) bool {
	row := grantRow(owner, token)
	known, before := d.of(row)
	switch {
	case what != oauth.Silent && what != oauth.Unusable:
		if known.what == oauth.Silent { // the provider was out of order then, as it is now
			d.drop(row)
		}
		return false
	case before && known.what == oauth.Unusable:
		return true
	case before && what == oauth.Silent:
		return time.Since(known.since) >= oauth.SilentPause && answered(known.since)
	}
	d.raise(row, what, life)
	return false
}
