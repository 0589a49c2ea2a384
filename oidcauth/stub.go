package oidcauth

import "context"

type tokens struct{}

// Machine is one of the application's own clients.
type Machine struct{}

func (a *Authenticator) revokeTokens(ctx context.Context, refreshToken string, accessTokens ...string) {
}
