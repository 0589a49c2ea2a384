package oidcauth

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/strictjson"
)

// The protocol layer has no exported surface of its own: tests reach it here.
type (
	ProtocolProvider   = provider.Provider
	ProtocolMetadata   = provider.Metadata
	ProtocolEndpoint   = oauth.Endpoint
	ProtocolVerifier   = provider.Verifier
	TokenAnswer        = oauth.TokenAnswer
	EndpointError      = oauth.Error
	TokenError         = provider.TokenError
	IDToken            = provider.IDToken
	LogoutToken        = provider.LogoutToken
	LoginExpectation   = provider.LoginExpectation
	RefreshExpectation = provider.RefreshExpectation
	Nonces             = oauth.Nonces
)

var (
	ParseTokenAnswer = oauth.ParseTokenAnswer
	ErrNoAuthTime    = provider.ErrNoAuthTime
	ErrOtherLogin    = provider.ErrOtherLogin
	ErrForged        = provider.ErrForged
)

const (
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
func NewEndpoint(c *Config, p *provider.Provider, client *http.Client) *oauth.Endpoint {
	return c.endpointAt(p, client)
}

// NewHTTPClient is the client for calls to the provider that c describes.
func NewHTTPClient(c *Config) *http.Client { return outbound.NewClient(c.outbound()) }

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
