package jwt_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/jwt"
)

// Two texts are never the same token: what is remembered of one says nothing of another.
func TestATokenHasOneSpelling(t *testing.T) {
	part := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`))
	good := part + "." + part + ".QQ"
	_, err := jwt.Parse(good)
	require.NoError(t, err)
	for name, raw := range map[string]string{
		"a line feed":         part[:4] + "\n" + part[4:] + "." + part + ".QQ",
		"a carriage return":   part + "." + part + ".Q\rQ",
		"padding":             part + "." + part + ".QQ==",
		"unused bits":         part + "." + part + ".QR",
		"the other alphabet":  part + "." + part + ".+w",
		"a blank":             part + "." + part + ".QQ ",
		"one part too many":   good + ".QQ",
		"one part too few":    part + "." + part,
		"an incomplete group": part + "." + part + ".Q",
	} {
		_, err := jwt.Parse(raw)
		require.Error(t, err, name)
	}
}
