package oidcauth_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// A probingHandler calls probe for each log line.
type probingHandler struct {
	slog.Handler
	probe func(message string)
}

func (h probingHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h probingHandler) Handle(_ context.Context, r slog.Record) error {
	h.probe(r.Message)
	return nil
}

// A log that is slow must not hold up those who need metadata or keys.
func TestNothingIsLoggedUnderALock(t *testing.T) {
	for _, path := range []string{discovery, "/jwks"} {
		t.Run(path, func(t *testing.T) {
			op := newFakeOP(t)
			op.handle(path, 500, "text/plain", "")
			var provider *oidcauth.ProtocolProvider
			lines := 0
			change := func(c *oidcauth.Config) {
				c.Logger = slog.New(probingHandler{slog.DiscardHandler, func(message string) {
					lines++
					require.Equal(t, "provider unavailable", message)
					require.False(t, provider.Locked())
				}})
			}
			c := op.config(change)
			client := oidcauth.NewHTTPClient(c)
			provider = oidcauth.NewProtocolProvider(c, client)
			_, err := oidcauth.NewVerifier(c, provider, client).Logout(t.Context(), sign(rsaKey(), logoutHeader, logoutClaims()))
			requireUnavailable(t, err)
			require.NotZero(t, lines)
		})
	}
}
