package provider_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/providertest"
)

// signedBy is a good ID token by key under kid.
func signedBy(key crypto.Signer, kid string) string {
	return sign(key, with(header, m{"kid": kid}), claims())
}

func login(v *provider.Verifier, raw string) error {
	_, err := v.Login(background(), raw, expectation())
	return err
}

func TestKeysAreChosenByWhatTheyAreFor(t *testing.T) {
	good := jwkOf(rsaKey().Public(), "k1")
	other := jwkOf(otherRSA().Public(), "k1")
	broken := []any{
		"text", 7, m{}, m{"kty": "XYZ"}, m{"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}, m{"kty": "RSA", "n": "!", "e": "AQAB"},
		m{"kty": "EC", "crv": "P-256", "x": strings.Repeat("A", 43), "y": strings.Repeat("A", 43)}, m{"kty": "oct", "k": "AAAA", "kid": "k1", "alg": "HS256"},
		m{"kty": 7}, with(good, m{"kid": 7}), with(good, m{"x5c": "no list", "n": nil}), m{"kty": "OKP", "crv": "X25519", "x": "AA"},
	}
	for _, row := range []struct {
		name string
		keys []any
		ok   bool
	}{
		{"the key with the kid", []any{good}, true},
		{"a key without kid", []any{jwkOf(rsaKey().Public(), "")}, true},
		{"a key without use", []any{with(good, m{"use": nil})}, true},
		{"a key with its alg", []any{with(good, m{"alg": "RS256"})}, true},
		{"a key with key_ops verify", []any{with(good, m{"key_ops": []string{"verify"}})}, true},
		{"the right one of two keys that share a kid", []any{other, good}, true},
		{"decoys of other types with the same kid", []any{jwkOf(ecKey().Public(), "k1"), jwkOf(edKey().Public(), "k1"), with(good, m{"use": "enc"}), good}, true},
		{"a good key among broken ones", append(broken, good), true},
		{"a good key with a broken certificate", []any{with(good, m{"x5c": []string{"AAAA"}, "x5u": "http://evil.example", "x5t": 7})}, true},
		{"only a key for encryption", []any{with(good, m{"use": "enc"})}, false},
		{"only a key with another alg of its family", []any{with(good, m{"alg": "RS384"})}, false},
		{"only a key with alg RSA-OAEP", []any{with(good, m{"alg": "RSA-OAEP"})}, false},
		{"only a key with key_ops encrypt", []any{with(good, m{"key_ops": []string{"encrypt"}})}, false},
		{"the right key with another kid", []any{with(good, m{"kid": "k2"})}, true},
		{"another key with this kid, the right one with another", []any{other, with(good, m{"kid": "k2"})}, true},
		{"the right key with another kid, for encryption", []any{with(good, m{"kid": "k2", "use": "enc"})}, false},
		{"the right key with another kid, for another alg", []any{with(good, m{"kid": "k2", "alg": "PS256"})}, false},
		{"only another key with this kid", []any{other}, false},
		{"only a key whose private part is published", []any{with(good, m{"d": "AAAA"})}, false},
		{"only keys of other types", []any{jwkOf(ecKey().Public(), "k1")}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := providertest.New(t)
			op.Publish(append(row.keys, jwkOf(ecKey().Public(), "unrelated"))...)
			err := login(op.Verifier(), signedBy(rsaKey(), "k1"))
			if row.ok {
				require.NoError(t, err)
			} else {
				requireTokenError(t, err)
			}
		})
	}
}

func TestATokenWithoutKidTriesAllKeysOfItsType(t *testing.T) {
	op := providertest.New(t)
	op.Publish(jwkOf(ecKey().Public(), "a"), jwkOf(otherRSA().Public(), "b"), jwkOf(rsaKey().Public(), "c"))
	require.NoError(t, login(op.Verifier(), sign(rsaKey(), m{"alg": "RS256"}, claims())))
	require.Equal(t, 1, op.Hits("/jwks"))
}

func TestPublishedSecretsAreWarnedAbout(t *testing.T) {
	op := providertest.New(t)
	op.Publish(m{"kty": "oct", "k": "c2VjcmV0LXNlY3JldA", "kid": "k1"}, jwkOf(rsaKey().Public(), "k1"))
	require.NoError(t, login(op.Verifier(), signedBy(rsaKey(), "k1")))
	require.Contains(t, op.Logged(), "private or symmetric")
	require.NotContains(t, op.Logged(), "c2VjcmV0LXNlY3JldA")
}

func TestKeysAreFetchedOnceAndAgainAfterAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		verifier := op.Verifier()
		for range 3 {
			require.NoError(t, login(verifier, signedBy(rsaKey(), "k1")))
		}
		require.Equal(t, 1, op.Hits("/jwks"))
		time.Sleep(time.Hour)
		require.NoError(t, login(verifier, signedBy(rsaKey(), "k1")))
		require.Equal(t, 2, op.Hits("/jwks"))
	})
}

func TestAKeyThatWasWithdrawnEndsWithTheNextFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		verifier := op.Verifier()
		require.NoError(t, login(verifier, signedBy(rsaKey(), "k1")))
		op.Publish(jwkOf(otherRSA().Public(), "k2"))
		time.Sleep(time.Hour)
		requireTokenError(t, login(verifier, signedBy(rsaKey(), "k1")))
	})
}

func TestRotationCausesExactlyOneRefetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		verifier := op.Verifier()
		require.NoError(t, login(verifier, signedBy(rsaKey(), "k1")))
		op.Publish(jwkOf(otherRSA().Public(), "k2"))
		op.HandleFunc("/jwks", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			op.Usual(w, r)
		})
		var wg sync.WaitGroup
		for range 50 { // far more than the brake's burst
			wg.Go(func() { require.NoError(t, login(verifier, signedBy(otherRSA(), "k2"))) })
		}
		wg.Wait()
		require.Equal(t, 2, op.Hits("/jwks"))
	})
}

func TestAKeyThatChangedUnderTheSameKidIsFound(t *testing.T) {
	op := providertest.New(t)
	verifier := op.Verifier()
	require.NoError(t, login(verifier, signedBy(rsaKey(), "k1")))
	op.Publish(jwkOf(otherRSA().Public(), "k1"))
	require.NoError(t, login(verifier, signedBy(otherRSA(), "k1")))
	require.Equal(t, 2, op.Hits("/jwks"))
}

func TestUnknownKidsAreBraked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		verifier := op.Verifier()
		for i := range 200 {
			requireTokenError(t, login(verifier, signedBy(otherRSA(), fmt.Sprint("random-", i))))
		}
		require.Equal(t, 1+5, op.Hits("/jwks"), "the first fetch and the burst")
		require.NoError(t, login(verifier, signedBy(rsaKey(), "k1")), "a real login is not braked")
		time.Sleep(9 * time.Second)
		requireTokenError(t, login(verifier, signedBy(otherRSA(), "again")))
		require.Equal(t, 6, op.Hits("/jwks"))
		time.Sleep(time.Second)
		requireTokenError(t, login(verifier, signedBy(otherRSA(), "again")))
		require.Equal(t, 7, op.Hits("/jwks"), "one more every ten seconds")
		op.Publish(jwkOf(otherRSA().Public(), "k2"))
		time.Sleep(10 * time.Second)
		require.NoError(t, login(verifier, signedBy(otherRSA(), "k2")), "rotation is seen although others hammered")
	})
}

func TestForgedLogoutTokensDoNotBrakeLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		verifier := op.Verifier()
		for i := range 100 {
			_, err := verifier.Logout(background(), sign(otherRSA(), with(logoutHeader, m{"kid": fmt.Sprint(i)}), logoutClaims()))
			require.Error(t, err)
		}
		require.Equal(t, 1+5, op.Hits("/jwks"))
		op.Publish(jwkOf(otherRSA().Public(), "k2"))
		require.NoError(t, login(verifier, signedBy(otherRSA(), "k2")))
		require.Equal(t, 7, op.Hits("/jwks"))
	})
}

func TestKeysServeForADayWhenTheyCannotBeRenewed(t *testing.T) {
	for name, bad := range map[string]func(*providertest.OP){
		"status 500": func(op *providertest.OP) { op.Handle("/jwks", 500, "", "") },
		"garbage":    func(op *providertest.OP) { op.Handle("/jwks", 200, "application/json", "{") },
		"no keys":    func(op *providertest.OP) { op.Handle("/jwks", 200, "application/json", "{}") },
		"no usable key": func(op *providertest.OP) {
			op.Handle("/jwks", 200, "application/json", `{"keys":[{"kty":"oct","k":"AA"}]}`)
		},
		"an endless body": func(op *providertest.OP) {
			op.Handle("/jwks", 200, "application/json", `{"keys":[`+strings.Repeat(" ", outbound.MaxBody)+`]}`)
		},
		"a hanging server": func(op *providertest.OP) {
			op.HandleFunc("/jwks", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				op := providertest.New(t)
				verifier := op.Verifier()
				require.NoError(t, login(verifier, signedBy(rsaKey(), "k1")))
				bad(op)
				time.Sleep(23 * time.Hour)
				began := time.Now()
				for range 3 {
					require.NoError(t, login(verifier, signedBy(rsaKey(), "k1")))
				}
				require.LessOrEqual(t, time.Since(began), 10*time.Second)
				require.LessOrEqual(t, op.Hits("/jwks"), 4)
				requireUnavailable(t, login(verifier, signedBy(otherRSA(), "unknown")))
				time.Sleep(time.Hour + time.Minute)
				requireUnavailable(t, login(verifier, signedBy(rsaKey(), "k1")))
				op.Heal("/jwks")
				time.Sleep(time.Minute)
				require.NoError(t, login(verifier, signedBy(rsaKey(), "k1")), "it heals by itself")
			})
		})
	}
}

func TestKeysThatWereNeverHadAreAnOutageNotABadToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		op.Handle("/jwks", 503, "", "")
		verifier := op.Verifier()
		for range 10 {
			requireUnavailable(t, login(verifier, signedBy(rsaKey(), "k1")))
			_, err := verifier.Logout(background(), sign(rsaKey(), logoutHeader, logoutClaims()))
			requireUnavailable(t, err)
		}
		require.Equal(t, 1, op.Hits("/jwks"), "the back-off holds")
		op.Heal("/jwks")
		time.Sleep(time.Second)
		require.NoError(t, login(verifier, signedBy(rsaKey(), "k1")))
	})
}

func TestACallerThatLeavesDoesNotCancelTheFetchOfKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		slow := func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(3 * time.Second)
			op.Usual(w, r)
		}
		op.HandleFunc("/jwks", slow)
		verifier := op.Verifier()
		hurried := func(raw string) error {
			ctx, cancel := context.WithTimeout(background(), time.Second)
			defer cancel()
			_, err := verifier.Login(ctx, raw, expectation())
			return err
		}
		requireUnavailable(t, hurried(signedBy(rsaKey(), "k1")))
		time.Sleep(3 * time.Second)
		require.NoError(t, login(verifier, signedBy(rsaKey(), "k1")))
		require.Equal(t, 1, op.Hits("/jwks"))
		op.Publish(jwkOf(otherRSA().Public(), "k2"))
		requireUnavailable(t, hurried(signedBy(otherRSA(), "k2")))
		time.Sleep(3 * time.Second)
		require.NoError(t, login(verifier, signedBy(otherRSA(), "k2")))
		require.Equal(t, 2, op.Hits("/jwks"))
	})
}

func TestWithoutMetadataThereAreNoKeys(t *testing.T) {
	op := providertest.New(t)
	op.Handle(discovery, 500, "", "")
	requireUnavailable(t, login(op.Verifier(), signedBy(rsaKey(), "k1")))
	require.Zero(t, op.Hits("/jwks"))
}

func TestAMovedKeySetIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		c := op.Config(func(c *providertest.Config) { c.DiscoveryMaxAge = time.Minute })
		client := c.Client()
		provider := c.Provider(client)
		verifier := c.Verifier(provider)
		require.NoError(t, login(verifier, signedBy(rsaKey(), "k1")))
		op.Metadata["jwks_uri"] = issuer + "/jwks2"
		op.Handle("/jwks2", 200, "application/json", string(must(json.Marshal(m{"keys": []any{jwkOf(otherRSA().Public(), "k2")}}))))
		time.Sleep(time.Minute)
		_, err := provider.Metadata(background())
		require.NoError(t, err)
		require.NoError(t, login(verifier, signedBy(otherRSA(), "k2")))
		require.Equal(t, 1, op.Hits("/jwks"))
		require.Equal(t, 1, op.Hits("/jwks2"))
	})
}

var _ crypto.Signer = (*rsa.PrivateKey)(nil)
