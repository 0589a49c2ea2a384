package browser

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// A pending cookie is a transaction of this browser, as the request brought it.
type pending struct {
	name  string
	size  int
	began int64 // 0 when it can't be read any more
}

// pending lists the request's transaction cookies, newest first.
func (l *Logins) pending(r *http.Request) []pending {
	var list []pending
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, l.prefix()) {
			continue
		}
		p := pending{name: c.Name, size: len(c.Name) + len(c.Value)}
		if len(list) < maxTransactionScan {
			if t, err := l.decode(c.Name, c.Value); err == nil && !l.Expired(t) {
				p.began = t.Began
			}
		}
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(x, y pending) int { return cmp.Compare(y.began, x.began) })
	return list
}

// room returns how many bytes the request's living transactions leave.
func (l *Logins) room(r *http.Request) int {
	room := maxTransactionBytes
	for i, p := range l.pending(r) {
		if p.began > 0 && i < maxTransactions-1 {
			room -= p.size
		}
	}
	return room
}

// trim expires the request's transactions that are dead, or too many together with a new one of
// size bytes.
func (l *Logins) trim(w http.ResponseWriter, r *http.Request, size int) {
	room, expired := maxTransactionBytes-size, 0
	for i, p := range l.pending(r) {
		room -= p.size
		if (p.began == 0 || i >= maxTransactions-1 || room < 0) && expired < maxTransactionScan {
			l.drop(w, p.name)
			expired++
		}
	}
}
