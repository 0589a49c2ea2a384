package providertest

import (
	"cmp"
	"crypto"
	"log/slog"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/provider"
)

// A Config is what a client knows of its provider and of itself, as oidcauth hands it down.
type Config struct {
	Issuer          string
	Tenants         []string
	ClientID        string
	ClientSecret    string
	SigningAlg      string
	Skew            time.Duration
	Timeout         time.Duration
	DiscoveryMaxAge time.Duration
	DecryptionKeys  []crypto.PrivateKey
	Logger          *slog.Logger
	HTTPClient      *http.Client

	// ClientAuth needs the fields that are not above, and Method only where it is not
	// client_secret_basic.
	ClientAuth oauth.Client
}

// Config returns the configuration of a client of op.
func (op *OP) Config(change ...func(*Config)) *Config {
	c := &Config{
		Issuer:          Issuer,
		ClientID:        ClientID,
		ClientSecret:    "secret-of-the-shop",
		SigningAlg:      "RS256",
		Skew:            time.Minute,
		Timeout:         10 * time.Second,
		DiscoveryMaxAge: 24 * time.Hour,
		Logger:          slog.New(slog.NewTextHandler(&lockedWriter{mu: &op.mu, w: &op.log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		HTTPClient:      &http.Client{Transport: op},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

// Client returns the client for calls to the provider.
func (c *Config) Client() *http.Client {
	return outbound.NewClient(outbound.Settings{Base: c.HTTPClient, Certificate: c.ClientAuth.Certificate, Timeout: c.Timeout})
}

// Provider returns the provider, as client sees it.
func (c *Config) Provider(client *http.Client) *provider.Provider {
	return provider.New(provider.Settings{
		Issuer: c.Issuer, Tenants: c.Tenants, Client: client, Timeout: c.Timeout, MaxAge: c.DiscoveryMaxAge, Log: c.Logger, ResponseMode: "query",
	})
}

// Verifier returns what verifies the tokens that p signs.
func (c *Config) Verifier(p *provider.Provider) *provider.Verifier {
	return provider.NewVerifier(p, provider.VerifierSettings{ClientID: c.ClientID, Alg: c.SigningAlg, Skew: c.Skew, Decryption: c.DecryptionKeys})
}

// Endpoint returns the endpoint at p.
func (c *Config) Endpoint(p *provider.Provider, client *http.Client) *oauth.Endpoint {
	auth := c.ClientAuth
	auth.ClientID, auth.Issuer, auth.Secret, auth.Log = c.ClientID, c.Issuer, c.ClientSecret, c.Logger
	auth.Method = cmp.Or(auth.Method, "client_secret_basic")
	return oauth.NewEndpoint(p, c.Verifier(p), client, auth)
}

// Provider returns op as its client sees it.
func (op *OP) Provider(change ...func(*Config)) *provider.Provider {
	c := op.Config(change...)
	return c.Provider(c.Client())
}

// Verifier returns what verifies op's tokens.
func (op *OP) Verifier(change ...func(*Config)) *provider.Verifier {
	c := op.Config(change...)
	return c.Verifier(c.Provider(c.Client()))
}

// Endpoint returns op's endpoints.
func (op *OP) Endpoint(change ...func(*Config)) *oauth.Endpoint {
	c := op.Config(change...)
	client := c.Client()
	return c.Endpoint(c.Provider(client), client)
}
