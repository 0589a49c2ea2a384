package oidcauth

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/provider"
)

const (
	// revokeTimeout bounds how long a logout waits for tokens to be revoked, and
	// refreshRevokeTimeout how much of it the refresh token may take.
	revokeTimeout        = 3 * time.Second
	refreshRevokeTimeout = 2 * time.Second
)

// A tokenSet is what a login brought that the provider can take back: key is what the tokens are
// bound to, nil for Bearer tokens.
type tokenSet struct {
	refresh string
	access  []string
	key     *jwt.ProofKey
}

// tokensOf returns those of t.
func tokensOf(t *oauth.TokenAnswer, key *jwt.ProofKey) tokenSet {
	return tokenSet{refresh: t.RefreshToken, access: []string{t.AccessToken}, key: key}
}

// revokeTokens tells the provider that tokens are of no more use (RFC 7009), so that nobody else
// finds one, each once, as far as they can be revoked within revokeTimeout. Failures are logged,
// and stop nothing. It does nothing where the provider has no endpoint for it, or not for us, or
// Config.KeepTokensAtLogout is set.
//
// The refresh token comes first: many providers take the access tokens of its grant with it, and
// some then call those unknown, which is no failure any more.
func (a *core) revokeTokens(ctx context.Context, t tokenSet) {
	if a.config.KeepTokensAtLogout {
		return
	}
	// The browser that signs out may be gone before the provider has answered.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	if !a.mayRevoke(ctx) {
		return
	}
	level := slog.LevelWarn
	if t.refresh != "" {
		first, cancel := context.WithTimeout(ctx, refreshRevokeTimeout)
		if a.revoke(first, t.key, t.refresh, "refresh_token", slog.LevelWarn) {
			level = slog.LevelDebug
		}
		cancel()
	}
	var all sync.WaitGroup
	for _, token := range t.access {
		if token != "" {
			all.Go(func() { a.revoke(ctx, t.key, token, "access_token", level) })
		}
	}
	all.Wait()
}

// mayRevoke reports whether the provider takes tokens back from clients that authenticate as we do.
func (a *core) mayRevoke(ctx context.Context) bool {
	m, err := a.provider.Metadata(ctx)
	if err != nil {
		a.log.LogAttrs(ctx, slog.LevelWarn, "token not revoked", slog.String("issuer", a.config.Issuer), logtext.Reason(err))
		return false
	}
	method := a.config.ClientAuth.Method
	if m.RevocationEndpoint != "" && provider.LacksAuthMethod(m.RevocationAuthMethods, string(method)) {
		a.log.LogAttrs(ctx, slog.LevelInfo, "tokens left to expire", slog.String("issuer", a.config.Issuer),
			slog.String("method", string(method)), slog.Any("supported", m.RevocationAuthMethods))
		return false
	}
	return m.RevocationEndpoint != ""
}

// revoke takes back one token, logs a failure at level, and reports success.
func (a *core) revoke(ctx context.Context, key *jwt.ProofKey, token, kind string, level slog.Level) bool {
	err := a.endpoint.Bind(key).Revoke(ctx, token, kind)
	if err != nil {
		a.log.LogAttrs(ctx, level, "token not revoked", slog.String("issuer", a.config.Issuer), slog.String("kind", kind), logtext.Reason(err))
	}
	return err == nil
}
