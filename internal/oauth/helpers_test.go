package oauth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/providertest"
)

type m = providertest.Object

const (
	issuer    = providertest.Issuer
	clientID  = providertest.ClientID
	discovery = providertest.Discovery

	clientSecretPost = oauth.Method("client_secret_post")
	publicClient     = oauth.Method("none")
	privateKeyJWT    = oauth.Method("private_key_jwt")
	tlsClientAuth    = oauth.Method("tls_client_auth")
)

// What the tests say often.
var (
	rsaKey, otherRSA, ecKey, edKey = providertest.RSAKey, providertest.OtherRSA, providertest.ECKey, providertest.EdKey

	header, claims             = providertest.Header, providertest.Claims
	logoutHeader, logoutClaims = providertest.LogoutHeader, providertest.LogoutClaims

	jwkOf, with, sign, segment = providertest.JWK, providertest.With, providertest.Sign, providertest.Segment
	verifyAssertion, proofOf   = providertest.VerifyAssertion, providertest.ProofOf

	background = context.Background
)

func must[T any](v T, err error) T { return providertest.Must(v, err) }

func requireTokenError(t *testing.T, err error) {
	t.Helper()
	var refused *provider.TokenError
	require.ErrorAs(t, err, &refused)
	require.NotEmpty(t, refused.Reason)
	require.Less(t, len(err.Error()), 400, "an error names the fault, it doesn't repeat the token")
}

func requireUnavailable(t *testing.T, err error) {
	t.Helper()
	var unavailable *pace.Outage
	require.ErrorAs(t, err, &unavailable)
	require.Error(t, unavailable.Err)
	require.GreaterOrEqual(t, unavailable.RetryAfter, time.Second)
	require.LessOrEqual(t, unavailable.RetryAfter, time.Minute)
}

func proofKey(t *testing.T) *jwt.ProofKey {
	t.Helper()
	key, err := jwt.NewProofKey()
	require.NoError(t, err)
	return key
}
