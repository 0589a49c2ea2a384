package oidcauth

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/signet-go/signet/internal/jwt"
)

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
