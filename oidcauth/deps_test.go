package oidcauth_test

import (
	_ "github.com/coreos/go-oidc/v3/oidc"
	_ "github.com/go-jose/go-jose/v4"
	_ "github.com/gorilla/securecookie"
	_ "github.com/stretchr/testify/require"
	_ "golang.org/x/sync/singleflight"
)
