package oidcauth

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/logtext"
)

// revokeTimeout bounds how long a logout waits for tokens to be revoked.
const revokeTimeout = 3 * time.Second

// revokeTokens tells the provider that tokens are of no more use (RFC 7009), so
// that nobody else finds one: the refresh token and the access tokens at the same
// time, each once, as far as they can be revoked within revokeTimeout. Failures are
// logged, and stop nothing. It does nothing where the provider has no endpoint for
// it or Config.KeepTokensAtLogout is set.
func (a *Authenticator) revokeTokens(ctx context.Context, refreshToken string, accessTokens ...string) {
	if a.config.KeepTokensAtLogout {
		return
	}
	// The browser that signs out may be gone before the provider has answered.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	var all sync.WaitGroup
	revoke := func(token, kind string) {
		if token == "" {
			return
		}
		all.Go(func() {
			if err := a.endpoint.revoke(ctx, token, kind); err != nil {
				a.log.LogAttrs(ctx, slog.LevelWarn, "token not revoked", slog.String("issuer", a.config.Issuer), slog.String("kind", kind), logtext.Reason(err))
			}
		})
	}
	revoke(refreshToken, "refresh_token")
	for _, token := range accessTokens {
		revoke(token, "access_token")
	}
	all.Wait()
}
