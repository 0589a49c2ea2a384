package oidcauthtest_test

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

// publishedKeys fetches the key set as a lenient verifier reads it.
func publishedKeys(t *testing.T, p *oidcauthtest.Provider) (raw []map[string]any, usable jose.JSONWebKeySet) {
	t.Helper()
	_, _, answer := get(t, p, oidcauthtest.JWKS)
	for _, member := range answer["keys"].([]any) {
		raw = append(raw, member.(map[string]any))
		b, err := json.Marshal(member)
		require.NoError(t, err)
		var key jose.JSONWebKey
		if json.Unmarshal(b, &key) == nil {
			usable.Keys = append(usable.Keys, key)
		}
	}
	return raw, usable
}

// accepted reports whether a published key verifies the token.
func accepted(t *testing.T, p *oidcauthtest.Provider, compact any) bool {
	t.Helper()
	jws, err := jose.ParseSignedCompact(compact.(string), []jose.SignatureAlgorithm{"RS256", "RS384", "PS256", "ES256", "ES384", "EdDSA"})
	if err != nil {
		return false
	}
	_, keys := publishedKeys(t, p)
	for _, key := range keys.Keys {
		if _, err := jws.Verify(key); err == nil {
			return true
		}
	}
	return false
}

func TestEveryAlgorithmVerifies(t *testing.T) {
	for _, alg := range []string{"RS256", "PS256", "ES256", "ES384", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{Alg: alg})
			idToken := signedIn(t, p)["id_token"]
			head, claims := verified(t, p, idToken)
			require.Equal(t, map[string]any{"alg": alg, "kid": p.Key().ID, "typ": "JWT"}, head)
			require.NotEmpty(t, claims["at_hash"])
			require.True(t, accepted(t, p, idToken))
		})
	}
}

func TestIDTokenBends(t *testing.T) {
	for name, test := range map[string]struct {
		bend     func(*oidcauthtest.Provider, *oidcauthtest.Token)
		accepted bool
		check    func(t *testing.T, head, claims, signature string)
	}{
		"a claim": {func(_ *oidcauthtest.Provider, k *oidcauthtest.Token) { k.Claims.Set("iss", "https://evil.test") }, true,
			func(t *testing.T, _, claims, _ string) { require.Contains(t, claims, `"iss":"https://evil.test"`) }},
		"a duplicate": {func(_ *oidcauthtest.Provider, k *oidcauthtest.Token) { k.Claims.Add("sub", "mallory") }, true,
			func(t *testing.T, _, claims, _ string) { require.Equal(t, 2, strings.Count(claims, `"sub":`)) }},
		"other claims altogether": {func(_ *oidcauthtest.Provider, k *oidcauthtest.Token) { k.Claims.Replace("[]") }, true,
			func(t *testing.T, _, claims, _ string) { require.Equal(t, "[]", claims) }},
		"none": {func(_ *oidcauthtest.Provider, k *oidcauthtest.Token) { k.Unsign("nOnE") }, false,
			func(t *testing.T, head, _, signature string) {
				require.Contains(t, head, `"alg":"nOnE"`)
				require.Empty(t, signature)
			}},
		"HS256 with the public key": {func(p *oidcauthtest.Provider, k *oidcauthtest.Token) {
			k.SignWith(oidcauthtest.HMACKey(p.Key().PublicPEM()))
		}, false,
			func(t *testing.T, head, _, signature string) {
				require.Contains(t, head, `"alg":"HS256"`)
				require.NotContains(t, head, "kid", "the key has none")
				require.Len(t, signature, 43)
			}},
		"another algorithm by the same key": {func(p *oidcauthtest.Provider, k *oidcauthtest.Token) {
			k.SignWith(oidcauthtest.SignerKey(p.Key().Signer(), "RS384", p.Key().ID))
		}, true, func(t *testing.T, head, _, _ string) { require.Contains(t, head, `"alg":"RS384"`) }},
		"a flipped signature": {func(_ *oidcauthtest.Provider, k *oidcauthtest.Token) { k.FlipSignature() }, false,
			func(t *testing.T, _, _, signature string) { require.Len(t, signature, 342) }},
		"a foreign key under our kid": {func(_ *oidcauthtest.Provider, k *oidcauthtest.Token) { k.Key = oidcauthtest.ForeignKey("RS256") }, false,
			func(t *testing.T, head, _, _ string) { require.Contains(t, head, `"kid":"RS256-0"`) }},
		"a foreign key under its own kid": {func(_ *oidcauthtest.Provider, k *oidcauthtest.Token) { k.SignWith(oidcauthtest.ForeignKey("ES256")) }, false,
			func(t *testing.T, head, _, _ string) { require.Contains(t, head, `"kid":"foreign"`) }},
		"no kid": {func(_ *oidcauthtest.Provider, k *oidcauthtest.Token) { k.Header.Delete("kid") }, true,
			func(t *testing.T, head, _, _ string) { require.NotContains(t, head, "kid") }},
		"another signature": {func(_ *oidcauthtest.Provider, k *oidcauthtest.Token) {
			k.RewriteSignature(func([]byte) []byte { return []byte("x") })
		}, false, func(t *testing.T, _, _, signature string) { require.Equal(t, "eA", signature) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
			p.BendIDToken(func(k *oidcauthtest.Token) { test.bend(p, k) })
			idToken := signedIn(t, p)["id_token"].(string)
			parts := strings.Split(idToken, ".")
			for i := range 2 {
				b, err := base64.RawURLEncoding.DecodeString(parts[i])
				require.NoError(t, err)
				parts[i] = string(b)
			}
			test.check(t, parts[0], parts[1], parts[2])
			require.Equal(t, test.accepted, accepted(t, p, idToken))
		})
	}
}

func TestTokenRewrites(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	key := oidcauthtest.ForeignKey("RS256").Signer().(*rsa.PrivateKey)
	p.BendIDToken(func(k *oidcauthtest.Token) {
		require.Equal(t, "app", k.ClientID)
		require.Equal(t, "authorization_code", k.Grant)
		k.Rewrite(oidcauthtest.Encrypt("RSA-OAEP-256", "A256GCM", &key.PublicKey))
		k.Rewrite(func(compact string) string { return compact + "=" })
	})
	idToken := signedIn(t, p)["id_token"].(string)
	compact, ok := strings.CutSuffix(idToken, "=")
	require.True(t, ok)
	jwe, err := jose.ParseEncryptedCompact(compact, []jose.KeyAlgorithm{jose.RSA_OAEP_256}, []jose.ContentEncryption{jose.A256GCM})
	require.NoError(t, err)
	inside, err := jwe.Decrypt(key)
	require.NoError(t, err)
	require.True(t, accepted(t, p, string(inside)))
	require.Panics(t, func() { oidcauthtest.Encrypt("nonsense", "A256GCM", nil)("x") })
}

func TestAccessTokensBend(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.BendAccessToken(func(k *oidcauthtest.Token) { k.Rewrite(func(string) string { return "opaque" }) })
	require.Equal(t, "opaque", signedIn(t, p)["access_token"])
	status, _, answer := get(t, p, oidcauthtest.API, header("Authorization", "Bearer opaque"))
	require.Equal(t, 200, status)
	require.Equal(t, "alice", answer["sub"])
}

func TestParseToken(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	k := oidcauthtest.ParseToken(signedIn(t, p)["id_token"].(string))
	require.Equal(t, "alice", k.Claims.Text("sub"))
	require.Equal(t, "RS256", k.Header.Text("alg"))
	k.Key = p.Key()
	require.True(t, accepted(t, p, k.Compact()), "it can be signed anew")
	for _, broken := range []string{"", ".", "..", "a.b.c", "e30.W10.x", "e30.e30x"} {
		require.Nil(t, oidcauthtest.ParseToken(broken), broken)
	}
}

func TestKeysBend(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	idToken := signedIn(t, p)["id_token"]
	old := p.Key()
	p.RotateKey()
	require.NotEqual(t, old.ID, p.Key().ID)
	require.False(t, accepted(t, p, idToken), "the old key is gone")
	require.True(t, accepted(t, p, signedIn(t, p)["id_token"]))

	p.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object { return append(keys, old.JWK()) })
	require.True(t, accepted(t, p, idToken), "both are published")

	p.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object {
		keys[0].Delete("kid")
		return append(oidcauthtest.DecoyKeys(p.Key().ID), keys...)
	})
	raw, usable := publishedKeys(t, p)
	require.Greater(t, len(raw), len(usable.Keys), "some decoys can't be parsed")
	require.NotContains(t, raw[len(raw)-1], "kid")
	require.False(t, accepted(t, p, idToken))
	require.True(t, accepted(t, p, signedIn(t, p)["id_token"]))

	p.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object {
		for range 10_000 {
			k := p.Key().JWK()
			k.Set("kid", unique())
			keys = append(keys, k)
		}
		return keys
	})
	raw, _ = publishedKeys(t, p)
	require.Len(t, raw, 10_001)
}

func TestProvidersDoNotShareKeys(t *testing.T) {
	a := oidcauthtest.NewProvider(oidcauthtest.Settings{Alg: "ES256"})
	b := oidcauthtest.NewProvider(oidcauthtest.Settings{Alg: "ES256", Issuer: "https://other.test"})
	c, d := oidcauthtest.Start(t, oidcauthtest.Settings{Alg: "ES256"}), oidcauthtest.Start(t, oidcauthtest.Settings{Alg: "ES256"})
	seen := map[string]bool{thumbprint(t, oidcauthtest.ForeignKey("ES256")): true}
	for _, p := range []*oidcauthtest.Provider{a, b, c, d} {
		require.False(t, seen[thumbprint(t, p.Key())])
		seen[thumbprint(t, p.Key())] = true
	}
}

func TestNewKeyRefusesUnknownAlgorithms(t *testing.T) {
	require.Panics(t, func() { oidcauthtest.NewKey("HS256", "") })
	require.Panics(t, func() {
		oidcauthtest.SignerKey(oidcauthtest.ForeignKey("EdDSA").Signer(), "RS256", "").Sign([]byte("x"))
	})
}
