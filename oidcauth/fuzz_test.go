package oidcauth_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	claimspkg "github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/oidcauth"
)

// lenient is how encoding/json, and with it go-oidc, reads an ID token: names without case, the last one counts.
type lenient struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	Nonce   string `json:"nonce"`
	SID     string `json:"sid"`
	ACR     string `json:"acr"`
}

func FuzzIDTokenClaims(f *testing.F) {
	f.Add(must(json.Marshal(claims())))
	for _, seed := range []string{
		`{"sub":"a","aud":["shop","x"],"azp":"shop","exp":1e300,"iat":1,"nonce":null}`,
		`{"sub":"a","SUB":"b"}`, `{"ſub":"b"}`, `{"s\u0075b":"a","sub":"b"}`, `{"sub":"\ud800","amr":["a"],"auth_time":1.5}`,
		`{"a":{"b":[{"c":1,"c":2}]}}`, `[[[[`, `{"sub":`, "\xff", `{"_claim_names":{"x":"y"},"_claim_sources":{}}`,
	} {
		f.Add([]byte(seed))
	}
	verifier := newFakeOP(nil).verifier()
	f.Fuzz(func(t *testing.T, payload []byte) {
		token, err := oidcauth.ReadClaims(verifier, payload)
		if err != nil {
			return
		}
		require.NotEmpty(t, token.Subject)
		require.LessOrEqual(t, len(token.Subject), 255)
		require.True(t, token.Expiry.After(time.Now().Add(-2*time.Minute)))
		require.False(t, token.Expiry.After(time.Now().Add(24*time.Hour)))
		var theirs lenient
		require.NoError(t, json.Unmarshal(payload, &theirs))
		require.Equal(t, theirs.Subject, token.Subject, "a lenient reader sees the same user")
		require.Equal(t, theirs.Nonce, token.Nonce)
		require.Equal(t, theirs.SID, token.SID)
		require.Equal(t, theirs.ACR, token.ACR)
		merged, err := claimspkg.Merge(token.Claims, json.RawMessage(`{"sub":"evil","acr":"evil","name":"n"}`))
		require.NoError(t, err)
		var after lenient
		require.NoError(t, json.Unmarshal(merged, &after))
		require.Equal(t, theirs, after, "userinfo changes no protocol claim")
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add(must(json.Marshal(m{"keys": []any{jwkOf(rsaKey().Public(), "k1"), jwkOf(ecKey().Public(), ""), jwkOf(edKey().Public(), "k1")}})), "RS256", "k1")
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"RSA","n":"AQ","e":"AQAB","x5c":["AA"]}]}`), "HS256", "")
	f.Add([]byte(`{"keys":{}}`), "none", "")
	f.Add([]byte(`{"keys":[7,null,[],"x",{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`), "ES256", "\x00")
	f.Fuzz(func(t *testing.T, document []byte, alg, kid string) {
		used, fitting, faults, err := oidcauth.ParseKeySet(document, alg, kid)
		require.LessOrEqual(t, used, jwt.MaxKeys)
		require.LessOrEqual(t, fitting, used)
		require.LessOrEqual(t, len(strings.Join(faults, "")), 1<<16)
		require.Equal(t, err == nil, used > 0)
		if strings.HasPrefix(alg, "HS") || strings.EqualFold(alg, "none") {
			require.Zero(t, fitting)
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add(must(json.Marshal(goodMetadata())), issuer)
	f.Add(must(json.Marshal(with(goodMetadata(), m{"issuer": "http://localhost:1", "token_endpoint": "http://127.0.0.1:1/"}))), "http://localhost:1")
	f.Add([]byte(`{"issuer":"https://op.example","token_endpoint":"https:\\evil","mtls_endpoint_aliases":{"a":"file:///x"}}`), issuer)
	f.Fuzz(func(t *testing.T, document []byte, issuer string) {
		got, err := oidcauth.ParseMetadata(document, issuer)
		if err != nil {
			return
		}
		require.Equal(t, issuer, got.Issuer)
		endpoints := []string{got.AuthorizationEndpoint, got.TokenEndpoint, got.JWKSURI, got.UserinfoEndpoint, got.EndSessionEndpoint,
			got.RevocationEndpoint, got.PushedAuthorizationRequestEndpoint}
		for _, alias := range got.MTLSEndpointAliases {
			endpoints = append(endpoints, alias)
		}
		require.False(t, slices.Contains(endpoints[:3], ""))
		for _, endpoint := range endpoints {
			if endpoint == "" {
				continue
			}
			u, err := url.Parse(endpoint)
			require.NoError(t, err)
			require.NotEmpty(t, u.Hostname())
			require.Nil(t, u.User)
			require.True(t, u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(issuer, "http:"))
		}
	})
}

func FuzzTokenAnswer(f *testing.F) {
	f.Add([]byte(goodAnswer), false)
	f.Add([]byte(`{"access_token":"a","token_type":"dpop","expires_in":"1e400","scope":["a",null]}`), true)
	f.Add([]byte(`{"access_token":"a","access_token":"b","token_type":"bearer"}`), false)
	f.Fuzz(func(t *testing.T, body []byte, dpop bool) {
		received := time.Now()
		answer, err := oidcauth.ParseTokenAnswer(body, received, dpop)
		if err != nil {
			require.Nil(t, answer)
			return
		}
		require.Regexp(t, `^[!-~]+$`, answer.AccessToken)
		require.Regexp(t, `^[!-~]*$`, answer.RefreshToken+answer.IDToken)
		require.Equal(t, map[bool]string{true: "DPoP", false: "Bearer"}[dpop], answer.TokenType)
		if !answer.Expiry.IsZero() {
			require.False(t, answer.Expiry.Before(received))
			require.False(t, answer.Expiry.After(received.Add(30*24*time.Hour)))
		}
	})
}

func FuzzEncryptedToken(f *testing.F) {
	verifier := newFakeOP(nil).verifier(decrypting(rsaKey(), ecKey()))
	f.Add(encrypt(&ecKey().PublicKey, jose.ECDH_ES, jose.A128GCM, "", "a.b.c"))
	f.Add(encrypt(&rsaKey().PublicKey, jose.RSA_OAEP_256, jose.A128CBC_HS256, "", "{}"))
	f.Add(segment(m{"alg": "ECDH-ES", "enc": "A128GCM", "epk": jwkOf(ecKey().Public(), ""), "apu": "AA"}) + "..AA.AA.AA")
	f.Fuzz(func(t *testing.T, raw string) {
		_, err := verifier.Login(background(), raw, expectation())
		requireTokenError(t, err)
	})
}

func FuzzLogoutToken(f *testing.F) {
	verifier := newFakeOP(nil).verifier()
	f.Add(sign(rsaKey(), logoutHeader, logoutClaims()))
	f.Add("..")
	f.Add(segment(m{"alg": "none"}) + "." + segment(logoutClaims()) + ".")
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := verifier.Logout(background(), raw)
		if err != nil {
			require.Nil(t, token)
			return
		}
		require.True(t, token.Subject != "" || token.SID != "")
		require.NotEmpty(t, token.ID)
	})
}
