package settings

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"slices"
	"strings"

	"github.com/signet-go/signet/oidcauth"
)

// fapiAlgs are the signature algorithms of the FAPI 2.0 Security Profile (§5.4.1).
var fapiAlgs = []string{"PS256", "ES256", "EdDSA"}

// readAdvanced reads what banks demand.
func (c *Config) readAdvanced(e *env) {
	c.OIDC.Advanced = oidcauth.Advanced{
		FAPI:           e.flag("OIDC_FAPI", false),
		DPoP:           e.flag("OIDC_DPOP", false),
		DecryptionKeys: e.decryptionKeys("OIDC_DECRYPTION_KEY_FILE"),
		SignedRequests: e.flag("OIDC_SIGNED_REQUESTS", false),
	}
	if c.OIDC.Advanced.SignedRequests && e.getenv("OIDC_CLIENT_KEY_FILE") == "" {
		e.mistake("OIDC_SIGNED_REQUESTS", "needs OIDC_CLIENT_KEY_FILE, the key to sign with")
	}
}

// checkFAPI names the variables that the profile wants otherwise; the library, which decides, knows
// its own fields only.
func (c *Config) checkFAPI(e *env) {
	if !c.OIDC.Advanced.FAPI {
		return
	}
	want := "OIDC_FAPI wants one of " + strings.Join(fapiAlgs, ", ")
	if !slices.Contains(fapiAlgs, c.OIDC.SigningAlg) {
		e.mistake("OIDC_SIGNING_ALG", "%s, got %q", want, c.OIDC.SigningAlg)
	}
	if c.OIDC.PAR == oidcauth.PAROff {
		e.mistake("OIDC_PAR", "OIDC_FAPI wants pushed requests")
	}
	switch auth := c.OIDC.ClientAuth; auth.Method {
	case oidcauth.PrivateKeyJWT:
		if auth.Alg != "" && !slices.Contains(fapiAlgs, auth.Alg) {
			e.mistake("OIDC_CLIENT_KEY_ALG", "%s, got %q", want, auth.Alg)
		}
		if auth.Audience != "" && auth.Audience != c.OIDC.Issuer {
			e.mistake("OIDC_CLIENT_KEY_AUDIENCE", "OIDC_FAPI wants the issuer, which is the default, got %q", auth.Audience)
		}
	case oidcauth.TLSClientAuth:
	default:
		e.mistake("OIDC_CLIENT_AUTH", "OIDC_FAPI wants private_key_jwt (set OIDC_CLIENT_KEY_FILE) or tls_client_auth, got %q", auth.Method)
	}
}

// decryptionKeys reads a PEM private key; nil when the variable is unset or wrong.
func (e *env) decryptionKeys(name string) []crypto.PrivateKey {
	file, key := e.privateKey(name)
	if key == nil {
		return nil
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() >= 2048 {
			return []crypto.PrivateKey{key}
		}
	case *ecdsa.PrivateKey:
		if k.Curve.Params().BitSize >= 256 {
			return []crypto.PrivateKey{key}
		}
	}
	e.mistake(name, "%s: want an RSA key of at least 2048 bits, or one on P-256, P-384 or P-521", file)
	return nil
}
