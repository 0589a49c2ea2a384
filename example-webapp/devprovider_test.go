package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

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

// answer reads the authorization response off the redirect to the app that the browser can't follow.
func (rp *relyingParty) answer(b *browser, act func()) url.Values {
	rp.t.Helper()
	var query url.Values
	follow := b.client.Transport
	b.client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if "http://"+r.URL.Host == nowhere {
			query = r.URL.Query()
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}}, nil
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	defer func() { b.client.Transport = follow }()
	act()
	require.NotNil(rp.t, query, "the provider did not send the browser back, but showed %d\n%s", b.page.status, b.page.body)
	return query
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

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

func TestDevProviderSignsIn(t *testing.T) {
	rp, b := startProvider(t, nil), newBrowser(t)
	require.Equal(t, http.StatusOK, b.open(rp.authorizeURL()).status)
	for name, password := range devUsers() {
		require.Contains(t, b.page.body, name, "the form shows who can sign in")
		require.Contains(t, b.page.body, password, "and with which password")
	}
	query := rp.answer(b, func() { b.signIn("alice", "wonderland") })
	require.Equal(t, "the-state", query.Get("state"))
	require.Equal(t, rp.Issuer, query.Get("iss"), "RFC 9207")

	status, answer := rp.redeem(query.Get("code"))
	require.Equal(t, http.StatusOK, status)
	require.LessOrEqual(t, answer.ExpiresIn, 300, "short, so that a refresh can be watched")
	id := rp.claims(answer.IDToken, jose.RS256)
	require.Equal(t, rp.Issuer, id["iss"])
	require.Equal(t, rp.ClientID, id["aud"])
	require.Equal(t, "the-nonce", id["nonce"])
	require.Equal(t, "Alice Adams", id["name"])
	require.Equal(t, []any{"admin", "user"}, id["roles"])
	require.InDelta(t, time.Now().Unix(), id["auth_time"], 60)
	require.NotEmpty(t, id["sid"])

	access := rp.claims(answer.AccessToken, jose.RS256)
	require.Equal(t, nowhere+"/demo/api", access["aud"])
	require.Equal(t, id["sub"], access["sub"])
	var info map[string]any
	require.Equal(t, http.StatusOK, rp.get("/userinfo", answer.AccessToken, &info))
	require.Equal(t, "alice@example.com", info["email"])
	require.Equal(t, id["sub"], info["sub"])

	status, _ = rp.redeem(query.Get("code"))
	require.Equal(t, http.StatusBadRequest, status, "a code is good for once")
}

func TestDevProviderGivesWhatScopesSay(t *testing.T) {
	rp, b := startProvider(t, nil), newBrowser(t)
	b.open(rp.authorizeURL("scope", "openid email"))
	query := rp.answer(b, func() { b.signIn("bob", "builder") })
	_, answer := rp.redeem(query.Get("code"))
	require.Empty(t, answer.RefreshToken, "no offline_access, no refresh token")
	id := rp.claims(answer.IDToken, jose.RS256)
	require.Equal(t, "bob@example.com", id["email"])
	require.NotContains(t, id, "name")
	require.Equal(t, []any{"user"}, id["roles"])
}

func TestDevProviderRotatesRefreshTokens(t *testing.T) {
	rp, b := startProvider(t, nil), newBrowser(t)
	first := rp.login(b)
	require.NotEmpty(t, first.RefreshToken)
	status, second := rp.refresh(first.RefreshToken)
	require.Equal(t, http.StatusOK, status)
	require.NotEmpty(t, second.RefreshToken)
	require.NotEqual(t, first.RefreshToken, second.RefreshToken)
	require.Equal(t, rp.claims(first.IDToken, jose.RS256)["auth_time"], rp.claims(second.IDToken, jose.RS256)["auth_time"])

	status, spent := rp.refresh(first.RefreshToken)
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "invalid_grant", spent.Error)
}

func TestDevProviderRefusals(t *testing.T) {
	tests := []struct {
		name  string
		extra []string
		error string
	}{
		{"a request without PKCE is refused", []string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		{"plain PKCE is refused", []string{"code_challenge_method", "plain"}, "invalid_request"},
		{"prompt=none without a login says login_required", []string{"prompt", "none"}, "login_required"},
		{"an unknown scope is refused", []string{"scope", "openid root"}, "invalid_scope"},
	}
	rp := startProvider(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBrowser(t)
			query := rp.answer(b, func() { b.open(rp.authorizeURL(tt.extra...)) })
			require.Equal(t, tt.error, query.Get("error"))
			require.Empty(t, query.Get("code"))
		})
	}
	t.Run("an unregistered redirect URI is not followed", func(t *testing.T) {
		p := newBrowser(t).open(rp.authorizeURL("redirect_uri", "https://evil.example/"))
		require.Equal(t, http.StatusBadRequest, p.status)
		require.Empty(t, p.steps)
		require.NotContains(t, p.body, "evil.example")
	})
	t.Run("a wrong password asks again", func(t *testing.T) {
		b := newBrowser(t)
		b.open(rp.authorizeURL())
		require.Equal(t, http.StatusUnauthorized, b.signIn("alice", "builder").status)
		require.Contains(t, b.page.body, `role="alert"`)
		query := rp.answer(b, func() { b.signIn("alice", "wonderland") })
		require.NotEmpty(t, query.Get("code"))
	})
	t.Run("declining says access_denied", func(t *testing.T) {
		b := newBrowser(t)
		b.open(rp.authorizeURL())
		query := rp.answer(b, func() { b.submit("/authorize/", url.Values{"action": {"deny"}}) })
		require.Equal(t, "access_denied", query.Get("error"))
	})
	t.Run("a finished form gives no second code", func(t *testing.T) {
		b := newBrowser(t)
		b.open(rp.authorizeURL())
		form := b.page
		require.NotEmpty(t, rp.answer(b, func() { b.signIn("alice", "wonderland") }).Get("code"))
		b.page = form
		require.Empty(t, rp.answer(b, func() { b.signIn("alice", "wonderland") }).Get("code"))
	})
	t.Run("another site can't post the form", func(t *testing.T) {
		b := newBrowser(t)
		b.open(rp.authorizeURL())
		b.page.url, _ = url.Parse("https://evil.example/")
		b.page.body = strings.ReplaceAll(b.page.body, `action="/`, `action="`+rp.Issuer+`/`)
		require.Equal(t, http.StatusForbidden, b.signIn("alice", "wonderland").status)
	})
}

func TestDevProviderSingleSignOn(t *testing.T) {
	rp, b := startProvider(t, nil), newBrowser(t)
	first := rp.claims(rp.login(b).IDToken, jose.RS256)

	t.Run("a second login asks no password, nor does prompt=none", func(t *testing.T) {
		query := rp.answer(b, func() { b.open(rp.authorizeURL("prompt", "none")) })
		_, answer := rp.redeem(query.Get("code"))
		second := rp.claims(answer.IDToken, jose.RS256)
		require.Equal(t, first["auth_time"], second["auth_time"])
		require.Equal(t, first["sid"], second["sid"])
	})
	t.Run("a max_age that is not reached asks no password", func(t *testing.T) {
		rp.answer(b, func() { b.open(rp.authorizeURL("max_age", "3600")) })
	})
	for _, extra := range [][]string{{"prompt", "login"}, {"max_age", "0"}} {
		t.Run(strings.Join(extra, "=")+" asks for the password", func(t *testing.T) {
			require.Contains(t, b.open(rp.authorizeURL(extra...)).body, `name="password"`)
			query := rp.answer(b, func() { b.signIn("alice", "wonderland") })
			require.NotEmpty(t, query.Get("code"))
		})
	}
}

func TestDevProviderSignsOut(t *testing.T) {
	logout := func(rp *relyingParty, hint string) string {
		q := url.Values{"client_id": {rp.ClientID}, "post_logout_redirect_uri": {rp.PostLogoutURI}, "state": {"bye"}}
		if hint != "" {
			q.Set("id_token_hint", hint)
		}
		return rp.Issuer + "/logout?" + q.Encode()
	}
	signedIn := func(rp *relyingParty, b *browser) bool {
		return rp.answer(b, func() { b.open(rp.authorizeURL("prompt", "none")) }).Get("code") != ""
	}
	t.Run("at once with an id_token_hint", func(t *testing.T) {
		rp, b := startProvider(t, nil), newBrowser(t)
		hint := rp.login(b).IDToken
		require.True(t, signedIn(rp, b))
		query := rp.answer(b, func() { b.open(logout(rp, hint)) })
		require.Equal(t, "bye", query.Get("state"))
		require.False(t, signedIn(rp, b))
	})
	t.Run("without a hint only after asking", func(t *testing.T) {
		rp, b := startProvider(t, nil), newBrowser(t)
		rp.login(b)
		require.Contains(t, b.open(logout(rp, "")).body, "Sign out?")
		form := b.page
		require.True(t, signedIn(rp, b), "asking ends nothing")
		b.page = form
		require.Equal(t, "bye", rp.answer(b, func() { b.submit("/logout/", nil) }).Get("state"))
		require.False(t, signedIn(rp, b))
	})
	t.Run("a foreign post-logout address is not followed", func(t *testing.T) {
		rp, b := startProvider(t, nil), newBrowser(t)
		hint := rp.login(b).IDToken
		p := b.open(rp.Issuer + "/logout?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://evil.example"}}.Encode())
		require.Equal(t, http.StatusBadRequest, p.status)
		require.Empty(t, p.steps)
	})
}

func TestDevProviderMachineClient(t *testing.T) {
	rp := startProvider(t, nil)
	status, answer := rp.token(url.Values{"grant_type": {"client_credentials"}})
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, answer.RefreshToken)
	require.Equal(t, rp.ClientID, rp.claims(answer.AccessToken, jose.RS256)["sub"])
}

func TestDevProviderFollowsTheConfiguration(t *testing.T) {
	for _, alg := range []jose.SignatureAlgorithm{jose.PS256, jose.ES256, jose.EdDSA} {
		t.Run("tokens are signed with "+string(alg), func(t *testing.T) {
			rp, b := startProvider(t, func(c *oidcauth.Config) { c.SigningAlg = string(alg) }), newBrowser(t)
			require.Equal(t, "Alice Adams", rp.claims(rp.login(b).IDToken, alg)["name"])
		})
	}
	t.Run("a client key authenticates by private_key_jwt", func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		rp := startProvider(t, func(c *oidcauth.Config) {
			c.ClientAuth = oidcauth.ClientAuth{Method: oidcauth.PrivateKeyJWT, Key: key}
		})
		assertion := sign(t, key, map[string]any{
			"iss": rp.ClientID, "sub": rp.ClientID, "aud": rp.Issuer, "jti": rand.Text(), "exp": time.Now().Add(time.Minute).Unix(),
		})
		form := url.Values{
			"grant_type":            {"client_credentials"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
		}
		status, _ := rp.token(form)
		require.Equal(t, http.StatusOK, status)
		status, again := rp.token(form)
		require.Equal(t, http.StatusUnauthorized, status, "an assertion is good for once")
		require.Equal(t, "invalid_client", again.Error)
	})
	t.Run("an acr that logins ask for is granted", func(t *testing.T) {
		rp, b := startProvider(t, func(c *oidcauth.Config) { c.Login.ACRValues = []string{"gold", "silver"} }), newBrowser(t)
		b.open(rp.authorizeURL("acr_values", "gold silver"))
		query := rp.answer(b, func() { b.signIn("alice", "wonderland") })
		_, answer := rp.redeem(query.Get("code"))
		require.Equal(t, "gold", rp.claims(answer.IDToken, jose.RS256)["acr"])
	})
}

func TestDevProviderListensOnLoopbackOnly(t *testing.T) {
	rp := startProvider(t, nil)
	u, err := url.Parse(rp.Issuer)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", u.Hostname())
}

func TestDevProviderForgetsTheOldestLogins(t *testing.T) {
	rp := startProvider(t, nil)
	first := newBrowser(t)
	rp.login(first)
	for i := range 110 { // more than the provider's library keeps
		b := newBrowser(t)
		b.open(rp.authorizeURL("state", strconv.Itoa(i)))
		require.Equal(t, http.StatusOK, b.page.status)
	}
	last := newBrowser(t)
	require.NotEmpty(t, rp.login(last).IDToken, "a crowd of unfinished logins locks nobody out")
}

func sign(t *testing.T, key *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	require.NoError(t, err)
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	return token
}
