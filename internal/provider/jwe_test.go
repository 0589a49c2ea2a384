package provider_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/providertest"
)

// encrypt makes a compact JWE.
func encrypt(key any, alg jose.KeyAlgorithm, enc jose.ContentEncryption, zip jose.CompressionAlgorithm, plaintext string) string {
	options := (&jose.EncrypterOptions{Compression: zip}).WithContentType("JWT")
	encrypter := must(jose.NewEncrypter(enc, jose.Recipient{Algorithm: alg, Key: key}, options))
	return must(must(encrypter.Encrypt([]byte(plaintext))).CompactSerialize())
}

func decrypting(keys ...crypto.PrivateKey) func(*providertest.Config) {
	return func(c *providertest.Config) { c.DecryptionKeys = keys }
}

func TestEncryptedTokensAreOpened(t *testing.T) {
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	for _, enc := range []jose.ContentEncryption{jose.A256GCM, jose.A128GCM, jose.A128CBC_HS256} {
		for name, row := range map[string]struct {
			public any
			alg    jose.KeyAlgorithm
		}{"RSA-OAEP-256": {&rsaKey().PublicKey, jose.RSA_OAEP_256}, "ECDH-ES": {&ecKey().PublicKey, jose.ECDH_ES}, "ECDH-ES on P-384": {&p384.PublicKey, jose.ECDH_ES}} {
			t.Run(name+" "+string(enc), func(t *testing.T) {
				op := providertest.New(t)
				keys := decrypting(otherRSA(), rsaKey(), ecKey(), p384) // an older key among them, as in a rotation
				signed := sign(rsaKey(), header, claims())
				token, err := op.Verifier(keys).Login(background(), encrypt(row.public, row.alg, enc, "", signed), expectation())
				require.NoError(t, err)
				require.Equal(t, "alice", token.Subject)
				require.Equal(t, signed, token.Raw, "what was signed is the hint")

				op.Handle("/userinfo", 200, "application/jwt", encrypt(row.public, row.alg, enc, "", sign(rsaKey(), header, m{"sub": "alice", "name": "Alice"})))
				info, err := op.Endpoint(keys).Userinfo(background(), bearer, "alice")
				require.NoError(t, err)
				require.Contains(t, string(info), "Alice")

				_, err = op.Verifier(keys).Logout(background(), encrypt(row.public, row.alg, enc, "", sign(rsaKey(), logoutHeader, logoutClaims())))
				require.NoError(t, err)
			})
		}
	}
	_, err := providertest.New(t).Verifier(decrypting(rsaKey())).Login(background(), sign(rsaKey(), header, claims()), expectation())
	require.NoError(t, err, "a token that is only signed is fine too")
}

func TestOddEncryptedTokensAreRefusedAtOnce(t *testing.T) {
	signed := sign(rsaKey(), header, claims())
	public := &rsaKey().PublicKey
	good := encrypt(public, jose.RSA_OAEP_256, jose.A256GCM, "", signed)
	head := func(h m) string { // another header on a good token
		_, rest, _ := strings.Cut(good, ".")
		return segment(h) + "." + rest
	}
	part := func(i int, value string) string {
		parts := strings.Split(good, ".")
		parts[i] = value
		return strings.Join(parts, ".")
	}
	epk := func(curve elliptic.Curve) m {
		jwk := jwkOf(must(ecdsa.GenerateKey(curve, rand.Reader)).Public(), "")
		delete(jwk, "use")
		return jwk
	}
	for name, raw := range map[string]string{
		"for another key":                   encrypt(&otherRSA().PublicKey, jose.RSA_OAEP_256, jose.A256GCM, "", signed),
		"not signed inside":                 encrypt(public, jose.RSA_OAEP_256, jose.A256GCM, "", string(must(json.Marshal(claims())))),
		"alg none inside":                   encrypt(public, jose.RSA_OAEP_256, jose.A256GCM, "", segment(m{"alg": "none"})+"."+segment(claims())+"."),
		"encrypted twice":                   encrypt(public, jose.RSA_OAEP_256, jose.A256GCM, "", good),
		"signed by another":                 encrypt(public, jose.RSA_OAEP_256, jose.A256GCM, "", sign(otherRSA(), header, claims())),
		"for another client inside":         encrypt(public, jose.RSA_OAEP_256, jose.A256GCM, "", sign(rsaKey(), header, with(claims(), m{"aud": "x"}))),
		"nothing inside":                    encrypt(public, jose.RSA_OAEP_256, jose.A256GCM, "", ""),
		"compressed":                        encrypt(public, jose.RSA_OAEP_256, jose.A256GCM, jose.DEFLATE, signed),
		"a compression bomb":                encrypt(public, jose.RSA_OAEP_256, jose.A256GCM, jose.DEFLATE, strings.Repeat("a", 20<<20)),
		"RSA1_5":                            encrypt(public, jose.RSA1_5, jose.A256GCM, "", signed),
		"RSA-OAEP with SHA-1":               encrypt(public, jose.RSA_OAEP, jose.A256GCM, "", signed),
		"A256CBC-HS512":                     encrypt(public, jose.RSA_OAEP_256, jose.A256CBC_HS512, "", signed),
		"A192GCM":                           encrypt(public, jose.RSA_OAEP_256, jose.A192GCM, "", signed),
		"ECDH-ES+A128KW":                    encrypt(&ecKey().PublicKey, jose.ECDH_ES_A128KW, jose.A128GCM, "", signed),
		"dir":                               encrypt(make([]byte, 32), jose.DIRECT, jose.A256GCM, "", signed),
		"A128KW with zeros":                 encrypt(make([]byte, 16), jose.A128KW, jose.A128GCM, "", signed),
		"PBES2 with two billion rounds":     head(m{"alg": "PBES2-HS256+A128KW", "enc": "A256GCM", "p2c": 2000000000, "p2s": "AAAA"}),
		"alg none":                          head(m{"alg": "none", "enc": "A256GCM"}),
		"alg missing":                       head(m{"enc": "A256GCM"}),
		"alg a list":                        head(m{"alg": []string{"RSA-OAEP-256"}, "enc": "A256GCM"}),
		"enc missing":                       head(m{"alg": "RSA-OAEP-256"}),
		"an empty zip":                      head(m{"alg": "RSA-OAEP-256", "enc": "A256GCM", "zip": ""}),
		"crit":                              head(m{"alg": "RSA-OAEP-256", "enc": "A256GCM", "crit": []string{"x"}, "x": 1}),
		"ECDH-ES without epk":               head(m{"alg": "ECDH-ES", "enc": "A256GCM"}),
		"ECDH-ES with an epk on P-521":      head(m{"alg": "ECDH-ES", "enc": "A256GCM", "epk": epk(elliptic.P521())}),
		"ECDH-ES with an epk off its curve": head(m{"alg": "ECDH-ES", "enc": "A256GCM", "epk": with(epk(elliptic.P256()), m{"x": strings.Repeat("A", 43)})}),
		"ECDH-ES with an RSA epk":           head(m{"alg": "ECDH-ES", "enc": "A256GCM", "epk": jwkOf(public, "")}),
		"a changed ciphertext":              part(3, "AAAA"),
		"an empty ciphertext":               part(3, ""),
		"an empty key":                      part(1, ""),
		"an empty tag":                      part(4, ""),
		"a short IV":                        part(2, "AA"),
		"a header that is no JSON":          part(0, "AAAA"),
		"white space":                       good + "\n",
		"five megabytes":                    strings.Repeat("a", 5<<20) + "....",
	} {
		t.Run(name, func(t *testing.T) {
			verifier := providertest.New(t).Verifier(decrypting(rsaKey(), ecKey()))
			began := time.Now()
			_, err := verifier.Login(background(), raw, expectation())
			requireTokenError(t, err)
			require.Less(t, time.Since(began), cheap)
		})
	}
	_, err := providertest.New(t).Verifier(decrypting(rsaKey())).Login(background(), good, expectation())
	require.NoError(t, err, "the control")
}

func TestEveryChangedByteOfAnEncryptedTokenIsRefused(t *testing.T) {
	good := encrypt(&ecKey().PublicKey, jose.ECDH_ES, jose.A128CBC_HS256, "", sign(rsaKey(), header, claims()))
	verifier := providertest.New(t).Verifier(decrypting(ecKey()))
	for i := 0; i < len(good); i += 5 {
		changed := []byte(good)
		changed[i] ^= 1
		if bytes.IndexByte([]byte("\"\\"), changed[i]) >= 0 {
			continue
		}
		_, err := verifier.Login(background(), string(changed), expectation())
		requireTokenError(t, err)
	}
}

// Anybody can send encrypted logout tokens, each of which costs a private-key operation.
func TestStrangersCauseFewDecryptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		public := &otherRSA().PublicKey
		verifier := providertest.New(t).Verifier(func(c *providertest.Config) { c.DecryptionKeys = []crypto.PrivateKey{otherRSA()} })
		forged := encrypt(public, jose.RSA_OAEP_256, jose.A256GCM, "", "no token")
		for range 50 {
			_, err := verifier.Logout(background(), forged)
			requireTokenError(t, err)
		}
		_, err := verifier.Logout(background(), forged)
		requireUnavailable(t, err)
		_, err = verifier.Logout(background(), sign(rsaKey(), logoutHeader, logoutClaims()))
		require.NoError(t, err, "a signed one costs no decryption")
		time.Sleep(20 * time.Millisecond)
		_, err = verifier.Logout(background(), encrypt(public, jose.RSA_OAEP_256, jose.A256GCM, "", sign(rsaKey(), logoutHeader, logoutClaims())))
		require.NoError(t, err)
	})
}
