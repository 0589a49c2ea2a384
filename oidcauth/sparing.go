package oidcauth

import (
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
)

const (
	// sparingPause is how long a line of a session is not logged again.
	sparingPause = time.Hour

	// maxSparing bounds the sessions that are remembered for that. Beyond, a line is logged more
	// often.
	maxSparing = 10_000
)

// sparing lets a log line through once a session and hour: what a provider does at every refresh is
// worth one line, not one for each. It is safe for concurrent use; the zero value is ready.
type sparing struct {
	mu sync.Mutex

	// told holds the sessions whose line was let through.
	told expiring.Map[string, struct{}]
}

// allow reports whether the line of session may be logged now.
func (s *sparing) allow(session string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if _, told := s.told.Get(session, now); told {
		return false
	}
	s.told.Limit = maxSparing
	s.told.Put(session, struct{}{}, 1, now, sparingPause)
	return true
}
