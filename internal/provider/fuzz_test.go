package provider_test

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
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/providertest"
	"github.com/signet-go/signet/internal/strictjson"
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
	verifier := providertest.New(nil).Verifier()
	f.Fuzz(func(t *testing.T, payload []byte) {
		token, err := provider.ReadClaims(verifier, payload)
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

func FuzzMetadata(f *testing.F) {
	f.Add(must(json.Marshal(goodMetadata())), issuer)
	f.Add(must(json.Marshal(with(goodMetadata(), m{"issuer": "http://localhost:1", "token_endpoint": "http://127.0.0.1:1/"}))), "http://localhost:1")
	f.Add([]byte(`{"issuer":"https://op.example","token_endpoint":"https:\\evil","mtls_endpoint_aliases":{"a":"file:///x"}}`), issuer)
	f.Fuzz(func(t *testing.T, document []byte, issuer string) {
		got, err := parseMetadata(document, issuer)
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

func FuzzEncryptedToken(f *testing.F) {
	verifier := providertest.New(nil).Verifier(decrypting(rsaKey(), ecKey()))
	f.Add(encrypt(&ecKey().PublicKey, jose.ECDH_ES, jose.A128GCM, "", "a.b.c"))
	f.Add(encrypt(&rsaKey().PublicKey, jose.RSA_OAEP_256, jose.A128CBC_HS256, "", "{}"))
	f.Add(segment(m{"alg": "ECDH-ES", "enc": "A128GCM", "epk": jwkOf(ecKey().Public(), ""), "apu": "AA"}) + "..AA.AA.AA")
	f.Fuzz(func(t *testing.T, raw string) {
		_, err := verifier.Login(background(), raw, expectation())
		requireTokenError(t, err)
	})
}

func FuzzLogoutToken(f *testing.F) {
	verifier := providertest.New(nil).Verifier()
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

// Whatever a document says of its sources: they are few, each is of one type, and no claim has two.
func FuzzClaimSources(f *testing.F) {
	for _, seed := range []string{
		`{"_claim_names":{"score":"src1"},"_claim_sources":{"src1":{"JWT":"a.b.c"}}}`,
		`{"_claim_names":{"score":"src1","sub":"src1","x":"src2"},"_claim_sources":{"src1":{"endpoint":"https://a.example/","access_token":"t"}}}`,
		`{"_claim_names":{"a":"1","b":"2","c":"3","d":"4","e":"5","f":"6","g":"7","h":"8","i":"9"},"_claim_sources":{}}`,
		`{"_claim_names":{"score":""},"_claim_sources":{"":{"JWT":"a"}}}`, `{"_claim_names":{"a":"b"}}`, `{"_claim_names":[],"_claim_sources":[]}`,
		`{"_claim_names":{"a":"b","\u0061":"c"},"_claim_sources":{"b":{"JWT":"x","endpoint":"y"}}}`, `{"_claim_sources":null,"_claim_names":null}`,
		`{"_claim_names":{"a":"b"},"_claim_sources":{"b":{"endpoint":"x","access_token":"a\r\nb"}}}`, `[`, ``,
	} {
		f.Add([]byte(seed))
	}
	unwanted := func(name string) bool { return name == "sub" || name == "acr" }
	f.Fuzz(func(t *testing.T, document []byte) {
		sources, err := provider.ParseClaimSources(document, func(name string) bool { return !unwanted(name) })
		if err != nil {
			require.Less(t, len(err.Error()), 1000)
			return
		}
		require.LessOrEqual(t, len(sources), provider.MaxClaimSources)
		names, taken := map[string]bool{}, map[string]bool{}
		for _, s := range sources {
			require.NotEmpty(t, s.Name)
			require.False(t, names[s.Name], "a source comes once")
			names[s.Name] = true
			require.NotEmpty(t, s.Claims)
			require.NotEqual(t, s.JWT == "", s.Endpoint == "", "of one type")
			require.Regexp(t, `^[!-~]*$`, s.AccessToken)
			for _, claim := range s.Claims {
				require.False(t, taken[claim], "a claim has one source")
				require.False(t, unwanted(claim))
				taken[claim] = true
			}
		}
		merged, err := claimspkg.MergeSourced(json.RawMessage(`{"sub":"alice","acr":"low","email":"a@x"}`), document)
		if err != nil {
			return
		}
		var after lenient
		require.NoError(t, json.Unmarshal(merged, &after))
		require.Equal(t, lenient{Subject: "alice", ACR: "low"}, after, "no protocol claim changes")
		object, err := strictjson.Parse(merged)
		require.NoError(t, err)
		require.JSONEq(t, `"a@x"`, string(object.Values["email"]))
		require.NotContains(t, object.Values, "email_verified")
	})
}
