package access

import (
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/oauth"
)

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
