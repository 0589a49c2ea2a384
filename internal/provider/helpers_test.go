package provider_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/providertest"
)

type m = providertest.Object

const (
	issuer    = providertest.Issuer
	clientID  = providertest.ClientID
	discovery = providertest.Discovery

	// cheap is what a refusal may take on a busy machine.
	cheap = 20 * time.Second
)

// What the tests say often.
var (
	rsaKey, otherRSA, ecKey, edKey = providertest.RSAKey, providertest.OtherRSA, providertest.ECKey, providertest.EdKey

	header, nonce, claims      = providertest.Header, providertest.Nonce, providertest.Claims
	logoutHeader, logoutClaims = providertest.LogoutHeader, providertest.LogoutClaims

	jwkOf, with, sign, segment, writeJSON = providertest.JWK, providertest.With, providertest.Sign, providertest.Segment, providertest.WriteJSON

	bearer     = &oauth.TokenAnswer{AccessToken: "at-4711-of-alice", TokenType: "Bearer"}
	background = context.Background
)

func must[T any](v T, err error) T { return providertest.Must(v, err) }

func expectation() provider.LoginExpectation {
	return provider.LoginExpectation{Nonce: nonce, AccessToken: "at-1", Started: time.Now()}
}

func atHash(accessToken string) string {
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func requireTokenError(t *testing.T, err error) {
	t.Helper()
	var refused *provider.TokenError
	require.ErrorAs(t, err, &refused)
	require.NotEmpty(t, refused.Reason)
	require.Less(t, len(err.Error()), 400, "an error names the fault, it doesn't repeat the token")
}
