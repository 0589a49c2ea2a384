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
		"no key":       `{"a":"at","t":"DPoP","c":1,"x":99999999999999}`,
		"a short key":  `{"a":"at","t":"DPoP","k":"AAAA","c":1,"x":99999999999999}`,
		"a null key":   `{"a":"at","t":"DPoP","k":null,"c":1,"x":99999999999999}`,
		"another type": `{"a":"at","t":"Bearer","k":"` + key + `","c":1,"x":9}`,
	} {
		t.Run(name, func(t *testing.T) { require.False(t, access.ReadsTokenRow(row)) })
	}
	require.True(t, access.ReadsTokenRow(`{"a":"at","t":"Bearer","c":1,"x":9}`))
	require.True(t, access.ReadsTokenRow(`{"a":"at","t":"DPoP","k":"`+key+`","c":1,"x":9}`))
}
