package access

import "time"

const (
	// confirmJitter is the part of its time, in percent, by which a confirmation is asked for
	// early, so that sessions which began together don't come together.
	confirmJitter = 10

	// leastGrace is how long a login goes on, at least, that can't be confirmed in an outage.
	leastGrace = 5 * time.Minute
)

// A Confirmation is how long a login goes on that the provider does not confirm.
type Confirmation struct {
	// After is how long it goes on at most; zero means for ever. Skew is by how much clocks may be
	// ahead: what one said that was counts for nothing.
	After, Skew time.Duration
}

// Last is when the provider last confirmed a login, in Unix milliseconds at hand: by the login, by
// a refresh that is noted, or by one that left a token with its time.
func (c Confirmation) Last(now time.Time, tokens Grants, noted ...int64) time.Time {
	latest, at := now.Add(c.Skew).UnixMilli(), int64(0)
	for _, ms := range noted {
		if ms <= latest {
			at = max(at, ms)
		}
	}
	for i := range tokens {
		if ms := tokens[i].Created; ms <= latest {
			at = max(at, ms)
		}
	}
	return time.UnixMilli(at)
}

// Due says when a login that was last confirmed at that time has to be confirmed again, and how
// long it goes on in an outage. The moment of the last confirmation makes the jitter: it is as good
// as random, and the same for all requests and processes.
func (c Confirmation) Due(last time.Time) (due, end time.Time) {
	jitter := time.Duration(float64(c.After) * confirmJitter / 100 * float64(last.UnixMilli()%64) / 64)
	return last.Add(c.After - jitter), last.Add(c.After + max(c.After, leastGrace))
}
