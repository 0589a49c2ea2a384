package pace

import (
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
)

const (
	// sparingPause is how long a key is not let through again.
	sparingPause = time.Hour

	// maxSparing bounds the keys that are remembered for that. Beyond, one is let through more
	// often.
	maxSparing = 10_000
)

// Sparing lets a log line through once a key and hour: what a provider does at every refresh of a
// session is worth one line, not one for each. It is safe for concurrent use; the zero value is
// ready.
type Sparing struct {
	mu sync.Mutex

	// told holds the keys whose line was let through.
	told expiring.Map[string, struct{}]
}

// Allow reports whether the line of key may be logged now.
func (s *Sparing) Allow(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if _, told := s.told.Get(key, now); told {
		return false
	}
	s.told.Limit = maxSparing
	s.told.Put(key, struct{}{}, 1, now, sparingPause)
	return true
}
