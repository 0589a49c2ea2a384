package oidcauth

import (
	"context"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/oauth"
)

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
