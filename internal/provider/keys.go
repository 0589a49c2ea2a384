package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/pace"
)

const (
	keysTTL      = time.Hour      // how long a key set is used before it is fetched again
	keysStaleTTL = 24 * time.Hour // how long it still serves when it can't be
)

// A keySet holds the provider's signature keys. It is go-oidc's RemoteKeySet made patient: odd keys
// don't spoil a set, an outage doesn't forget it, and tokens with unknown keys, which anybody can
// send, can't make us hammer the provider. It is safe for concurrent use.
type keySet struct {
	provider *Provider

	// document is the published set.
	document pace.Document[publishedKeys]

	// brakes bound the refetches that tokens can cause, by their purpose. The document asks them
	// under its lock.
	brakes map[purpose]*pace.Brake
}

// publishedKeys are a key set and its address. They are never changed.
type publishedKeys struct {
	keys []jwt.Key
	uri  string
}

// A purpose is what a token is for; each has a brake of its own, so that a flood of forged logout
// tokens, which need no login, never costs a real login its refetch.
type purpose string

const (
	forLogin    purpose = "login"
	forRefresh  purpose = "refresh" // a key set that lags behind must not cost logins their refetch
	forLogout   purpose = "logout"
	forResponse purpose = "response" // JARM: whoever starts a login can send one
	forAccess   purpose = "access"   // tokens of callers, which strangers can make up
)

// newKeySet returns an empty set: the first token that needs a key fetches it.
func newKeySet(p *Provider) *keySet {
	s := &keySet{provider: p, brakes: map[purpose]*pace.Brake{}}
	for _, why := range []purpose{forLogin, forRefresh, forLogout, forResponse, forAccess} {
		s.brakes[why] = &pace.Brake{Burst: 5, Interval: brakeInterval}
	}
	s.document = pace.Document[publishedKeys]{
		Fetch: s.download, Limit: p.limit, MaxAge: keysTTL, MaxStale: keysStaleTTL, Superseded: s.moved, Failed: s.failed, Log: p.log,
	}
	return s
}

// brakeInterval is how often tokens can cause a refetch in the long run.
const brakeInterval = 10 * time.Second

// errBraked says that no key verifies the signature, and that nobody may look for a new one just
// now.
var errBraked = errors.New("no known key verifies the signature, and the keys were fetched too recently to fetch them again")

// errNoKey says that the provider's keys are known and none of them made the signature.
var errNoKey = errors.New("none of the provider's keys verifies the signature")

// errUnknownKey is an errNoKey whose token names a key that is not among them, or none.
var errUnknownKey = fmt.Errorf("%w, and it names a key that isn't published", errNoKey)

// verify returns the payload of a signed token, if a key of the provider made the signature; owned
// says whether a key that is published for an issuer may have. The keys that the token's kid names
// are tried first. A token that no key verifies causes one refetch, when the brake allows it: the
// provider may have changed its keys a moment ago. The error is errNoKey when the token is at fault
// and an *pace.Outage when the keys can't be had.
func (s *keySet) verify(ctx context.Context, jws *jose.JSONWebSignature, why purpose, owned func(issuer string) bool) ([]byte, error) {
	published, seen, err := s.document.Get(ctx)
	if err != nil {
		return nil, err
	}
	candidates := candidatesFor(jws, published.keys, owned)
	if payload, err := tryKeys(jws, candidates.named); err == nil {
		return payload, nil
	}
	// Anybody can send a logout token: the brake comes before further work for it.
	if why != forLogout {
		if payload, err := tryKeys(jws, candidates.others); err == nil {
			return payload, nil
		}
	}
	published, err = s.document.Again(ctx, seen, s.brakes[why].Allow)
	if errors.Is(err, pace.ErrBraked) {
		return nil, candidates.braked(why)
	}
	if err != nil {
		return nil, err
	}
	candidates = candidatesFor(jws, published.keys, owned)
	payload, err := tryKeys(jws, append(candidates.named, candidates.others...))
	if err != nil && !publishes(published.keys, jws.Signatures[0].Header.KeyID) {
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
	// named have the token's kid, or no kid is there to compare: kids are neither unique nor always
	// there. Their number is bounded by maxKeys.
	named []jwt.Key

	// others have another kid and are right in all else. The kid is a hint (RFC 7515 §4.1.4), and
	// some providers go on to give that of a key which they no longer sign with.
	others []jwt.Key
}

// candidatesFor finds the keys that may have signed jws; owned says whether one that is published
// for an issuer may have.
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

// braked is the verdict on a token that no key verifies while nobody may look for new ones:
// strangers press the brake with forged tokens. Somebody who signs in can do so again, so his token
// is refused; a logout token that is refused never comes again, so one that a key may have signed
// which was not tried has to wait.
func (c candidates) braked(why purpose) error {
	judged := len(c.named) > 0 && len(c.others) == 0
	if why != forRefresh && (judged || why != forLogout) {
		return errNoKey
	}
	return pace.NewOutage(brakeInterval, errBraked)
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

// dropped reports whether the provider has taken the key with this kid out of its set since issued:
// the set that is held, if any, was fetched after that, and no key of it fits. Nothing is fetched.
func (s *keySet) dropped(alg, kid string, issued time.Time) bool {
	published, known := s.document.Peek()
	fetched, _ := s.document.Fetched()
	return known && fetched.After(issued) && !slices.ContainsFunc(published.keys, func(k jwt.Key) bool { return k.Fits(alg, kid) })
}

// moved reports whether the metadata name another address now.
func (s *keySet) moved(published publishedKeys) bool {
	m := s.provider.Peek()
	return m != nil && m.JWKSURI != published.uri
}

// download fetches and parses the key set.
func (s *keySet) download(ctx context.Context) (publishedKeys, error) {
	m, err := s.provider.Metadata(ctx)
	if err != nil {
		return publishedKeys{}, err
	}
	document, err := outbound.GetJSON(ctx, s.provider.client, m.JWKSURI)
	if err != nil {
		return publishedKeys{}, err
	}
	keys, faults, err := jwt.ParseKeySet(document)
	if len(faults) > 0 {
		s.provider.log.WarnContext(ctx, "provider keys skipped", "issuer", s.provider.issuer, "faults", faults)
	}
	return publishedKeys{keys: keys, uri: m.JWKSURI}, err
}

// failed logs a fetch that failed.
func (s *keySet) failed(ctx context.Context, err error, stale bool) {
	s.provider.log.WarnContext(ctx, "provider unavailable", "issuer", s.provider.issuer, "reason", "keys", "error", logtext.Clip(err.Error(), logtext.Max), "stale", stale)
}
