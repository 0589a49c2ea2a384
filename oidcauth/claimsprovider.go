package oidcauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/provider"
)

// A ClaimsProvider speaks for some claims about users in place of the OpenID provider, which names
// it as their source in an ID token or in userinfo: aggregated claims come along as a JWT,
// distributed ones are fetched (Core §5.6.2).
//
// What it says is believed in a JWT only that it has signed: iss is Issuer, alg is SigningAlg, aud,
// when there, has the client's ID, exp, nbf and iat, when there, hold, and it is no other kind of
// token and not encrypted. sub, when there, names the user at the claims provider; it is compared
// only where that is the OpenID provider itself. Of the claims in it those are taken that Claims
// and the OpenID provider both name for it. They stand beside what ID token and userinfo say and
// never replace it; one half of email and email_verified, or of phone_number and
// phone_number_verified, is not taken when the other half is somebody else's.
//
// Sources are asked once, at the login, together within Config.Timeout and at most eight for each
// document that names them. Calls are over https, follow no redirect, and go to no private address:
// not to this machine, its network, or what else is not public. They are dialled without a proxy,
// whose choice of an address nobody here could check. Plain http and loopback are for an Issuer on
// loopback, in development. A Config.HTTPClient whose Transport is no *http.Transport dials by
// itself, and has to keep to that by itself; where it tells of its connections
// (net/http/httptrace), those to private addresses are closed unused.
//
// A source that fails leaves its claims out, with the log event "claim source refused", and the
// login goes on: a guard that needs such a claim then refuses. So guard by claims that permit
// something, never by the absence of one that forbids it, and let Hooks.Login refuse where a login
// without the claim is none.
type ClaimsProvider struct {
	// Issuer is the iss of its JWTs, exactly.
	Issuer string

	// Claims are the names of the claims that it may speak for; there must be one. Claims of the
	// protocol, such as sub and acr, can't be among them. The claim that has the roles
	// (Config.RolesClaim) is like any other: name it only if this claims provider may hand out
	// roles.
	Claims []string

	// SigningAlg is the one accepted algorithm of its JWTs. Empty means RS256.
	SigningAlg string

	// JWKSURL has its keys. Empty means the jwks_uri in the metadata of Issuer, if it is an OpenID
	// provider (Discovery §4).
	JWKSURL string

	// Origins lists where its claims endpoints are ("https://claims.example.com"); a source
	// anywhere else is not asked. Empty means the origin of Issuer.
	Origins []string
}

// alg returns SigningAlg with its default.
func (p *ClaimsProvider) alg() string {
	if p.SigningAlg == "" {
		return "RS256"
	}
	return p.SigningAlg
}

// validateClaimsProviders reports every mistake in Advanced.ClaimsProviders.
func (c *Config) validateClaimsProviders(wrong func(field, format string, args ...any)) {
	seen := map[string]bool{}
	for i := range c.Advanced.ClaimsProviders {
		p := &c.Advanced.ClaimsProviders[i]
		field := fmt.Sprintf("Advanced.ClaimsProviders[%d].", i)
		if seen[p.Issuer] {
			wrong(field+"Issuer", "%q is there twice", p.Issuer)
		}
		seen[p.Issuer] = true
		p.validate(field, wrong)
	}
}

func (p *ClaimsProvider) validate(where string, wrong func(field, format string, args ...any)) {
	if err := p.checkIssuer(); err != nil {
		wrong(where+"Issuer", "%v", err)
		return // the other URLs are judged by it
	}
	if len(p.Claims) == 0 {
		wrong(where+"Claims", "is empty; name the claims that %q may speak for", p.Issuer)
	}
	for _, name := range p.Claims {
		if name == "" || claims.FoldsTo(name) != "" {
			wrong(where+"Claims", "%q is a claim of the protocol, which only the OpenID provider speaks for", name)
		}
	}
	if !slices.Contains(jwt.SigningAlgs, p.alg()) {
		wrong(where+"SigningAlg", "%q is not one of %s", p.SigningAlg, strings.Join(jwt.SigningAlgs, ", "))
	}
	if p.JWKSURL != "" {
		if err := p.checkURL(p.JWKSURL); err != nil {
			wrong(where+"JWKSURL", "%v", err)
		}
	}
	for _, origin := range p.Origins {
		err := checkOrigin(origin)
		if err == nil {
			err = p.checkURL(origin)
		}
		if err != nil {
			wrong(where+"Origins", "%q: %v", origin, err)
		}
	}
}

func (p *ClaimsProvider) checkIssuer() error {
	if err := checkIssuerURL(p.Issuer); err != nil {
		return err
	}
	if (provider.Issuers{Configured: p.Issuer}).Many() {
		return errors.New("expected one issuer, got a template of many")
	}
	return p.checkURL(p.Issuer)
}

// checkURL accepts what may be called in the claims provider's name.
func (p *ClaimsProvider) checkURL(target string) error {
	if err := outbound.CheckEndpoint(p.Issuer, target); err != nil {
		return err
	}
	return outbound.ReachOf(p.Issuer).CheckHost(outbound.IssuerHost(target))
}

// newClaimSources makes c's claims providers ready for its client and OpenID provider.
func newClaimSources(c *Config) *provider.ClaimSources {
	s := &provider.ClaimSources{Limit: c.Timeout, Log: c.Logger, Refused: c.logRefusedSource}
	for i := range c.Advanced.ClaimsProviders {
		s.Trusted = append(s.Trusted, newTrustedSource(c, &c.Advanced.ClaimsProviders[i]))
	}
	return s
}

func newTrustedSource(c *Config, p *ClaimsProvider) *provider.TrustedSource {
	client := outbound.NewPublicClient(c.outbound(), outbound.ReachOf(p.Issuer))
	known := provider.New(provider.Settings{Issuer: p.Issuer, Client: client, Timeout: c.Timeout, MaxAge: c.DiscoveryMaxAge, Log: c.Logger})
	if p.JWKSURL != "" {
		known.Believe(&provider.Metadata{Issuer: p.Issuer, JWKSURI: p.JWKSURL})
	}
	origins := p.Origins
	if len(origins) == 0 {
		origins = []string{p.Issuer}
	}
	at := access.NewAPIs("Advanced.ClaimsProviders", origins)
	return &provider.TrustedSource{
		Issuer: p.Issuer, Claims: slices.Clone(p.Claims),
		Verifier:    provider.NewVerifier(known, provider.VerifierSettings{ClientID: c.ClientID, Alg: p.alg(), Skew: c.Skew}),
		SameSubject: provider.Issuers{Configured: c.Issuer, Tenants: c.Tenants}.Allow(p.Issuer),
		At:          func(u *url.URL) bool { return at.Check(u) == nil },
		Fetch:       (&claimsEndpoints{issuer: p.Issuer, client: client}).fetch,
	}
}

// logRefusedSource tells the log of a source whose claims are left out.
func (c *Config) logRefusedSource(ctx context.Context, source string, err error) {
	if level, ok := endedEarly(ctx, err); ok {
		c.Logger.LogAttrs(ctx, level, "request ended early", slog.String("issuer", c.Issuer), logtext.Reason(err))
		return
	}
	c.Logger.LogAttrs(ctx, slog.LevelWarn, "claim source refused", slog.String("issuer", c.Issuer),
		slog.String("source", strings.Trim(logtext.Quote(source), `"`)), logtext.Reason(err))
}

// claimsEndpoints are the endpoints of one claims provider. It is safe for concurrent use.
type claimsEndpoints struct {
	issuer string
	client *http.Client

	// pauses leave them alone for a while when one did not answer, so that an outage doesn't delay
	// every login.
	pauses pace.Pauses
}

// fetch asks an endpoint of the claims provider, which the caller has found among its origins, and
// returns the JWT that it answers. The access token goes there and nowhere else (RFC 6750 §2.1).
func (p *claimsEndpoints) fetch(ctx context.Context, target *url.URL, accessToken string) (string, error) {
	if err := p.pauses.Check(p.issuer); err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return "", errors.New("endpoint: expected a URL that can be called")
	}
	req.Header.Set("Accept", "application/jwt")
	if accessToken != "" {
		req.Header.Set("Authorization", "Bearer "+accessToken)
	}
	a, err := new(oauth.Endpoint).Do("claims", req, []string{accessToken}, p.client.Do)
	if failed, ok := errors.AsType[*oauth.Error](err); ok && failed.Status == 0 {
		_ = p.pauses.Failed(p.issuer, p.issuer, err) // err says more
		return "", err
	}
	p.pauses.Succeeded(p.issuer) // whatever it answered: one user's error is not everybody's
	if err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(a.Body)), nil
}
