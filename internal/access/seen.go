package access

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
)

// Seen remembers for a while what was found out about tokens that came before, by their hash. Its
// memory is bounded: where there is no room, what ends first gives way. It decides nothing: whether
// a token is still good, its reader looks each time. It is safe for concurrent use.
type Seen[V any] struct {
	mu    sync.RWMutex
	known expiring.Map[[sha256.Size]byte, V]
}

// maxSeen bounds the memory of one Seen, in bytes.
const maxSeen = 8 << 20

// seenOverhead is what an entry takes in addition to its content.
const seenOverhead = 512

// Hash is by which a token is known.
func Hash(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// Get returns what is known of the token with this hash.
func (s *Seen[V]) Get(hash [sha256.Size]byte, now time.Time) (V, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.known.Get(hash, now)
}

// Put keeps v, which takes about size bytes, for so long.
func (s *Seen[V]) Put(hash [sha256.Size]byte, v V, size int, now time.Time, life time.Duration) {
	if life <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.Limit = maxSeen
	s.known.Put(hash, v, size+seenOverhead, now, life)
}
