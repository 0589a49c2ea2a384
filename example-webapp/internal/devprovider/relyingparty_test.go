package devprovider_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/example-webapp/internal/devprovider"
	"github.com/signet-go/signet/example-webapp/internal/serving"
	"github.com/signet-go/signet/oidcauth"
)

// nowhere is an app that does not run: the tests below play it.
const nowhere = "http://localhost:1"

// A relyingParty is a client of the embedded provider, written out by hand so that the provider is tested against the
// specifications and not against the library.
type relyingParty struct {
	t *testing.T

	Issuer, ClientID, ClientSecret, RedirectURI, PostLogoutURI string

	verifier string
}

// startProvider serves the embedded provider alone; change is told of its client before.
func startProvider(t *testing.T, change func(*oidcauth.Config)) *relyingParty {
	o := &oidcauth.Config{RedirectURL: nowhere + "/auth/callback", SigningAlg: "RS256"}
	o.ClientAuth.Method = oidcauth.ClientSecretBasic
	if change != nil {
		change(o)
	}
	app := devprovider.App{
		OIDC: o, API: nowhere + "/demo/api", Static: http.NotFoundHandler(), PostLogoutURI: nowhere + "/auth/signed-out",
		Scopes: []string{"openid", "profile", "email", "offline_access"},
	}
	p, err := devprovider.Start(app, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	server := &httptest.Server{Listener: p.Listener, Config: serving.NewServer(p.Handler, 0)}
	server.Start()
	t.Cleanup(server.Close)
	return &relyingParty{
		t: t, verifier: rand.Text() + rand.Text(), Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret,
		RedirectURI: o.RedirectURL, PostLogoutURI: app.PostLogoutURI,
	}
}

// authorizeURL is an authentication request; pairs in extra replace its parameters, an empty value drops one.
func (rp *relyingParty) authorizeURL(extra ...string) string {
	challenge := sha256.Sum256([]byte(rp.verifier))
	q := url.Values{
		"client_id": {rp.ClientID}, "redirect_uri": {rp.RedirectURI}, "response_type": {"code"}, "state": {"the-state"},
		"nonce": {"the-nonce"}, "scope": {"openid profile email offline_access"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(extra); i += 2 {
		q.Set(extra[i], extra[i+1])
		if extra[i+1] == "" {
			q.Del(extra[i])
		}
	}
	return rp.Issuer + "/authorize?" + q.Encode()
}

// answer reads the authorization response off the redirect to the app.
func (rp *relyingParty) answer(b *browser, act func()) url.Values {
	rp.t.Helper()
	b.brought = nil
	act()
	require.NotNil(rp.t, b.brought, "the provider did not send the browser back, but showed %d\n%s", b.page.Status, b.page.Body)
	return b.brought
}

type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	Error        string `json:"error"`
}

func (rp *relyingParty) token(form url.Values) (int, tokens) {
	rp.t.Helper()
	req, err := http.NewRequest(http.MethodPost, rp.Issuer+"/token", strings.NewReader(form.Encode()))
	require.NoError(rp.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if form.Get("client_assertion") == "" {
		req.SetBasicAuth(rp.ClientID, rp.ClientSecret)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(rp.t, err)
	defer resp.Body.Close()
	var answer tokens
	require.NoError(rp.t, json.NewDecoder(resp.Body).Decode(&answer))
	return resp.StatusCode, answer
}

func (rp *relyingParty) redeem(code string) (int, tokens) {
	rp.t.Helper()
	return rp.token(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {rp.RedirectURI}, "code_verifier": {rp.verifier},
	})
}

func (rp *relyingParty) refresh(token string) (int, tokens) {
	rp.t.Helper()
	return rp.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// claims verifies a token with the provider's published keys.
func (rp *relyingParty) claims(token string, alg jose.SignatureAlgorithm) map[string]any {
	rp.t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{alg})
	require.NoError(rp.t, err)
	var set jose.JSONWebKeySet
	rp.get("/jwks", "", &set)
	keys := set.Key(parsed.Headers[0].KeyID)
	require.Len(rp.t, keys, 1)
	claims := make(map[string]any)
	require.NoError(rp.t, parsed.Claims(keys[0].Key, &claims))
	return claims
}

func (rp *relyingParty) get(path, bearer string, into any) int {
	rp.t.Helper()
	req, err := http.NewRequest(http.MethodGet, rp.Issuer+path, nil)
	require.NoError(rp.t, err)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(rp.t, err)
	defer resp.Body.Close()
	require.NoError(rp.t, json.NewDecoder(resp.Body).Decode(into))
	return resp.StatusCode
}

// login signs alice in and returns her tokens.
func (rp *relyingParty) login(b *browser) tokens {
	rp.t.Helper()
	b.open(rp.authorizeURL())
	query := rp.answer(b, func() { b.signIn("alice", "wonderland") })
	status, answer := rp.redeem(query.Get("code"))
	require.Equal(rp.t, http.StatusOK, status)
	return answer
}

func sign(t *testing.T, key *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	require.NoError(t, err)
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	return token
}
