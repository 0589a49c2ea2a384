// Command example-webapp shows signet.
package main

import (
	_ "github.com/luikyv/go-oidc/pkg/provider"
	_ "github.com/redis/go-redis/v9"
	_ "github.com/signet-go/signet/oidcauth"
	_ "github.com/signet-go/signet/session/redisstore"
)

func main() {}
