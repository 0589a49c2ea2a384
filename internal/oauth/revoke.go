package oauth

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/provider"
)

const (
	// revokeTimeout bounds how long a logout waits for tokens to be revoked, and
	// refreshRevokeTimeout how much of it the refresh token may take.
	revokeTimeout        = 3 * time.Second
	refreshRevokeTimeout = 2 * time.Second
)

// revocation is the name of the endpoint whose 200 is a success whatever the body says (RFC 7009
// §2.2): an unknown token needs no revoking.
const revocation = "revocation"

// A TokenSet is what a login brought that the provider can take back; Key is what the tokens are
// bound to, nil for Bearer tokens.
type TokenSet struct {
	Refresh string
	Access  []string
	Key     *jwt.ProofKey
}

// Set returns the tokens of t, which are bound to key.
func (t *TokenAnswer) Set(key *jwt.ProofKey) TokenSet {
	return TokenSet{Refresh: t.RefreshToken, Access: []string{t.AccessToken}, Key: key}
}

// RevokeAll tells the provider that tokens are of no more use (RFC 7009), so that nobody else finds
// one, each once, as far as they can be revoked within a few seconds. ctx gives values, not an end:
// the browser that signs out may be gone before the provider has answered. Failures are logged, and
// stop nothing. It does nothing where the provider has no endpoint for it, or not for this client.
//
// The refresh token comes first: many providers take the access tokens of its grant with it, and
// some then call those unknown, which is no failure any more.
func (e *Endpoint) RevokeAll(ctx context.Context, t TokenSet) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	if !e.mayRevoke(ctx) {
		return
	}
	bound, level := e.Bind(t.Key), slog.LevelWarn
	if t.Refresh != "" {
		first, cancel := context.WithTimeout(ctx, refreshRevokeTimeout)
		if bound.revokeLogged(first, t.Refresh, "refresh_token", slog.LevelWarn) {
			level = slog.LevelDebug
		}
		cancel()
	}
	var all sync.WaitGroup
	for _, token := range t.Access {
		if token != "" {
			all.Go(func() { bound.revokeLogged(ctx, token, "access_token", level) })
		}
	}
	all.Wait()
}

// mayRevoke reports whether the provider takes tokens back from clients that authenticate as we do.
func (e *Endpoint) mayRevoke(ctx context.Context) bool {
	m, err := e.provider.Metadata(ctx)
	if err != nil {
		e.auth.Log.LogAttrs(ctx, slog.LevelWarn, "token not revoked", slog.String("issuer", e.auth.Issuer), logtext.Reason(err))
		return false
	}
	method := string(e.auth.Method)
	if m.RevocationEndpoint != "" && provider.LacksAuthMethod(m.RevocationAuthMethods, method) {
		e.auth.Log.LogAttrs(ctx, slog.LevelInfo, "tokens left to expire", slog.String("issuer", e.auth.Issuer),
			slog.String("method", method), slog.Any("supported", m.RevocationAuthMethods))
		return false
	}
	return m.RevocationEndpoint != ""
}

// revokeLogged takes back one token, logs a failure at level, and reports success.
func (e *Endpoint) revokeLogged(ctx context.Context, token, kind string, level slog.Level) bool {
	err := e.Revoke(ctx, token, kind)
	if err != nil {
		e.auth.Log.LogAttrs(ctx, level, "token not revoked", slog.String("issuer", e.auth.Issuer), slog.String("kind", kind), logtext.Reason(err))
	}
	return err == nil
}

// Revoke ends a token (RFC 7009 §2.1); hint is its kind, access_token or refresh_token. A bound
// endpoint proves that it has the token's key, without ath, since no access token is presented (RFC
// 9449 §4.2). Without a revocation endpoint there is nothing to do, and that is no error.
func (e *Endpoint) Revoke(ctx context.Context, token, hint string) error {
	m, err := e.provider.Metadata(ctx)
	if err != nil || m.RevocationEndpoint == "" {
		return err
	}
	_, err = e.sendProven(ctx, revocation, e.target(m, "revocation_endpoint", m.RevocationEndpoint),
		url.Values{"token": {token}, "token_type_hint": {hint}})
	return err
}
