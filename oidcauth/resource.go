package oidcauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/seal"
	"github.com/signet-go/signet/session"
)

// A ResourceServer is an API that accepts access tokens (a resource server, RFC 6750): JWTs that it
// verifies with their issuer's keys (RFC 9068), and others that it introspects (RFC 7662), sent as
// Bearer or DPoP. Create it with NewResource. It is immutable, and safe for concurrent use.
//
// The result of checking a token is cached for at most a minute, in bounded memory and by the
// token's hash; its expiry, its proof and a guard's requirements are checked every time.
type ResourceServer struct {
	config  ResourceConfig
	log     *slog.Logger
	url     *url.URL
	issuers []*acceptedIssuer

	// asked is the one of issuers that is asked about tokens which are no JWTs; nil for none.
	asked *acceptedIssuer

	// seen are the verdicts on tokens that came before.
	seen access.Seen[*verdict]

	proofs *access.Proofs

	// flight joins the questions about one token, pauses space out what fails, and places bound how
	// many are open at once: anybody can make up tokens to ask about.
	flight pace.Flight[*verdict]
	pauses pace.Pauses
	places pace.Places
}

// An acceptedIssuer is one whose tokens a ResourceServer accepts.
type acceptedIssuer struct {
	issuers  provider.Issuers
	verifier *provider.Verifier
	rules    provider.AccessRules

	// endpoint asks in a client's name, within timeout; nil asks nothing.
	endpoint *oauth.Endpoint
	timeout  time.Duration
}

// A verdict is what was found out about a token. It is never changed.
type verdict struct {
	token  *provider.AccessToken
	caller *Caller

	// user is the caller as requirements see it, made when one asks.
	user func() *User

	// refused is why the token is none, nil for one that is good.
	refused error
}

// copied implements subject.
func (v *verdict) copied() *User { return v.user().clone() }

// NewResource makes a ResourceServer. It does no I/O. The error joins every mistake in c.
func NewResource(c ResourceConfig) (*ResourceServer, error) {
	c = c.withDefaults()
	ring, err := c.ring()
	if err := errors.Join(c.validate(), err); err != nil {
		return nil, err
	}
	r := &ResourceServer{config: c, log: c.Logger, places: pace.NewPlaces(maxPlaces)}
	r.url, _ = url.Parse(strings.TrimSuffix(c.URL, "/")) // validate has
	r.flight.Log = c.Logger
	for i := range c.Issuers {
		issuer := c.accepted(&c.Issuers[i])
		r.issuers = append(r.issuers, issuer)
		if issuer.endpoint != nil {
			r.asked = issuer
		}
	}
	if r.proofs, err = c.proofs(ring); err != nil {
		return nil, err
	}
	return r, nil
}

// accepted is i as a ResourceServer needs it.
func (c *ResourceConfig) accepted(i *TokenIssuer) *acceptedIssuer {
	rules := provider.AccessRules{Audience: c.Audience, AnyAudience: c.InsecureAnyAudience, Algs: c.SigningAlgs, IsClient: i.isClient}
	at := i.client(c)
	out := &acceptedIssuer{rules: rules, timeout: at.Timeout}
	var from *provider.Provider
	var endpoint *oauth.Endpoint
	if i.Auth != nil {
		from, endpoint, out.timeout = i.Auth.provider, i.Auth.endpoint, i.Auth.config.Timeout
	} else {
		client := outbound.NewClient(at.outbound())
		settings := at.providerVia(client)
		settings.MachinesOnly = true // nobody signs in here
		from = provider.New(settings)
		endpoint = at.endpointAt(from, client)
	}
	out.issuers = from.Issuers
	out.verifier = provider.NewVerifier(from, provider.VerifierSettings{Skew: c.Skew})
	if i.Introspect {
		out.endpoint = endpoint
	}
	return out
}

// proofs makes the judge of DPoP proofs: with ring where there is a Store, else with what the first
// Authenticator that has a Store shares, else with this process's memory.
func (c *ResourceConfig) proofs(ring *seal.Keyring) (*access.Proofs, error) {
	const purpose = "dpop proof"
	var s access.ProofSettings
	switch shared := c.sharedSessions(); {
	case ring != nil:
		s.Vault, s.Nonces = ring.Vault(c.Store, purpose), ring.Sealer(purpose)
	case shared != nil:
		m := inside.OfManager(shared)
		s.Vault, s.Nonces = m.Vault(purpose), m.Sealer(purpose)
	default:
		own, err := seal.NewKeyring([]string{session.NewKey()})
		if err != nil {
			return nil, err
		}
		s.Nonces = own.Sealer(purpose)
	}
	if !c.DPoPNonces {
		s.Nonces = nil
	}
	return access.NewProofs(s), nil
}

// sharedSessions is the manager of the first Authenticator that has a Store, or of the first one,
// whose keys at least are shared; nil without any.
func (c *ResourceConfig) sharedSessions() (m *session.Manager) {
	for i := range c.Issuers {
		auth := c.Issuers[i].Auth
		switch {
		case auth == nil:
		case auth.config.hasStore():
			return auth.sessions
		case m == nil:
			m = auth.sessions
		}
	}
	return m
}

// ErrUncheckable means that an access token may be valid but can't be checked here: its signature
// isn't by one of the issuer's published keys, it isn't a JWT and no issuer introspects, the issuer
// refuses the client that introspects, or it is bound to a certificate and TLS terminates
// elsewhere. It is in the chain of the *Problem that refuses the token.
var ErrUncheckable = errors.New("oidcauth: the access token can't be checked here")

// maxAccessToken bounds a token before anything is done with it. Servers on the way bound all
// headers together, mostly by 8 or 16 kB.
const maxAccessToken = 32 << 10

// verdictLife is how long a verdict serves, refusalLife that on a token that is none.
const (
	verdictLife = time.Minute
	refusalLife = 10 * time.Second
)

// verify finds out what a token is worth. The error is a *provider.TokenError when it is nothing,
// else it says why nobody knows.
func (r *ResourceServer) verify(ctx context.Context, token string) (*verdict, error) {
	if len(token) > maxAccessToken {
		return nil, provider.RefuseAccessToken(fmt.Errorf("expected a token of at most %d bytes, got %d", maxAccessToken, len(token)))
	}
	hash, now := access.Hash(token), time.Now()
	v, known := r.seen.Get(hash, now)
	var err error
	switch {
	case known:
	case isJWT(token):
		v, err = r.verifyJWT(ctx, hash, token)
	default:
		v, err = r.ask(ctx, hash, token)
	}
	if err != nil {
		return nil, err
	}
	if v.refused == nil && !v.token.Expiry.IsZero() && !now.Before(v.token.Expiry) {
		return nil, provider.RefuseAccessToken(errors.New("exp: expired since it was seen first"))
	}
	return v, v.refused
}

// isJWT tells a JWT from a token that only its issuer understands: three parts, of which the first
// is an object.
func isJWT(token string) bool {
	return strings.Count(token, ".") == 2 && jwt.BeginsObject(token)
}

// verifyJWT judges a JWT by the issuer that it names.
func (r *ResourceServer) verifyJWT(ctx context.Context, hash [32]byte, token string) (*verdict, error) {
	jws, err := jwt.Parse(token)
	if err != nil {
		return nil, provider.RefuseAccessToken(err)
	}
	iss, err := jws.Payload.Text("iss")
	if err != nil {
		return nil, provider.RefuseAccessToken(err)
	}
	for _, issuer := range r.issuers {
		if !issuer.issuers.Allow(iss) {
			continue
		}
		t, err := issuer.verifier.Access(ctx, jws, issuer.rules)
		if errors.Is(err, provider.ErrNoKey) {
			err = fmt.Errorf("%w: %w", ErrUncheckable, err)
		}
		if err != nil {
			return nil, err
		}
		return r.keep(hash, t, time.Now()), nil
	}
	return nil, provider.RefuseAccessToken(errors.New("iss: expected one of ResourceConfig.Issuers, got another"))
}

// keep remembers that a token was good at that time.
func (r *ResourceServer) keep(hash [32]byte, t *provider.AccessToken, then time.Time) *verdict {
	c := callerOf(t, r.config.RolesClaim)
	v := &verdict{token: t, caller: c, user: sync.OnceValue(func() *User { return c.user(t.Object) })}
	now := time.Now()
	life := then.Add(verdictLife).Sub(now)
	if !t.Expiry.IsZero() {
		life = min(life, t.Expiry.Sub(now))
	}
	r.seen.Put(hash, v, len(t.Claims)*2, now, life)
	return v
}

// MetadataPath is where clients look for the API's metadata (RFC 9728 §3.1), as this process's
// callers see it.
func (r *ResourceServer) MetadataPath() string { return metadataPath + r.url.EscapedPath() }

const metadataPath = "/.well-known/oauth-protected-resource"

// ServeMetadata responds with the API's metadata (RFC 9728 §2): its URL, the issuers whose tokens
// it accepts, how to send them, and ResourceConfig.ScopesSupported. They are public, and may be
// cached for an hour.
func (r *ResourceServer) ServeMetadata(w http.ResponseWriter, req *http.Request) {
	var issuers []string
	for _, i := range r.issuers {
		if !i.issuers.Many() {
			issuers = append(issuers, i.issuers.Configured)
		}
	}
	document := map[string]any{
		"resource": r.url.String(), "bearer_methods_supported": []string{"header"},
		"dpop_signing_alg_values_supported": jwt.SigningAlgs,
	}
	if len(issuers) > 0 {
		document["authorization_servers"] = issuers
	}
	if len(r.config.ScopesSupported) > 0 {
		document["scopes_supported"] = r.config.ScopesSupported
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Access-Control-Allow-Origin", "*") // for clients that run in a browser
	h.Set("X-Content-Type-Options", "nosniff")
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	_ = json.NewEncoder(w).Encode(document) // the client may be gone, and nothing is left to do then
}
