package oidcauth

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/strictjson"
)

// The protocol layer has no exported surface of its own: tests reach it here.
type (
	ProtocolProvider   = provider.Provider
	ProtocolMetadata   = provider.Metadata
	ProtocolEndpoint   = endpoint
	ProtocolVerifier   = provider.Verifier
	TokenAnswer        = tokenAnswer
	EndpointError      = endpointError
	TokenError         = provider.TokenError
	IDToken            = provider.IDToken
	LogoutToken        = provider.LogoutToken
	LoginExpectation   = provider.LoginExpectation
	RefreshExpectation = provider.RefreshExpectation
	Nonces             = nonces
)

var (
	ParseTokenAnswer = parseTokenAnswer
	ErrNoAuthTime    = provider.ErrNoAuthTime
	ErrOtherLogin    = provider.ErrOtherLogin
	ErrForged        = provider.ErrForged
)

const (
	MaxNonces = maxNonces
	MaxPlaces = maxPlaces

	MaxClaimSources = provider.MaxClaimSources
)

// NewProtocolProvider is the provider that c describes.
func NewProtocolProvider(c *Config, client *http.Client) *provider.Provider {
	return provider.New(c.providerVia(client))
}

// NewVerifier is what verifies the tokens that p signs for the client that c describes.
func NewVerifier(c *Config, p *provider.Provider, _ *http.Client) *provider.Verifier {
	return provider.NewVerifier(p, c.verifier())
}

// NewEndpoint is the endpoint at p for the client that c describes.
func NewEndpoint(c *Config, p *provider.Provider, client *http.Client) *endpoint {
	return c.endpointAt(p, client)
}

// NewHTTPClient is the client for calls to the provider that c describes.
func NewHTTPClient(c *Config) *http.Client { return outbound.NewClient(c.outbound()) }

func (e *endpoint) Token(ctx context.Context, form url.Values) (*tokenAnswer, error) {
	return e.token(ctx, form)
}

func (e *endpoint) Push(ctx context.Context, params url.Values) (string, error) {
	pushed, err := e.push(ctx, params)
	return pushed.uri, err
}

func (e *endpoint) Revoke(ctx context.Context, token, hint string) error {
	return e.revoke(ctx, token, hint)
}

func (e *endpoint) Post(ctx context.Context, target string, form url.Values) (int, http.Header, []byte, error) {
	a, err := e.post(ctx, target, form)
	if err != nil {
		return 0, nil, nil, err
	}
	return a.status, a.header, a.body, nil
}

func (e *endpoint) Userinfo(ctx context.Context, t *tokenAnswer, subject string) (json.RawMessage, error) {
	return e.userinfo(ctx, t, subject)
}

// ParseKeySet reports how many keys of a set are used, and how many of them may verify alg with kid.
func ParseKeySet(document []byte, alg, kid string) (used, fitting int, faults []string, err error) {
	o, err := strictjson.Parse(document)
	if err != nil {
		return 0, 0, nil, err
	}
	keys, faults, err := jwt.ParseKeySet(o)
	for _, k := range keys {
		if k.Fits(alg, kid) {
			fitting++
		}
	}
	return len(keys), fitting, faults, err
}

// ParseMetadata reads metadata as those of a provider at which people sign in.
func ParseMetadata(document []byte, issuer string) (*provider.Metadata, error) {
	o, err := strictjson.Parse(document)
	if err != nil {
		return nil, err
	}
	m, err := provider.ParseMetadata(o, issuer)
	if err == nil {
		err = m.ServesLogins()
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// ParseObject returns the member names of a JSON object in their order.
func ParseObject(document []byte) ([]string, error) {
	o, err := strictjson.Parse(document)
	return o.Names, err
}

func ParseMembers(document []byte) (map[string]json.RawMessage, error) {
	o, err := strictjson.Parse(document)
	return o.Values, err
}

func (e *endpoint) Bind(key *jwt.ProofKey) *endpoint { return e.bind(key) }
func (e *endpoint) Nonces() *nonces                  { return e.nonces }

func (n *nonces) Len() int { return n.byServer.Len() }

func (n *nonces) Authorized(send func(*http.Request) (*http.Response, error), r *http.Request, key *jwt.ProofKey, token string) (*http.Response, error) {
	return n.authorized(send, r, key, token, new(retry))
}

// A ClaimSource is what parseClaimSources read.
type ClaimSource struct {
	Name                       string
	Claims                     []string
	JWT, Endpoint, AccessToken string
}

// ParseClaimSources reads the sources of all claims that are wanted.
func ParseClaimSources(document []byte, wanted func(string) bool) (sources []ClaimSource, err error) {
	found, err := provider.ParseClaimSources(document, wanted)
	for _, s := range found {
		sources = append(sources, ClaimSource{s.Name, s.Claims, s.JWT, s.Endpoint, s.AccessToken})
	}
	return sources, err
}

// Places are those of one kind of request that waits for the provider.
type Places = places

var NewPlaces = newPlaces

func (p places) Take(ctx context.Context, patience time.Duration) (func(), error) {
	return p.take(ctx, patience)
}

// ReadClaims runs everything that looks at an ID token's claims, without a signature.
func ReadClaims(v *provider.Verifier, payload []byte) (*provider.IDToken, error) {
	object, err := strictjson.Parse(payload)
	if err != nil {
		return nil, err
	}
	if err := claims.CheckNames(object); err != nil {
		return nil, err
	}
	return v.ReadIDToken(&jwt.JWS{Payload: object, Body: payload}, time.Minute)
}
