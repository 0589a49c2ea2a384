package oidcauth_test

import (
	"crypto"
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// While replicas change their key one by one, the key set of either has the keys of both.
func TestTheClientsKeyIsRotatedWithoutARefusedLogin(t *testing.T) {
	old, next := oidcauthtest.NewKey("ES256", "old").Signer(), oidcauthtest.NewKey("EdDSA", "next").Signer()
	replica := func(key crypto.Signer, id string, others map[string]crypto.PublicKey) *world {
		return newWorld(t, func(c *oidcauth.Config) {
			c.ClientSecret, c.ClientAuth = "", oidcauth.ClientAuth{Key: key, KeyID: id, PublishKeys: others}
		})
	}
	before := replica(old, "old", map[string]crypto.PublicKey{"next": next.Public()})
	after := replica(next, "next", map[string]crypto.PublicKey{"old": old.Public()})
	for _, publishes := range []*world{before, after} {
		var set jose.JSONWebKeySet
		require.NoError(t, json.Unmarshal([]byte(publishes.browser.Get(app+"/auth/jwks.json").Body), &set))
		require.Len(t, set.Keys, 2)
		for _, key := range set.Keys {
			require.True(t, key.IsPublic())
			require.Equal(t, "sig", key.Use)
		}
		for _, signs := range []*world{before, after} {
			signs.provider.Configure(func(s *oidcauthtest.Settings) { s.Clients[0].Secret, s.Clients[0].Keys = "", set })
			signs.anew()
			signs.signIn()
			require.NotNil(t, signs.user())
		}
	}
}

func TestNewRefusesToPublishWhatIsNoPublicKey(t *testing.T) {
	key := ecKey()
	for name, row := range map[string]struct {
		keyID string
		keys  map[string]crypto.PublicKey
		ok    bool
	}{
		"a public key":                 {"k1", map[string]crypto.PublicKey{"k0": otherRSA().Public()}, true},
		"a private key":                {"k1", map[string]crypto.PublicKey{"k0": otherRSA()}, false},
		"a private Ed25519 key":        {"k1", map[string]crypto.PublicKey{"k0": edKey()}, false},
		"a secret":                     {"k1", map[string]crypto.PublicKey{"k0": []byte("0123456789abcdef")}, false},
		"nothing":                      {"k1", map[string]crypto.PublicKey{"k0": nil}, false},
		"a key under the kid in use":   {"k1", map[string]crypto.PublicKey{"k1": otherRSA().Public()}, false},
		"a key without a kid":          {"k1", map[string]crypto.PublicKey{"": otherRSA().Public()}, false},
		"a key beside one without kid": {"", map[string]crypto.PublicKey{"k0": otherRSA().Public()}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := goodConfig()
			c.ClientSecret, c.ClientAuth = "", oidcauth.ClientAuth{Key: key, KeyID: row.keyID, PublishKeys: row.keys}
			_, err := oidcauth.New(c)
			if row.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "ClientAuth: PublishKeys")
		})
	}
}
