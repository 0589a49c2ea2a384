package oidcauthtest_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

const (
	callback = oidcauthtest.DefaultApp + "/auth/callback"
	verifier = "a-code-verifier-of-at-least-forty-three-characters"
)

// authorizeQuery is a sound authorization request; overrides of "" delete.
func authorizeQuery(overrides ...string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {callback}, "scope": {"openid offline_access"},
		"state": {"the-state"}, "nonce": {"the-nonce"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	override(q, overrides)
	return q
}

func override(form url.Values, pairs []string) {
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
}

// authorize sends the query as a browser without cookies, and returns the
// parameters of the redirect back, nil with the page's status without one.
func authorize(t *testing.T, p *oidcauthtest.Provider, q url.Values) (url.Values, int) {
	t.Helper()
	b := oidcauthtest.NewBrowser(p)
	b.PauseAt(oidcauthtest.DefaultApp)
	page := b.Get(p.URL(oidcauthtest.Authorize) + "?" + q.Encode())
	if page.Paused == nil {
		return nil, page.Status
	}
	u, err := url.Parse(page.Paused.URL)
	require.NoError(t, err)
	return u.Query(), 0
}

func newCode(t *testing.T, p *oidcauthtest.Provider, overrides ...string) string {
	t.Helper()
	params, status := authorize(t, p, authorizeQuery(overrides...))
	require.NotEmpty(t, params.Get("code"), "status %d, %v", status, params)
	return params.Get("code")
}

func codeForm(code string, overrides ...string) url.Values {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	override(form, overrides)
	return form
}

func refreshForm(token any) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.(string)}}
}

// request changes a request before it is sent.
type request func(*http.Request)

func basic(id, secret string) request { return func(r *http.Request) { r.SetBasicAuth(id, secret) } }
func header(name, value string) request {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// post sends a form and returns status, headers and JSON of the answer.
func post(t *testing.T, p *oidcauthtest.Provider, e oidcauthtest.Endpoint, form url.Values, changes ...request) (int, http.Header, map[string]any) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, p.URL(e), strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, p, r, changes...)
}

func get(t *testing.T, p *oidcauthtest.Provider, e oidcauthtest.Endpoint, changes ...request) (int, http.Header, map[string]any) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, p.URL(e), nil)
	require.NoError(t, err)
	return do(t, p, r, changes...)
}

func do(t *testing.T, p *oidcauthtest.Provider, r *http.Request, changes ...request) (int, http.Header, map[string]any) {
	t.Helper()
	for _, change := range changes {
		change(r)
	}
	response, err := p.Client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	var answer map[string]any
	_ = json.Unmarshal(body, &answer)
	return response.StatusCode, response.Header, answer
}

// token posts to the token endpoint as the default client.
func token(t *testing.T, p *oidcauthtest.Provider, form url.Values, changes ...request) (int, map[string]any) {
	t.Helper()
	status, _, answer := post(t, p, oidcauthtest.TokenEndpoint, form, append([]request{basic("app", "app-secret")}, changes...)...)
	return status, answer
}

// signedIn returns the token answer of a login as the default client.
func signedIn(t *testing.T, p *oidcauthtest.Provider) map[string]any {
	t.Helper()
	status, answer := token(t, p, codeForm(newCode(t, p)))
	require.Equal(t, http.StatusOK, status, answer)
	return answer
}

// verified returns the claims of a JWT that the provider's key signed.
func verified(t *testing.T, p *oidcauthtest.Provider, compact any) (header, claims map[string]any) {
	t.Helper()
	jws, err := jose.ParseSignedCompact(compact.(string), []jose.SignatureAlgorithm{"RS256", "RS384", "PS256", "ES256", "ES384", "EdDSA"})
	require.NoError(t, err)
	payload, err := jws.Verify(p.Key().Signer().Public())
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(payload, &claims))
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(compact.(string), ".")[0])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &header))
	return header, claims
}

// signed returns a JWT of the test's own, such as an assertion or a proof.
func signed(key *oidcauthtest.Key, header, claims map[string]any) string {
	t := &oidcauthtest.Token{Header: *oidcauthtest.NewObject(header), Claims: *oidcauthtest.NewObject(claims)}
	t.SignWith(key)
	return t.Compact()
}

func thumbprint(t *testing.T, key *oidcauthtest.Key) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: key.Signer().Public()}).Thumbprint(crypto.SHA256)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(sum)
}

// keySet publishes a client's key.
func keySet(keys ...*oidcauthtest.Key) jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Signer().Public(), KeyID: k.ID, Algorithm: k.Alg})
	}
	return set
}

func merge(base map[string]any, changes map[string]any) map[string]any {
	out := map[string]any{}
	for _, m := range []map[string]any{base, changes} {
		for name, value := range m {
			out[name] = value
			if value == nil {
				delete(out, name)
			}
		}
	}
	return out
}

func unique() string { return rand.Text() }
