package access_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/jwt"
)

func TestASharedTokenWhoseKeyIsBrokenIsNoToken(t *testing.T) {
	proof, err := jwt.NewProofKey()
	require.NoError(t, err)
	raw, err := proof.Bytes()
	require.NoError(t, err)
	key := base64.StdEncoding.EncodeToString(raw)
	for name, row := range map[string]string{
		"no key":       `{"v":"at","k":"DPoP","c":1,"x":99999999999999}`,
		"a short key":  `{"v":"at","k":"DPoP","d":"AAAA","c":1,"x":99999999999999}`,
		"a null key":   `{"v":"at","k":"DPoP","d":null,"c":1,"x":99999999999999}`,
		"another type": `{"v":"at","k":"Bearer","d":"` + key + `","c":1,"x":9}`,
	} {
		t.Run(name, func(t *testing.T) { require.False(t, access.ReadsTokenRow(row)) })
	}
	require.True(t, access.ReadsTokenRow(`{"v":"at","k":"Bearer","c":1,"x":9}`))
	require.True(t, access.ReadsTokenRow(`{"v":"at","k":"DPoP","d":"`+key+`","c":1,"x":9}`))
}
