package devprovider

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/oidcauth"
)

// newClient registers the app: one client for users and machine, with the authentication that the
// configuration says.
//
// Its redirect URI is the one exact address that the app sends: the library compares texts (RFC
// 9700 §2.1).
func newClient(c App) *goidc.Client {
	client := &goidc.Client{
		ID: c.OIDC.ClientID, Secret: c.OIDC.ClientSecret,
		ClientMeta: goidc.ClientMeta{
			Name:                   "signet example",
			RedirectURIs:           []string{c.OIDC.RedirectURL},
			PostLogoutRedirectURIs: []string{c.PostLogoutURI},
			GrantTypes:             []goidc.GrantType{goidc.GrantAuthorizationCode, goidc.GrantRefreshToken, goidc.GrantClientCredentials},
			ResponseTypes:          []goidc.ResponseType{goidc.ResponseTypeCode},
			ScopeIDs:               strings.Join(c.Scopes, " "),
			TokenAuthnMethod:       goidc.AuthnMethod(c.OIDC.ClientAuth.Method),
		},
	}
	if key := c.OIDC.ClientAuth.Key; key != nil {
		client.JWKS = &goidc.JSONWebKeySet{Keys: []goidc.JSONWebKey{clientJWK(c.OIDC.ClientAuth)}}
	}
	return client
}

// clientJWK is the public half of the client's key, for the provider to know it by.
func clientJWK(auth oidcauth.ClientAuth) goidc.JSONWebKey {
	alg := auth.Alg
	if alg == "" {
		alg = settings.AlgsOf(auth.Key)[0]
	}
	return goidc.JSONWebKey{Key: auth.Key.Public(), KeyID: auth.KeyID, Algorithm: alg, Use: "sig"}
}

// newKeys makes a fresh signing key for alg.
//
// The key lives as long as the process. Sessions of an earlier run meet a new key and a new issuer,
// and so start over.
func newKeys(alg goidc.SignatureAlgorithm) (goidc.JWKSFunc, error) {
	key, err := newSigningKey(alg)
	if err != nil {
		return nil, err
	}
	jwk := goidc.JSONWebKey{Key: key, KeyID: rand.Text()[:8], Algorithm: string(alg), Use: "sig"}
	return func(context.Context) (goidc.JSONWebKeySet, error) {
		return goidc.JSONWebKeySet{Keys: []goidc.JSONWebKey{jwk}}, nil
	}, nil
}

// newSigningKey makes the kind of key that alg needs (RFC 7518 §3.1, RFC 8037), of the size that
// providers use.
func newSigningKey(alg goidc.SignatureAlgorithm) (crypto.Signer, error) {
	switch alg {
	case goidc.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case goidc.ES384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case goidc.ES512:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case jose.EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case goidc.RS256, goidc.RS384, goidc.RS512, goidc.PS256, goidc.PS384, goidc.PS512:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, errors.New("no key for " + string(alg))
}
