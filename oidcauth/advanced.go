package oidcauth

import (
	"crypto"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/provider"
)

// Advanced holds what high-security deployments demand.
type Advanced struct {
	// FAPI turns on what the FAPI 2.0 Security Profile requires: pushed requests, iss in every
	// authorization response, and DPoP unless ClientAuth has a Certificate, to which the provider
	// then binds the tokens if the client is registered that way. New refuses what the profile
	// forbids: a SigningAlg other than PS256, ES256 and EdDSA, clients that authenticate by
	// anything but tls_client_auth or private_key_jwt with one of these algorithms, and assertions
	// for an audience other than the issuer. It applies to Machines, too.
	FAPI bool

	// SignedRequests sends the authentication request as a JWT signed with ClientAuth.Key (RFC
	// 9101). Responses are signed if ResponseMode is QueryJWT or FormPostJWT.
	SignedRequests bool

	// DPoP binds tokens to the session's own ES256 key (RFC 9449), which is generated when a login
	// begins and kept in the session, sealed. Bearer tokens are then refused, and sessions without
	// a key, from before DPoP was turned on, need a new login. It applies to Machines, too, each
	// with its own key.
	DPoP bool

	// DecryptionKeys open encrypted ID tokens and userinfo, which must be signed inside: RSA keys
	// of at least 2,048 bits (RSA-OAEP-256) and keys on P-256, P-384 or P-521 (ECDH-ES). During a
	// rotation, list several; jwks.json publishes the public half of each. Nil refuses encrypted
	// tokens.
	DecryptionKeys []crypto.PrivateKey

	// ClaimsProviders are trusted to speak for some claims when the provider names them as a source
	// (aggregated and distributed claims, Core §5.6.2). Nil trusts none: no source is asked, and
	// none is believed.
	ClaimsProviders []ClaimsProvider
}

// A ClaimsProvider is the source of some claims about users in place of the OpenID provider, which
// names it as their source in an ID token or in userinfo: aggregated claims are included as a JWT,
// distributed ones are fetched (Core §5.6.2).
//
// Its claims are accepted only from a JWT that it has signed: iss is Issuer, alg is SigningAlg,
// aud, if present, has the client's ID, exp, nbf and iat are valid if present, and it is neither
// another kind of token nor encrypted. sub, if present, names the user at the claims provider; it
// is compared only if that is the OpenID provider itself. A claim is accepted only if both Claims
// and the OpenID provider attribute it to this claims provider. Claims are added to those of the ID
// token and userinfo and never replace them; one half of email and email_verified, or of
// phone_number and phone_number_verified, is not accepted if the other half comes from another
// party.
//
// Sources are asked once, at the login, together within Config.Timeout and at most eight for each
// document that names them. Calls use https, follow no redirect, and go only to public addresses:
// not to this machine, its network or any other special-purpose address. They use no proxy, because
// the address that a proxy connects to can't be checked from here. Plain http and loopback are for
// an Issuer on loopback, in development. A Config.HTTPClient whose Transport isn't an
// *http.Transport makes its own connections and has to observe these rules itself; if it reports
// its connections (net/http/httptrace), those to private addresses are closed unused.
//
// If a source fails, its claims are missing, with the log event "claim source refused", and the
// login continues: a guard that needs such a claim then refuses. So guard by claims that permit
// something, never by the absence of one that forbids it, and have Hooks.Login refuse logins that
// make no sense without the claim.
type ClaimsProvider struct {
	// Issuer is the iss of its JWTs, exactly.
	Issuer string

	// Claims are the names of the claims that it may speak for; there must be one. Claims of the
	// protocol, such as sub and acr, can't be among them. The roles claim (Config.RolesClaim) is
	// like any other: name it only if this claims provider may grant roles.
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

// fapiAlgs are the signature algorithms of the FAPI 2.0 Security Profile (§5.4.1): no PKCS #1 v1.5
// padding.
var fapiAlgs = []string{"PS256", "ES256", "EdDSA"}

// withFAPI returns c with what the FAPI 2.0 Security Profile demands turned on where c leaves it
// open: pushed requests (§5.3.3.2), and tokens that are bound to a key unless they are bound to the
// client's certificate (§5.3.2.1).
func (c Config) withFAPI() Config {
	if !c.Advanced.FAPI {
		return c
	}
	if c.PAR == PARAuto || c.PAR == PAROn {
		c.PAR = PARRequire
	}
	if c.ClientAuth.Certificate == nil {
		c.Advanced.DPoP = true
	}
	return c
}

// validateFAPI refuses what the profile forbids. What it demands of every client, such as PKCE with
// S256, never is otherwise.
func (c *Config) validateFAPI(wrong func(field, format string, args ...any)) {
	if !c.Advanced.FAPI {
		return
	}
	if c.PAR == PAROff {
		wrong("PAR", "Advanced.FAPI needs pushed requests: use PARRequire, or leave PAR empty")
	}
	if !slices.Contains(fapiAlgs, c.SigningAlg) {
		wrong("SigningAlg", "Advanced.FAPI accepts %s, one of them named explicitly, and not %q", strings.Join(fapiAlgs, ", "), c.SigningAlg)
	}
	if len(c.Tenants) > 0 {
		wrong("Tenants", "Advanced.FAPI needs one issuer, to which client assertions are addressed")
	}
	for i := range c.Advanced.ClaimsProviders {
		if p := &c.Advanced.ClaimsProviders[i]; !slices.Contains(fapiAlgs, p.alg()) {
			wrong(fmt.Sprintf("Advanced.ClaimsProviders[%d].SigningAlg", i), "Advanced.FAPI accepts %s, and not %q", strings.Join(fapiAlgs, ", "), p.alg())
		}
	}
	c.ClientAuth.validateFAPI("ClientAuth", c.Issuer, wrong)
	for _, name := range slices.Sorted(maps.Keys(c.Machines)) {
		m := c.Machines[name].within(c)
		auth, where := m.ClientAuth.withDefaults(m.ClientSecret), `Machines["`+name+`"].`
		auth.validateFAPI(where+"ClientAuth", m.Issuer, wrong)
		if !m.DPoP && auth.Certificate == nil {
			wrong(where+"DPoP", "Advanced.FAPI needs DPoP, or a certificate in ClientAuth, so that tokens are bound to their owner")
		}
	}
}

// validateFAPI holds §5.3.3.1: a confidential client with private_key_jwt or mutual TLS, and
// assertions for the issuer alone.
func (a *ClientAuth) validateFAPI(field, issuer string, wrong func(field, format string, args ...any)) {
	switch a.Method {
	case PrivateKeyJWT:
		if alg, err := jwt.SigningAlg(a.Key, a.Alg); err == nil && !slices.Contains(fapiAlgs, alg) {
			wrong(field, "Alg: Advanced.FAPI accepts %s, and not %q", strings.Join(fapiAlgs, ", "), alg)
		}
	case TLSClientAuth:
	default:
		wrong(field, "Advanced.FAPI needs private_key_jwt or tls_client_auth, and not %q: set Key, or Certificate", a.Method)
	}
	if a.Audience != "" && a.Audience != issuer {
		wrong(field, "Audience: Advanced.FAPI needs the issuer, which is what an empty one means, and not %q", a.Audience)
	}
}
