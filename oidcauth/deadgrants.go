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
	"github.com/signet-go/signet/internal/oauth"
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

const (
	// maxDoubts bounds the memory. Forgetting one early costs a request to the provider.
	maxDoubts = 50_000
)

// doubts remembers refresh tokens of which the provider's answer does not tell whether they are
// still good: a refusal without a word, as some providers give for every dead token, and others
// while they are out of order; and tokens that were issued in an answer which can't be used, which
// with rotation leaves nothing. The second such answer decides. It is safe for concurrent use.
type doubts struct {
	mu sync.Mutex

	// byToken holds what is in doubt, by deadRow, until the session's end.
	byToken expiring.Map[string, doubt]
}

// A doubt is the first answer to a refresh token that left it in doubt.
type doubt struct {
	// what it was, and since when.
	what  oauth.Failure
	since time.Time
}

// of returns the doubt about the token in row, if there is one.
func (d *doubts) of(row string) (doubt, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byToken.Get(row, time.Now())
}

// raise notes the doubt about the token in row, for as long as its session lives.
func (d *doubts) raise(row string, what oauth.Failure, life time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.byToken.Limit = maxDoubts
	d.byToken.Put(row, doubt{what, now}, 1, now, life)
}

// drop forgets the doubt about the token in row.
func (d *doubts) drop(row string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byToken.Delete(row)
}

// inquire makes sure, before a token is sent again that was refused without a word, that somebody
// knows whether the provider works otherwise.
func (r *attempt) inquire(ctx context.Context) {
	if d, ok := r.doubts.of(deadRow(r.session, r.spent)); ok && d.what == oauth.Silent {
		r.auth.provider.Inquire(ctx, d.since)
	}
}

// isDoubted reports whether err is the second answer that leaves the refresh token in doubt, and so
// the last that it is sent for. The first is noted. Answers about an extra, a resource or scope,
// may be meant for that.
func (r *attempt) isDoubted(err error) bool {
	what, _, ok := oauth.FailureOf(err)
	if !ok || r.name != "" {
		return false
	}
	row := deadRow(r.session, r.spent)
	d, before := r.doubts.of(row)
	switch {
	case what != oauth.Silent && what != oauth.Unusable:
		if d.what == oauth.Silent { // the provider was out of order then, as it is now
			r.doubts.drop(row)
		}
		return false
	case before && d.what == oauth.Unusable:
		return true
	case before && what == oauth.Silent:
		return time.Since(d.since) >= oauth.SilentPause && r.auth.provider.AnsweredSince(d.since)
	}
	r.doubts.raise(row, what, time.Until(r.session.Deadline()))
	return false
}
