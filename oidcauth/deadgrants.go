package oidcauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"log/slog"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/seal"
	"github.com/signet-go/signet/session"
)

// maxDeadGrants bounds the memory. Forgetting one early costs a request to the provider, which
// refuses it again.
const maxDeadGrants = 50_000

// deadGrants remembers refresh tokens that the provider refused for good, so that each is sent
// once, and their sessions count as signed out.
//
// The mark is not put into the session: two processes without a common Store can't keep from
// refreshing at the same time, and the one that lost would overwrite the cookie with which the
// other one's session lives on. Here the mark is bound to the refused token, so that a newer one in
// the same session is not hit.
type deadGrants struct {
	// vault tells other processes; nil without a Store.
	vault *seal.Vault

	mu sync.RWMutex

	// bySession holds the hash of the refused token of each session ID, until the session's end,
	// after which nobody asks.
	bySession expiring.Map[string, [sha256.Size]byte]
}

// newDeadGrants returns an empty memory.
func newDeadGrants(vault *seal.Vault) *deadGrants {
	d := &deadGrants{vault: vault}
	d.bySession.Limit = maxDeadGrants
	return d
}

// stops reports whether s holds a refresh token that was refused, and then keeps the response from
// moving the idle limit of its cookie, over which another process may have set a newer one.
func (d *deadGrants) stops(s *session.Session) bool {
	dead := d.known(s)
	if dead {
		inside.OfSession(s).LeaveCookie()
	}
	return dead
}

// known reports whether s holds a refresh token that was refused, as far as this process knows. It
// does no I/O, for guards ask it for every request.
func (d *deadGrants) known(s *session.Session) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.bySession.Len() == 0 {
		return false // as nearly always
	}
	dead, ok := d.bySession.Get(s.ID(), time.Now())
	if !ok {
		return false
	}
	// Another process may have got a newer token for the same session.
	token, _ := s.Token(refreshTokenName)
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], dead[:]) == 1
}

// add remembers that token of s was refused, here and in the Store.
func (d *deadGrants) add(ctx context.Context, log *slog.Logger, s *session.Session, token string) {
	d.addLocal(s, token)
	if d.vault == nil {
		return
	}
	if err := d.vault.Set(ctx, deadRow(s, token), []byte("dead"), time.Until(s.Deadline())); err != nil {
		log.LogAttrs(ctx, slog.LevelError, "store unavailable", slog.String("during", "refresh"), logtext.Reason(err))
	}
}

// addLocal is add for this process alone.
func (d *deadGrants) addLocal(s *session.Session, token string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bySession.Put(s.ID(), sha256.Sum256([]byte(token)), 1, time.Now(), time.Until(s.Deadline()))
}

// elsewhere reports whether another process found token refused. The Store's failure is no answer:
// the provider will give one.
func (d *deadGrants) elsewhere(ctx context.Context, s *session.Session, token string) bool {
	if d.vault == nil {
		return false
	}
	rows, err := d.vault.Get(ctx, deadRow(s, token))
	if err != nil || len(rows) != 1 || rows[0].Value == nil {
		return false
	}
	d.addLocal(s, token)
	return true
}

// deadRow is the vault's row for a token of s. The token itself is hashed.
func deadRow(s *session.Session, token string) string {
	sum := sha256.Sum256([]byte(token))
	return s.ID() + "/" + base64.RawURLEncoding.EncodeToString(sum[:])
}
