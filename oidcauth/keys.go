package oidcauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	keysTTL      = time.Hour      // how long a key set is used before it is fetched again
	keysStaleTTL = 24 * time.Hour // how long it still serves when it can't be
)

// A keySet holds the provider's signature keys. It is go-oidc's RemoteKeySet made patient: odd keys don't spoil a set,
// an outage doesn't forget it, and tokens with unknown keys, which anybody can send, can't make us hammer the provider.
// It is safe for concurrent use.
type keySet struct {
	provider *provider
	flight   singleflight.Group

	mu       sync.Mutex
	keys     []verificationKey
	uri      string
	fetched  time.Time // of the keys; zero: never
	attempts int       // fetches that have ended, well or not
	forced   bool      // a forced refetch is under way: join it, the brake has been asked
	retry    backoff
	lastErr  error
	brakes   map[purpose]*brake
}

// A purpose is what a token is for; each has a brake of its own, so that a flood of forged logout tokens, which need
// no login, never costs a real login its refetch.
type purpose string

const (
	forLogin  purpose = "login"
	forLogout purpose = "logout"
)

func newKeySet(p *provider) *keySet {
	return &keySet{provider: p, brakes: map[purpose]*brake{
		forLogin:  {burst: 5, interval: 10 * time.Second},
		forLogout: {burst: 5, interval: 10 * time.Second},
	}}
}

// errNoKey says that the provider's keys are known and none of them made the signature.
var errNoKey = errors.New("no key of the provider verifies the signature")

// verify returns the payload of a signed token, if a key of the provider made the signature. A token that no key
// verifies causes one refetch, when the brake allows it: the provider may have changed its keys a moment ago.
// owned says whether a key that is published for an issuer may sign. The error is errNoKey when the token is at fault and an *UnavailableError when the keys can't be had.
func (s *keySet) verify(ctx context.Context, jws *jose.JSONWebSignature, why purpose, owned func(issuer string) bool) ([]byte, error) {
	keys, seen, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	if payload, err := tryKeys(jws, keys, owned); err == nil {
		return payload, nil
	}
	keys, err = s.renewed(ctx, seen, why)
	if err != nil {
		return nil, err
	}
	return tryKeys(jws, keys, owned)
}

func tryKeys(jws *jose.JSONWebSignature, keys []verificationKey, owned func(issuer string) bool) ([]byte, error) {
	header := jws.Signatures[0].Header
	for _, k := range keys {
		if !k.fits(header.Algorithm, header.KeyID) || !owned(k.issuer) {
			continue
		}
		if payload, err := jws.Verify(k.key); err == nil {
			return payload, nil
		}
	}
	return nil, errNoKey
}

// current returns the keys, fetched first when they are older than keysTTL; attempt tells renewed what was seen.
func (s *keySet) current(ctx context.Context) (keys []verificationKey, attempt int, err error) {
	keys, attempt, fetch := s.look()
	if !fetch {
		return keys, attempt, s.mustHave(keys)
	}
	if keys != nil { // they serve still: don't let a hanging provider hold up everybody
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, stalePatience)
		defer cancel()
	}
	if err := s.fetch(ctx); err != nil && keys == nil {
		return nil, 0, err
	}
	keys, attempt, _ = s.look()
	return keys, attempt, s.mustHave(keys)
}

// look returns the keys that may serve now, nil when there are none, and whether to fetch them first: they are missing,
// old, or of another address than the metadata name now, and no back-off forbids it.
func (s *keySet) look() (keys []verificationKey, attempt int, fetch bool) {
	m := s.provider.peek()
	s.mu.Lock()
	defer s.mu.Unlock()
	age := time.Since(s.fetched)
	if age < keysStaleTTL {
		keys = s.keys
	}
	moved := m != nil && m.JWKSURI != s.uri
	return keys, s.attempts, (age >= keysTTL || moved) && s.retry.wait() == 0
}

func (s *keySet) mustHave(keys []verificationKey) error {
	if keys != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unavailable()
}

// renewed returns keys that were fetched after the attempt that the caller saw, if the brake allows it.
func (s *keySet) renewed(ctx context.Context, seen int, why purpose) ([]verificationKey, error) {
	if s.mayRefetch(seen, why) {
		if err := s.fetch(ctx); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastErr != nil { // an unknown key and no way to look: nobody can say that the token is wrong
		return nil, s.unavailable()
	}
	if s.attempts == seen {
		return nil, errNoKey
	}
	return s.keys, nil
}

func (s *keySet) mayRefetch(seen int, why purpose) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempts != seen {
		return false
	}
	s.forced = s.forced || s.brakes[why].allow()
	return s.forced
}

// fetch gets the key set once for all who wait, on a context that none of them can cancel. Its error is only ever that
// the caller's own wait ended; what the fetch brought is in the fields.
func (s *keySet) fetch(ctx context.Context) error {
	done := s.flight.DoChan("keys", func() (any, error) {
		s.store(s.download(context.WithoutCancel(ctx)))
		return nil, nil
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return &UnavailableError{RetryAfter: firstDelay, Err: ctx.Err()}
	}
}

// A download is what one fetch of the key set brought.
type download struct {
	keys []verificationKey
	uri  string
	err  error
}

func (s *keySet) download(ctx context.Context) download {
	ctx, cancel := context.WithTimeout(ctx, s.provider.limit)
	defer cancel()
	m, err := s.provider.metadata(ctx)
	if err != nil {
		return download{err: err}
	}
	document, err := getJSON(ctx, s.provider.client, m.JWKSURI)
	if err != nil {
		return download{err: err}
	}
	keys, faults, err := parseKeySet(document)
	if len(faults) > 0 {
		s.provider.log.WarnContext(ctx, "provider keys skipped", "issuer", s.provider.issuer, "faults", faults)
	}
	return download{keys: keys, uri: m.JWKSURI, err: err}
}

func (s *keySet) store(d download) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	s.forced = false
	s.lastErr = d.err
	if d.err != nil {
		s.retry.failed()
		s.provider.log.Warn("provider unavailable", "issuer", s.provider.issuer, "reason", "keys", "error", clip(d.err.Error(), maxLogged), "stale", s.keys != nil)
		return
	}
	s.retry.succeeded()
	s.keys, s.uri, s.fetched = d.keys, d.uri, time.Now()
}

// unavailable is called with the lock held.
func (s *keySet) unavailable() *UnavailableError {
	return &UnavailableError{RetryAfter: max(s.retry.wait(), firstDelay), Err: s.lastErr}
}
