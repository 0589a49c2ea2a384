package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
)

// An authority is a provider as the demo API sees it: metadata, keys, introspection.
type authority struct {
	*httptest.Server
	t          *testing.T
	key        *ecdsa.PrivateKey
	opaque     map[string]any // introspection answers by token; nil: no such endpoint
	keyFetches atomic.Int32
	down       atomic.Bool
	asked      func() // called by each introspection, before its answer; may be nil
}

func startAuthority(t *testing.T, opaque map[string]any) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a := &authority{t: t, key: key, opaque: opaque}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	var answer any
	switch {
	case a.down.Load():
		http.Error(w, "down", http.StatusInternalServerError)
		return
	case r.URL.Path == "/.well-known/openid-configuration":
		metadata := map[string]any{
			"issuer": a.URL, "jwks_uri": a.URL + "/keys", "authorization_endpoint": a.URL + "/authorize", "token_endpoint": a.URL + "/token",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		}
		if a.opaque != nil {
			metadata["introspection_endpoint"] = a.URL + "/introspect"
		}
		answer = metadata
	case r.URL.Path == "/keys":
		a.keyFetches.Add(1)
		answer = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: a.key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}}
	case r.URL.Path == "/introspect":
		id, secret, _ := r.BasicAuth()
		if id != "client" || secret != "secret" {
			http.Error(w, "who?", http.StatusUnauthorized)
			return
		}
		if a.asked != nil {
			a.asked()
		}
		if answer = a.opaque[r.PostFormValue("token")]; answer == nil {
			answer = map[string]any{"active": false}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		a.t.Error(err)
	}
}

// token signs claims over sensible ones; a nil value drops one.
func (a *authority) token(claims map[string]any) string {
	a.t.Helper()
	all := map[string]any{"iss": a.URL, "sub": "u1", "aud": "anybody", "client_id": "client", "scope": "read", "exp": time.Now().Add(time.Minute).Unix()}
	for name, value := range claims {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	return signAs(a.t, a.key, "k", all)
}

// typed is token with a typ in its header.
func (a *authority) typed(typ string) string {
	a.t.Helper()
	claims := map[string]any{"iss": a.URL, "sub": "u1", "exp": time.Now().Add(time.Minute).Unix()}
	return signWith(a.t, a.key, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", "k"), claims)
}

func signAs(t *testing.T, key *ecdsa.PrivateKey, kid string, claims map[string]any) string {
	t.Helper()
	return signWith(t, key, (&jose.SignerOptions{}).WithHeader("kid", kid), claims)
}

func signWith(t *testing.T, key *ecdsa.PrivateKey, options *jose.SignerOptions, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	require.NoError(t, err)
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	return token
}

// app starts the example with the authority as its provider.
func (a *authority) app(pairs ...string) *webapp {
	return startApp(a.t, append([]string{"OIDC_ISSUER", a.URL, "OIDC_CLIENT_ID", "client", "OIDC_CLIENT_SECRET", "secret"}, pairs...)...)
}

// demo sends one request to the demo API: pairs are headers.
func (a *webapp) demo(pairs ...string) page {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodGet, a.base+"/demo/api", nil)
	require.NoError(a.t, err)
	for i := 0; i < len(pairs); i += 2 {
		req.Header.Add(pairs[i], pairs[i+1])
	}
	b := newBrowser(a.t)
	b.show(req, nil)
	return b.page
}

func TestDemoAPIVerifiesTokens(t *testing.T) {
	op := startAuthority(t, nil)
	a := op.app()
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	good := op.token(nil)
	flipped := good[:len(good)-10] + strings.Map(func(r rune) rune { return 'A' + (r-'A'+1)%26 }, "ABCDEFGHIJ")
	tests := []struct {
		name, authorization string
		status              int
		code                string
	}{
		{"no token is challenged", "", 401, "unauthorized"},
		{"a good token is answered", "Bearer " + good, 200, ""},
		{"the scheme's case doesn't matter", "bearer " + good, 200, ""},
		{"an expired token is refused", "Bearer " + op.token(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), 401, "invalid_token"},
		{"a token without an end is refused", "Bearer " + op.token(map[string]any{"exp": nil}), 401, "invalid_token"},
		{"a token whose scope is a list is answered", "Bearer " + op.token(map[string]any{"scope": []string{"read", "write"}}), 200, ""},
		{"a token whose scope is a number is refused", "Bearer " + op.token(map[string]any{"scope": 7}), 401, "invalid_token"},
		{"a token of tomorrow is refused", "Bearer " + op.token(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}), 401, "invalid_token"},
		{"another issuer's token is refused", "Bearer " + op.token(map[string]any{"iss": "https://evil.example"}), 401, "invalid_token"},
		{"an ID token without a nonce is refused", "Bearer " + op.token(map[string]any{"aud": "client", "at_hash": "h"}), 401, "invalid_token"},
		{"Keycloak's ID token is refused", "Bearer " + op.token(map[string]any{"typ": "ID", "azp": "client"}), 401, "invalid_token"},
		{"Keycloak's refresh token is refused", "Bearer " + op.token(map[string]any{"typ": "Offline"}), 401, "invalid_token"},
		{"Keycloak's access token is answered", "Bearer " + op.token(map[string]any{"typ": "Bearer", "azp": "client"}), 200, ""},
		{"a nonce makes an ID token of any", "Bearer " + op.token(map[string]any{"typ": "Bearer", "nonce": "n"}), 401, "invalid_token"},
		{"an ID token is refused", "Bearer " + op.token(map[string]any{"nonce": "n"}), 401, "invalid_token"},
		{"a logout token is refused", "Bearer " + op.token(map[string]any{"events": map[string]any{}}), 401, "invalid_token"},
		{"a token that names another type is refused", "Bearer " + op.typed("Application/Logout+JWT"), 401, "invalid_token"},
		{"an access token by its type is answered", "Bearer " + op.typed("at+jwt"), 200, ""},
		{"two tokens are refused", "Bearer " + good + ", Bearer " + good, 400, "invalid_request"},
		{"what is no token is refused", "Bearer a b", 400, "invalid_request"},
		{"a scheme that is neither is refused", "Basic " + good, 401, "unauthorized"},
		{"an unbound token is not sent as DPoP", "DPoP " + good, 401, "invalid_token"},
		{"an opaque token can't be checked here", "Bearer opaque", 501, "api_url_needed"},
		{"a stranger's signature can't be checked here", "Bearer " + (&authority{Server: op.Server, t: t, key: stranger}).token(nil), 501, "api_url_needed"},
		{"a broken signature is refused", "Bearer " + flipped, 401, "invalid_token"},
		{"a certificate-bound token can't be checked here", "Bearer " + op.token(map[string]any{"cnf": map[string]string{"x5t#S256": "x"}}), 501, "api_url_needed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var header []string
			if tt.authorization != "" {
				header = []string{"Authorization", tt.authorization}
			}
			p := a.demo(header...)
			require.Equal(t, tt.status, p.status, p.body)
			if tt.status != http.StatusOK {
				requireProtected(t, p)
				require.Equal(t, tt.code, p.object(t)["error"])
			}
			if tt.status == http.StatusUnauthorized {
				require.NotEmpty(t, p.header.Get("WWW-Authenticate"))
			}
		})
	}
	require.LessOrEqual(t, op.keyFetches.Load(), int32(6), "tokens that no key verifies make the API fetch keys a few times, and no more")
}

func TestDemoAPIReadsScopesInEitherForm(t *testing.T) {
	op := startAuthority(t, map[string]any{"listed": map[string]any{"active": true, "scope": []string{"a", "b"}}})
	a := op.app()
	for name, token := range map[string]string{
		"a text": op.token(map[string]any{"scope": "a b"}), "a list": op.token(map[string]any{"scope": []string{"a", "b"}}), "introspected": "listed",
	} {
		require.Equal(t, "a b", a.demo("Authorization", "Bearer "+token).object(t)["scope"], name)
	}
	require.Equal(t, "", a.demo("Authorization", "Bearer "+op.token(map[string]any{"scope": nil})).object(t)["scope"])
}

func TestDemoAPIReadsJSONBehindAByteOrderMark(t *testing.T) {
	op := startAuthority(t, map[string]any{"known": map[string]any{"active": true, "sub": "u7"}})
	plain := op.Config.Handler
	op.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("\ufeff"))
		plain.ServeHTTP(w, r)
	})
	a := op.app()
	require.Equal(t, http.StatusOK, a.demo("Authorization", "Bearer "+op.token(nil)).status)
	require.Equal(t, http.StatusOK, a.demo("Authorization", "Bearer known").status)
}

func TestDemoAPIAsksAboutOpaqueTokens(t *testing.T) {
	op := startAuthority(t, map[string]any{"known": map[string]any{"active": true, "sub": "u7", "scope": "read"}})
	a := op.app()
	p := a.demo("Authorization", "Bearer known")
	require.Equal(t, http.StatusOK, p.status, p.body)
	require.Equal(t, "u7", p.object(t)["sub"])
	require.Equal(t, http.StatusUnauthorized, a.demo("Authorization", "Bearer unknown").status)
	require.Equal(t, http.StatusBadRequest, a.demo("Authorization", "Bearer unknown", "Authorization", "Bearer known").status, "two tokens")
}

func TestDemoAPISaysOnceThatItCannotCheckOpaqueTokens(t *testing.T) {
	a := startAuthority(t, nil).app()
	for range 3 {
		require.Equal(t, http.StatusNotImplemented, a.demo("Authorization", "Bearer opaque").status)
	}
	a.stop()
	a.wait()
	require.Equal(t, 1, strings.Count(a.output.String(), "demo API can't check this token"))
}

func TestDemoAPIAnswersManyOpaqueTokensAtOnce(t *testing.T) {
	op := startAuthority(t, map[string]any{"known": map[string]any{"active": true, "sub": "u7"}})
	const many = 24
	var asked atomic.Int32
	op.asked = func() { asked.Add(1) }
	a := op.app()
	statuses := make(chan int, many)
	for range many {
		go func() { statuses <- a.demo("Authorization", "Bearer known").status }()
	}
	for range many {
		require.Equal(t, http.StatusOK, <-statuses)
	}
	require.EqualValues(t, 1, asked.Load(), "the answer serves all of them")
}

func TestDemoAPIBelievesNoAnswerThatContradictsItself(t *testing.T) {
	op := startAuthority(t, map[string]any{
		"past":    map[string]any{"active": true, "exp": time.Now().Add(-time.Hour).Unix()},
		"future":  map[string]any{"active": true, "nbf": time.Now().Add(time.Hour).Unix()},
		"foreign": map[string]any{"active": true, "iss": "https://evil.example"},
	})
	a := op.app()
	for token := range op.opaque {
		require.Equal(t, http.StatusUnauthorized, a.demo("Authorization", "Bearer "+token).status, token)
	}
}

func TestDemoAPISurvivesAnOutage(t *testing.T) {
	op := startAuthority(t, nil)
	a := op.app()
	op.down.Store(true)
	require.Equal(t, http.StatusServiceUnavailable, a.demo("Authorization", "Bearer "+op.token(nil)).status)
}

func TestDemoAPIAcceptsAccessTokensOnlyOfTheEmbeddedProvider(t *testing.T) {
	a := startApp(t)
	op := startAuthority(t, nil)
	p := a.demo("Authorization", "Bearer "+op.token(map[string]any{"iss": a.issuer(), "aud": a.base + "/demo/api"}))
	require.Equal(t, http.StatusUnauthorized, p.status)
}

func TestDemoAPIChecksProofs(t *testing.T) {
	op := startAuthority(t, nil)
	a := op.app()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public := jose.JSONWebKey{Key: key.Public()}
	thumbprint, err := public.Thumbprint(5) // crypto.SHA256
	require.NoError(t, err)
	token := op.token(map[string]any{"cnf": map[string]string{"jkt": base64.RawURLEncoding.EncodeToString(thumbprint)}})
	sum := sha256.Sum256([]byte(token))
	ath := base64.RawURLEncoding.EncodeToString(sum[:])

	proof := func(signer *ecdsa.PrivateKey, typ string, change map[string]any) string {
		options := (&jose.SignerOptions{EmbedJWK: true}).WithType(jose.ContentType(typ))
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: signer}, options)
		require.NoError(t, err)
		claims := map[string]any{"jti": rand.Text(), "htm": "GET", "htu": a.base + "/demo/api", "iat": time.Now().Unix(), "ath": ath}
		for name, value := range change {
			claims[name] = value
			if value == nil {
				delete(claims, name)
			}
		}
		out, err := jwt.Signed(s).Claims(claims).Serialize()
		require.NoError(t, err)
		return out
	}
	good := proof(key, "dpop+jwt", nil)
	tests := []struct {
		name   string
		scheme string
		proofs []string
		status int
	}{
		{"the owner's proof is accepted", "DPoP", []string{good}, 200},
		{"a proof is good for once", "DPoP", []string{good}, 401},
		{"no proof is refused", "DPoP", nil, 401},
		{"two proofs are refused", "DPoP", []string{proof(key, "dpop+jwt", nil), proof(key, "dpop+jwt", nil)}, 401},
		{"a bound token as Bearer is refused", "Bearer", []string{proof(key, "dpop+jwt", nil)}, 401},
		{"somebody else's proof is refused", "DPoP", []string{proof(other, "dpop+jwt", nil)}, 401},
		{"a proof of another type is refused", "DPoP", []string{proof(key, "jwt", nil)}, 401},
		{"a proof for another method is refused", "DPoP", []string{proof(key, "dpop+jwt", map[string]any{"htm": "POST"})}, 401},
		{"a proof for another address is refused", "DPoP", []string{proof(key, "dpop+jwt", map[string]any{"htu": a.base + "/other"})}, 401},
		{"a proof for another token is refused", "DPoP", []string{proof(key, "dpop+jwt", map[string]any{"ath": "x"})}, 401},
		{"an old proof is refused", "DPoP", []string{proof(key, "dpop+jwt", map[string]any{"iat": time.Now().Add(-time.Hour).Unix()})}, 401},
		{"a proof from the future is refused", "DPoP", []string{proof(key, "dpop+jwt", map[string]any{"iat": time.Now().Add(time.Hour).Unix()})}, 401},
		{"a proof without jti is refused", "DPoP", []string{proof(key, "dpop+jwt", map[string]any{"jti": nil})}, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := []string{"Authorization", tt.scheme + " " + token}
			for _, p := range tt.proofs {
				header = append(header, "DPoP", p)
			}
			p := a.demo(header...)
			require.Equal(t, tt.status, p.status, p.body)
			if tt.status == http.StatusUnauthorized {
				require.Contains(t, p.header.Get("WWW-Authenticate"), "DPoP")
			}
		})
	}
}
