package oidcauthtest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

// proof returns a sound DPoP proof with changes to its claims and header.
func proof(t *testing.T, key *oidcauthtest.Key, method, uri, accessToken string, claims, head map[string]any) string {
	t.Helper()
	raw, err := jose.JSONWebKey{Key: key.Signer().Public()}.MarshalJSON()
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(accessToken))
	sound := map[string]any{"htm": method, "htu": uri, "jti": unique(), "iat": time.Now().Unix()}
	if accessToken != "" {
		sound["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	header := merge(map[string]any{"typ": "dpop+jwt", "jwk": json.RawMessage(raw)}, head)
	return signed(key, header, merge(sound, claims))
}

func TestProofs(t *testing.T) {
	key := oidcauthtest.NewKey("ES256", "")
	private, err := jose.JSONWebKey{Key: key.Signer()}.MarshalJSON()
	require.NoError(t, err)
	other, err := jose.JSONWebKey{Key: oidcauthtest.ForeignKey("ES256").Signer().Public()}.MarshalJSON()
	require.NoError(t, err)
	for name, test := range map[string]struct {
		claims, head map[string]any
		ok           bool
	}{
		"a sound one":             {nil, nil, true},
		"another method":          {map[string]any{"htm": "GET"}, nil, false},
		"another URL":             {map[string]any{"htu": "https://id.provider.test/other"}, nil, false},
		"a URL with a query":      {map[string]any{"htu": "https://id.provider.test/token?x=1"}, nil, false},
		"no jti":                  {map[string]any{"jti": nil}, nil, false},
		"an old iat":              {map[string]any{"iat": time.Now().Unix() - 301}, nil, false},
		"an iat to come":          {map[string]any{"iat": time.Now().Unix() + 120}, nil, false},
		"another typ":             {nil, map[string]any{"typ": "JWT"}, false},
		"no jwk":                  {nil, map[string]any{"jwk": nil}, false},
		"a private jwk":           {nil, map[string]any{"jwk": json.RawMessage(private)}, false},
		"a jwk that did not sign": {nil, map[string]any{"jwk": json.RawMessage(other)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
			jwt := proof(t, key, http.MethodPost, p.URL(oidcauthtest.TokenEndpoint), "", test.claims, test.head)
			status, answer := token(t, p, codeForm(newCode(t, p)), header("DPoP", jwt))
			if !test.ok {
				require.Equal(t, "invalid_dpop_proof", answer["error"])
				return
			}
			require.Equal(t, http.StatusOK, status, answer)
			require.Equal(t, "DPoP", answer["token_type"])
			_, claims := verified(t, p, answer["access_token"])
			require.Equal(t, map[string]any{"jkt": thumbprint(t, key)}, claims["cnf"])
			_, answer = token(t, p, refreshForm(answer["refresh_token"]), header("DPoP", jwt))
			require.Equal(t, "invalid_dpop_proof", answer["error"], "a proof serves once")
		})
	}
}

func TestBoundTokens(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	key, other := oidcauthtest.NewKey("ES256", ""), oidcauthtest.NewKey("ES256", "")
	at := func(e oidcauthtest.Endpoint, k *oidcauthtest.Key, access string) request {
		method := map[bool]string{true: http.MethodGet, false: http.MethodPost}[e == oidcauthtest.API]
		return header("DPoP", proof(t, k, method, p.URL(e), access, nil, nil))
	}
	_, answer := token(t, p, codeForm(newCode(t, p)), at(oidcauthtest.TokenEndpoint, key, ""))
	access := answer["access_token"].(string)
	for name, test := range map[string]struct {
		changes []request
		want    int
	}{
		"with its key's proof":       {[]request{header("Authorization", "DPoP "+access), at(oidcauthtest.API, key, access)}, 200},
		"with another key's proof":   {[]request{header("Authorization", "DPoP "+access), at(oidcauthtest.API, other, access)}, 401},
		"with a proof without ath":   {[]request{header("Authorization", "DPoP "+access), at(oidcauthtest.API, key, "")}, 401},
		"without a proof":            {[]request{header("Authorization", "DPoP "+access)}, 401},
		"as a bearer token":          {[]request{header("Authorization", "Bearer "+access)}, 401},
		"as a bearer token, a proof": {[]request{header("Authorization", "Bearer "+access), at(oidcauthtest.API, key, access)}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			status, head, _ := get(t, p, oidcauthtest.API, test.changes...)
			require.Equal(t, test.want, status, head)
		})
	}
	_, refused := token(t, p, refreshForm(answer["refresh_token"]), at(oidcauthtest.TokenEndpoint, other, ""))
	require.Equal(t, "invalid_dpop_proof", refused["error"])
	status, _ := token(t, p, refreshForm(answer["refresh_token"]), at(oidcauthtest.TokenEndpoint, key, ""))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 401, first(get(t, p, oidcauthtest.API, header("Authorization", "DPoP "+signedIn(t, p)["access_token"].(string)))), "an unbound token is no DPoP token")
}

func first(status int, _ http.Header, _ map[string]any) int { return status }

func TestServerNonces(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{DPoPNonces: true})
	key := oidcauthtest.NewKey("ES256", "")
	withNonce := func(method string, e oidcauthtest.Endpoint, access, nonce string) request {
		return header("DPoP", proof(t, key, method, p.URL(e), access, map[string]any{"nonce": nonce}, nil))
	}
	form := codeForm(newCode(t, p))
	status, head, answer := post(t, p, oidcauthtest.TokenEndpoint, form, basic("app", "app-secret"), withNonce("POST", oidcauthtest.TokenEndpoint, "", "stale"))
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "use_dpop_nonce", answer["error"])
	nonce := head.Get("DPoP-Nonce")
	status, head, answer = post(t, p, oidcauthtest.TokenEndpoint, form, basic("app", "app-secret"), withNonce("POST", oidcauthtest.TokenEndpoint, "", nonce))
	require.Equal(t, http.StatusOK, status, answer)
	require.NotEqual(t, nonce, head.Get("DPoP-Nonce"), "a success brings the next one")

	access := answer["access_token"].(string)
	auth := header("Authorization", "DPoP "+access)
	status, head, _ = get(t, p, oidcauthtest.API, auth, withNonce("GET", oidcauthtest.API, access, nonce))
	require.Equal(t, http.StatusUnauthorized, status, "a used nonce")
	require.Contains(t, head.Get("WWW-Authenticate"), `DPoP error="use_dpop_nonce"`)
	status, _, _ = get(t, p, oidcauthtest.API, auth, withNonce("GET", oidcauthtest.API, access, head.Get("DPoP-Nonce")))
	require.Equal(t, http.StatusOK, status)
}

func TestCodeBoundToAKey(t *testing.T) {
	key, other := oidcauthtest.NewKey("ES256", ""), oidcauthtest.NewKey("ES256", "")
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	at := func(e oidcauthtest.Endpoint, k *oidcauthtest.Key) request {
		return header("DPoP", proof(t, k, http.MethodPost, p.URL(e), "", nil, nil))
	}
	for name, test := range map[string]struct {
		key *oidcauthtest.Key
		ok  bool
	}{"redeemed with the same key": {key, true}, "redeemed with another key": {other, false}} {
		t.Run(name, func(t *testing.T) {
			status, answer := token(t, p, codeForm(newCode(t, p, "dpop_jkt", thumbprint(t, key))), at(oidcauthtest.TokenEndpoint, test.key))
			require.Equal(t, test.ok, status == http.StatusOK, answer)

			_, _, pushed := post(t, p, oidcauthtest.PAR, authorizeQuery(), basic("app", "app-secret"), at(oidcauthtest.PAR, key))
			params, _ := authorize(t, p, url.Values{"client_id": {"app"}, "request_uri": {pushed["request_uri"].(string)}})
			status, answer = token(t, p, codeForm(params.Get("code")), at(oidcauthtest.TokenEndpoint, test.key))
			require.Equal(t, test.ok, status == http.StatusOK, answer)
		})
	}
	_, _, answer := post(t, p, oidcauthtest.PAR, authorizeQuery("dpop_jkt", "x"), basic("app", "app-secret"), at(oidcauthtest.PAR, key))
	require.Equal(t, "invalid_dpop_proof", answer["error"])
}

func TestRequireDPoP(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	client := oidcauthtest.DefaultClient()
	client.RequireDPoP = true
	p.Register(client)
	_, answer := token(t, p, codeForm(newCode(t, p)))
	require.Equal(t, "invalid_dpop_proof", answer["error"])
}
