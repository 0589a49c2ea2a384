package oidcauth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// BenchmarkAccessToken compares whole guarded requests with the bare check of the same token's signature by go-jose, and by the
// standard library without reading a header: with a token that nobody has seen, one that came before, and an opaque one whose issuer
// was asked.
func BenchmarkAccessToken(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256"} {
		p := oidcauthtest.NewProvider(oidcauthtest.Settings{Alg: alg})
		p.Intercept(oidcauthtest.Introspection, oidcauthtest.Reply(200, "application/json", `{"active":true,"aud":"`+ordersAPI+`","sub":"alice","client_id":"spa","scope":"read"}`))
		api, err := oidcauth.NewResource(oidcauth.ResourceConfig{
			URL: ordersAPI, Audience: []string{ordersAPI}, HTTPClient: p.Client(), Logger: slog.New(slog.DiscardHandler),
			Issuers: []oidcauth.TokenIssuer{{Issuer: p.Issuer(), Introspect: true, ClientID: "app", ClientSecret: "app-secret"}},
		})
		require.NoError(b, err)
		bare := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		guarded := api.Require(oidcauth.HasScope("read"))(bare)
		tokens := make([]string, 64)
		for i := range tokens {
			tokens[i] = accessToken(p, claim("exp", time.Now().Add(time.Hour).Unix()), claim("groups", strings.Fields(strings.Repeat("group-of-some-name ", 12))))
		}
		request := func(token string) *http.Request {
			r := httptest.NewRequest(http.MethodGet, ordersAPI+"/", http.NoBody)
			r.Header.Set("Authorization", "Bearer "+token)
			return r
		}
		run := func(name string, do func(i int)) {
			b.Run(alg+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					do(i)
					i++
				}
			})
		}
		run("bare signature, go-jose", func(i int) {
			jws, err := jose.ParseSignedCompact(tokens[i%len(tokens)], []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err == nil {
				_, err = jws.Verify(p.Key().Signer().Public())
			}
			if err != nil {
				b.Fatal(err)
			}
		})
		run("bare signature, crypto", func(i int) {
			if !signedBy(p.Key(), tokens[i%len(tokens)]) {
				b.Fatal("not signed")
			}
		})
		requests := make([]*http.Request, len(tokens))
		for i, token := range tokens {
			requests[i] = request(token)
		}
		answer := func(r *http.Request) {
			guarded.ServeHTTP(nowhere{}, r)
		}
		rec := httptest.NewRecorder()
		guarded.ServeHTTP(rec, requests[0])
		require.Equal(b, http.StatusOK, rec.Code, rec.Body)
		run("seen first", func(i int) {
			oidcauth.ForgetTokens(api)
			answer(requests[i%len(requests)])
		})
		run("seen before", func(int) { answer(requests[0]) })
		opaque := request("opaque-" + strings.Repeat("x", 40))
		answer(opaque)
		run("opaque, asked before", func(int) { answer(opaque) })
	}
}

// signedBy is the bare check: base64, hash and the signature, by the standard library alone.
func signedBy(key *oidcauthtest.Key, token string) bool {
	dot := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	sum := sha256.Sum256([]byte(token[:dot]))
	switch public := key.Signer().Public().(type) {
	case *rsa.PublicKey:
		return err == nil && rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], sig) == nil
	case *ecdsa.PublicKey:
		return err == nil && ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
	}
	return false
}
