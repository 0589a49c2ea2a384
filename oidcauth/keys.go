package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/outbound"
)

const (
	keysTTL      = time.Hour      // how long a key set is used before it is fetched again
	keysStaleTTL = 24 * time.Hour // how long it still serves when it can't be
)

// A keySet holds the provider's signature keys. It is go-oidc's RemoteKeySet
// made patient: odd keys don't spoil a set, an outage doesn't forget it, and
// tokens with unknown keys, which anybody can send, can't make us hammer the
// provider. It is safe for concurrent use.
type keySet struct {
	provider *provider

	// flight makes one fetch out of many callers.
	flight singleflight.Group

	// mu guards what follows.
	mu sync.Mutex

	// keys are those of the last good fetch, which came from uri at fetched.
	// They are replaced, never changed.
	keys    []jwt.Key
	uri     string
	fetched time.Time

	// attempts counts the fetches that have ended, well or not: whoever saw
	// fewer need not ask for another one.
	attempts int

	// forced says that a refetch for an unknown key is under way: others join
	// it, for the brake has been asked already.
	forced bool

	// retry spaces out fetches that fail; lastErr is why the latest one failed,
	// nil when it succeeded.
	retry   backoff
	lastErr error

	// brakes bound the refetches that tokens can cause, by their purpose.
	brakes map[purpose]*brake
}

// A purpose is what a token is for; each has a brake of its own, so that a
// flood of forged logout tokens, which need no login, never costs a real login
// its refetch.
type purpose string

const (
	forLogin    purpose = "login"
	forRefresh  purpose = "refresh" // a key set that lags behind must not cost logins their refetch
	forLogout   purpose = "logout"
	forResponse purpose = "response" // JARM: whoever starts a login can send one
)

// newKeySet returns an empty set: the first token that needs a key fetches it.
func newKeySet(p *provider) *keySet {
	s := &keySet{provider: p, brakes: map[purpose]*brake{}}
	for _, why := range []purpose{forLogin, forRefresh, forLogout, forResponse} {
		s.brakes[why] = &brake{burst: 5, interval: brakeInterval}
	}
	return s
}

// brakeInterval is how often tokens can cause a refetch in the long run.
const brakeInterval = 10 * time.Second

// errBraked says that no key verifies the signature, and that nobody may look for
// a new one just now.
var errBraked = errors.New("no known key verifies the signature, and the keys were fetched too often to look again")

// errNoKey says that the provider's keys are known and none of them made the
// signature.
var errNoKey = errors.New("no key of the provider verifies the signature")

// errUnknownKey is an errNoKey whose token names a key that is not among them, or
// none.
var errUnknownKey = fmt.Errorf("%w, and it names none that is published", errNoKey)

// verify returns the payload of a signed token, if a key of the provider made
// the signature; owned says whether a key that is published for an issuer may
// have. The keys that the token's kid names are tried first. A token that no key verifies causes one refetch, when the brake allows
// it: the provider may have changed its keys a moment ago. The error is errNoKey
// when the token is at fault and an *UnavailableError when the keys can't be
// had.
func (s *keySet) verify(ctx context.Context, jws *jose.JSONWebSignature, why purpose, owned func(issuer string) bool) ([]byte, error) {
	keys, seen, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	candidates := candidatesFor(jws, keys, owned)
	if payload, err := tryKeys(jws, candidates.named); err == nil {
		return payload, nil
	}
	// Anybody can send a logout token: the brake comes before further work for it.
	if why != forLogout {
		if payload, err := tryKeys(jws, candidates.others); err == nil {
			return payload, nil
		}
	}
	fresh, err := s.renewed(ctx, seen, why)
	if errors.Is(err, errBraked) {
		return nil, candidates.braked(why)
	}
	if err != nil {
		return nil, err
	}
	candidates = candidatesFor(jws, fresh, owned)
	payload, err := tryKeys(jws, append(candidates.named, candidates.others...))
	if err != nil && !publishes(fresh, jws.Signatures[0].Header.KeyID) {
		err = errUnknownKey
	}
	return payload, err
}

// publishes reports whether one of keys has this kid.
func publishes(keys []jwt.Key, kid string) bool {
	return kid != "" && slices.ContainsFunc(keys, func(k jwt.Key) bool { return k.Named(kid) })
}

// maxOtherKeys bounds how many keys are tried that a token doesn't name.
const maxOtherKeys = 8

// candidates are the keys that may have made a signature.
type candidates struct {
	// named have the token's kid, or no kid is there to compare: kids are neither
	// unique nor always there. Their number is bounded by maxKeys.
	named []jwt.Key

	// others have another kid and are right in all else. The kid is a hint (RFC 7515
	// §4.1.4), and some providers go on to give that of a key which they no longer
	// sign with.
	others []jwt.Key
}

// candidatesFor finds the keys that may have signed jws; owned says whether one
// that is published for an issuer may have.
func candidatesFor(jws *jose.JSONWebSignature, keys []jwt.Key, owned func(issuer string) bool) (c candidates) {
	header := jws.Signatures[0].Header
	for _, k := range keys {
		switch {
		case !k.Fits(header.Algorithm, "") || !owned(k.Issuer):
		case k.Fits(header.Algorithm, header.KeyID):
			c.named = append(c.named, k)
		case len(c.others) < maxOtherKeys:
			c.others = append(c.others, k)
		}
	}
	return c
}

// braked is the verdict on a token that no key verifies while nobody may look
// for new ones: strangers press the brake with forged tokens. Somebody who signs
// in can do so again, so his token is refused; a logout token that is refused
// never comes again, so one that a key may have signed which was not tried has to
// wait.
func (c candidates) braked(why purpose) error {
	judged := len(c.named) > 0 && len(c.others) == 0
	if why != forRefresh && (judged || why != forLogout) {
		return errNoKey
	}
	return &UnavailableError{RetryAfter: brakeInterval, Err: errBraked}
}

// tryKeys verifies with each of these keys.
func tryKeys(jws *jose.JSONWebSignature, keys []jwt.Key) ([]byte, error) {
	for _, k := range keys {
		if payload, err := jws.Verify(k.Public); err == nil {
			return payload, nil
		}
	}
	return nil, errNoKey
}

// dropped reports whether the provider has taken the key with this kid out of its
// set since issued: the set that is held, if any, was fetched after that, and no
// key of it fits. Nothing is fetched.
func (s *keySet) dropped(alg, kid string, issued time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys != nil && s.fetched.After(issued) && !slices.ContainsFunc(s.keys, func(k jwt.Key) bool { return k.Fits(alg, kid) })
}

// current returns the keys, fetched first when they are older than keysTTL;
// attempt tells renewed what was seen.
func (s *keySet) current(ctx context.Context) (keys []jwt.Key, attempt int, err error) {
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

// look returns the keys that may serve now, nil when there are none, and
// whether to fetch them first: they are missing, old, or of another address
// than the metadata name now, and no back-off forbids it.
func (s *keySet) look() (keys []jwt.Key, attempt int, fetch bool) {
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

// mustHave turns missing keys into the error that says when to ask again.
func (s *keySet) mustHave(keys []jwt.Key) error {
	if keys != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unavailable()
}

// renewed returns keys that were fetched after the attempt that the caller saw,
// if the brake allows it.
func (s *keySet) renewed(ctx context.Context, seen int, why purpose) ([]jwt.Key, error) {
	if s.mayRefetch(seen, why) {
		if err := s.fetch(ctx); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastErr != nil {
		// An unknown key and no way to look for it: nobody can say that the
		// token is wrong, so the provider is asked to send it again, or the
		// user to try again.
		return nil, s.unavailable()
	}
	if s.attempts == seen {
		return nil, errBraked
	}
	return s.keys, nil
}

// mayRefetch asks the brake once per fetch, not once per caller: fifty logins
// that meet a new key at the same moment are one reason to look, and all of
// them may wait for the answer.
func (s *keySet) mayRefetch(seen int, why purpose) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempts != seen {
		return false
	}
	s.forced = s.forced || s.brakes[why].allow()
	return s.forced
}

// fetch gets the key set once for all who wait, on a context that none of them
// can cancel. Its error is only ever that the caller's own wait ended; what the
// fetch brought is in the fields.
func (s *keySet) fetch(ctx context.Context) error {
	done := s.flight.DoChan("keys", func() (any, error) {
		d := s.download(context.WithoutCancel(ctx))
		if stale := s.store(d); d.err != nil { // logged without the lock, which every login waits for
			s.provider.log.Warn("provider unavailable", "issuer", s.provider.issuer, "reason", "keys", "error", logtext.Clip(d.err.Error(), logtext.Max), "stale", stale)
		}
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
	keys []jwt.Key
	uri  string
	err  error
}

// download fetches and parses the key set, bounded like any call to the
// provider. It holds no lock.
func (s *keySet) download(ctx context.Context) download {
	ctx, cancel := context.WithTimeout(ctx, s.provider.limit)
	defer cancel()
	m, err := s.provider.metadata(ctx)
	if err != nil {
		return download{err: err}
	}
	document, err := outbound.GetJSON(ctx, s.provider.client, m.JWKSURI)
	if err != nil {
		return download{err: err}
	}
	keys, faults, err := jwt.ParseKeySet(document)
	if len(faults) > 0 {
		s.provider.log.WarnContext(ctx, "provider keys skipped", "issuer", s.provider.issuer, "faults", faults)
	}
	return download{keys: keys, uri: m.JWKSURI, err: err}
}

// store keeps what a download brought. A failed one leaves the keys alone; stale reports whether there are any.
func (s *keySet) store(d download) (stale bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	s.forced = false
	s.lastErr = d.err
	if d.err != nil {
		s.retry.failed()
		return s.keys != nil
	}
	s.retry.succeeded()
	s.keys, s.uri, s.fetched = d.keys, d.uri, time.Now()
	s.provider.hasAnswered()
	return false
}

// unavailable is called with the lock held.
func (s *keySet) unavailable() *UnavailableError {
	return &UnavailableError{RetryAfter: max(s.retry.wait(), firstDelay), Err: s.lastErr}
}
