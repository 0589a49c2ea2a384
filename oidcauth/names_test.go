package oidcauth_test

import (
	"crypto"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/providertest"
	"github.com/signet-go/signet/oidcauth"
)

type m = providertest.Object

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// What the tests say often.
var (
	rsaKey, otherRSA, ecKey, edKey = providertest.RSAKey, providertest.OtherRSA, providertest.ECKey, providertest.EdKey

	verifyAssertion, proofOf, newCertificate = providertest.VerifyAssertion, providertest.ProofOf, providertest.Certificate

	waysOut = providertest.WaysOut
)

func must[T any](v T, err error) T { return providertest.Must(v, err) }

func proofKey(t *testing.T) *jwt.ProofKey {
	t.Helper()
	key, err := jwt.NewProofKey()
	require.NoError(t, err)
	return key
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func decrypting(keys ...crypto.PrivateKey) func(*oidcauth.Config) {
	return func(c *oidcauth.Config) { c.Advanced.DecryptionKeys = keys }
}
