package pace

import (
	"fmt"
	"time"
)

// An Outage is something of a provider's that can't be had just now. It says nothing about the
// user.
type Outage struct {
	// RetryAfter is how long to wait before asking again makes sense, at least one second.
	RetryAfter time.Duration

	// Err is the cause.
	Err error
}

// NewOutage returns an Outage that is worth a wait of at least a second.
func NewOutage(wait time.Duration, cause error) *Outage {
	return &Outage{RetryAfter: max(wait, FirstDelay), Err: cause}
}

// Error names the cause.
func (e *Outage) Error() string { return fmt.Sprintf("oidcauth: provider unavailable: %v", e.Err) }

// Unwrap returns the cause.
func (e *Outage) Unwrap() error { return e.Err }
