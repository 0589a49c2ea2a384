package redisstore_test

import (
	_ "github.com/signet-go/signet/session"
	_ "github.com/stretchr/testify/require"
)
