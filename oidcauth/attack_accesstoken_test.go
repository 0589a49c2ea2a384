package oidcauth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// Tokens that the right key has signed, or nearly, and that are not for this API.
func TestWhatIsNoAccessTokenForThisAPIIsRefused(t *testing.T) {
	_ = newWorld(t) // makes "app" a client of this process
	now := time.Now()
	for name, bends := range map[string][]tokenBend{
		"another audience":                        {claim("aud", "https://other.example")},
		"no audience":                             {without("aud")},
		"an empty audience":                       {claim("aud", []string{})},
		"an audience that begins alike":           {claim("aud", ordersAPI+"/")},
		"an audience of numbers":                  {claim("aud", []any{1, ordersAPI})},
		"another issuer":                          {claim("iss", "https://evil.example")},
		"an issuer with a slash":                  {claim("iss", oidcauthtest.DefaultIssuer+"/")},
		"no issuer":                               {without("iss")},
		"an issuer in a list":                     {claim("iss", []string{oidcauthtest.DefaultIssuer})},
		"expired, within the skew":                {claim("exp", now.Add(-2*time.Second).Unix())},
		"expired long ago":                        {claim("exp", now.Add(-time.Hour).Unix())},
		"no end":                                  {without("exp")},
		"an end that is null":                     {claim("exp", nil)},
		"an end in a text":                        {claim("exp", fmt.Sprint(now.Add(time.Hour).Unix()))},
		"not valid yet":                           {claim("nbf", now.Add(time.Hour).Unix())},
		"issued tomorrow":                         {claim("iat", now.Add(24*time.Hour).Unix())},
		"authenticated tomorrow":                  {claim("auth_time", now.Add(24*time.Hour).Unix())},
		"an ID token by its nonce":                {claim("nonce", "n")},
		"a nonce that is null":                    {claim("nonce", nil)},
		"an ID token by its at_hash":              {claim("at_hash", "h")},
		"an ID token by its c_hash":               {claim("c_hash", "h")},
		"a logout token by its events":            {claim("events", map[string]any{})},
		"an ID token by its aud":                  {typed("JWT"), claim("aud", "app")},
		"an ID token for us, too":                 {typed("JWT"), claim("aud", []string{"app", ordersAPI})},
		"the same without a type":                 {typed(""), claim("aud", []string{ordersAPI, "app"})},
		"a logout token by its type":              {typed("logout+jwt")},
		"a DPoP proof by its type":                {typed("dpop+jwt")},
		"a device's proof by its type":            {typed("dbsc+jwt")},
		"an introspection answer":                 {typed("token-introspection+jwt")},
		"a request object":                        {typed("oauth-authz-req+jwt")},
		"a type that nobody knows":                {typed("secret")},
		"a signed response by its code":           {typed("JWT"), without("sub"), claim("code", "c"), claim("state", "s")},
		"a signed response with an error":         {typed(""), without("sub"), without("client_id"), claim("error", "access_denied")},
		"Keycloak's ID token":                     {typed("JWT"), claim("typ", "ID")},
		"Keycloak's refresh token":                {typed("JWT"), claim("typ", "Refresh")},
		"Keycloak's offline token":                {claim("typ", "Offline")},
		"Keycloak's DPoP token, unbound":          {claim("typ", "DPoP")},
		"Cognito's ID token":                      {claim("token_use", "id")},
		"a sub that is a number":                  {claim("sub", 7)},
		"a sub of 256 bytes":                      {claim("sub", strings.Repeat("x", 256))},
		"a sub with a line end":                   {claim("sub", "a\nb")},
		"a scope that is a number":                {claim("scope", 7)},
		"a scope that is an object":               {claim("scope", map[string]string{})},
		"two audiences":                           {func(t *oidcauthtest.Token) { t.Claims.Add("aud", "https://other.example") }},
		"two subjects":                            {func(t *oidcauthtest.Token) { t.Claims.Add("sub", "root") }},
		"a subject in capitals":                   {func(t *oidcauthtest.Token) { t.Claims.Add("SUB", "root") }},
		"bound to what nobody knows":              {claim("cnf", map[string]string{"kid": "k"})},
		"bound to a key and something else":       {claim("cnf", map[string]string{"jkt": "x", "jwe": "y"})},
		"bound by what is registered nowhere":     {claim("cnf", map[string]string{"kc-jkt-type": "x"})},
		"bound to nothing":                        {claim("cnf", map[string]string{})},
		"bound by a text":                         {claim("cnf", "jkt")},
		"bound to an empty key":                   {claim("cnf", map[string]string{"jkt": ""})},
		"critical extensions":                     {func(t *oidcauthtest.Token) { t.Header.Set("crit", []string{"x"}) }},
		"an unencoded payload":                    {func(t *oidcauthtest.Token) { t.Header.Set("b64", false) }},
		"a flipped signature":                     {(*oidcauthtest.Token).FlipSignature},
		"a stranger's signature":                  {func(t *oidcauthtest.Token) { t.Key = foreign() }},
		"a stranger's key, with a kid of its own": {func(t *oidcauthtest.Token) { t.SignWith(foreign()) }},
		"a stranger's key in the header": {func(t *oidcauthtest.Token) {
			t.SignWith(foreign())
			t.Header.Set("jwk", foreign().JWK())
		}},
		"no signature":                  {func(t *oidcauthtest.Token) { t.Unsign("none") }},
		"no signature, in odd case":     {func(t *oidcauthtest.Token) { t.Unsign("nOnE") }},
		"no signature, as if signed":    {func(t *oidcauthtest.Token) { t.Unsign("RS256") }},
		"an algorithm that is not ours": {func(t *oidcauthtest.Token) { t.Header.Set("alg", "HS256") }},
		"an algorithm of another key":   {func(t *oidcauthtest.Token) { t.Header.Set("alg", "ES256") }},
		"white space at its end":        {func(t *oidcauthtest.Token) { t.Rewrite(func(s string) string { return s + "=" }) }},
		"64 kB":                         {claim("padding", strings.Repeat("x", 64<<10))},
		"a million dots":                {func(t *oidcauthtest.Token) { t.Rewrite(func(string) string { return strings.Repeat(".", 1_000_000) }) }},
		"10,000 deep": {func(t *oidcauthtest.Token) {
			t.Claims.Replace(`{"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newOrdersWorld(t)
			require.Equal(t, http.StatusOK, w.bearer(w.token()).Code, "the control")
			answer := w.bearer(w.token(bends...))
			requireTokenRefused(t, answer, http.StatusUnauthorized, "invalid_token")
			require.NotContains(t, w.log.String(), w.token()[:40], "no token is logged")
			require.LessOrEqual(t, w.provider.Count(oidcauthtest.JWKS), 2)
		})
	}
}

// The public key is no secret: whoever takes it for one signs for everybody (RFC 8725 §2.1).
func TestHMACWithThePublicKeyIsRefused(t *testing.T) {
	w := newOrdersWorld(t)
	for _, secret := range [][]byte{w.provider.Key().PublicPEM(), []byte("app-secret")} {
		token := w.token(func(tok *oidcauthtest.Token) { tok.SignWith(oidcauthtest.HMACKey(secret)) })
		requireTokenRefused(t, w.bearer(token), http.StatusUnauthorized, "invalid_token")
	}
	require.Zero(t, w.provider.Count(oidcauthtest.JWKS), "what needs no key comes first")
}

// Of two algorithms that one key can have, the configuration may want one.
func TestAnAlgorithmThatIsNotConfiguredIsRefused(t *testing.T) {
	w := newOrdersWorld(t, func(c *oidcauth.ResourceConfig) { c.SigningAlgs = []string{"PS256"} })
	requireTokenRefused(t, w.bearer(w.token()), http.StatusUnauthorized, "invalid_token")
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.Alg = "PS256" })
	require.Equal(t, http.StatusOK, w.bearer(w.token()).Code)
}

// Every tenant of a template is an issuer of its own (RFC 9068 §4).
func TestTokensOfOtherTenantsAreRefused(t *testing.T) {
	const own, other = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
	const template = "https://id.provider.test/{tenantid}/v2.0"
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://id.provider.test/organizations/v2.0"})
	p.BendMetadata(func(o *oidcauthtest.Object) { o.Set("issuer", template) })
	resource, err := oidcauth.NewResource(oidcauth.ResourceConfig{
		URL: ordersAPI, Audience: []string{ordersAPI}, HTTPClient: p.Client(),
		Issuers: []oidcauth.TokenIssuer{{Issuer: template, Tenants: []string{own}}},
	})
	require.NoError(t, err)
	h := resource.Require()(http.HandlerFunc(writeCaller))
	of := func(iss, tid string) string {
		return "Bearer " + accessToken(p, claim("iss", "https://id.provider.test/"+iss+"/v2.0"), claim("tid", tid))
	}
	require.Equal(t, http.StatusOK, askOf(h, http.MethodGet, "/", "Authorization", of(own, own)).Code)
	for _, pair := range [][2]string{{other, other}, {own, other}, {other, own}, {"organizations", own}, {"{tenantid}", own}} {
		requireTokenRefused(t, askOf(h, http.MethodGet, "/", "Authorization", of(pair[0], pair[1])), http.StatusUnauthorized, "invalid_token")
	}
}

// Two issuers of one API vouch for their own users only.
func TestAnIssuerCanNotSpeakForAnother(t *testing.T) {
	first := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	second := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://second.provider.test"})
	first.Network().Handle(second.Issuer(), second)
	resource, err := oidcauth.NewResource(oidcauth.ResourceConfig{
		URL: ordersAPI, Audience: []string{ordersAPI}, HTTPClient: first.Client(),
		Issuers: []oidcauth.TokenIssuer{{Issuer: first.Issuer()}, {Issuer: second.Issuer()}},
	})
	require.NoError(t, err)
	h := resource.Require()(http.HandlerFunc(writeCaller))
	require.Equal(t, http.StatusOK, askOf(h, http.MethodGet, "/", "Authorization", "Bearer "+accessToken(first)).Code)
	require.Equal(t, http.StatusOK, askOf(h, http.MethodGet, "/", "Authorization", "Bearer "+accessToken(second)).Code)
	forged := accessToken(second, claim("iss", first.Issuer()))
	requireTokenRefused(t, askOf(h, http.MethodGet, "/", "Authorization", "Bearer "+forged), http.StatusUnauthorized, "invalid_token")
}

// A flood of tokens with unknown kids makes a handful of fetches, and costs nobody else anything; a login's refetch least of all.
func TestAFloodOfUnknownKeysIsBraked(t *testing.T) {
	w := newWorld(t)
	resource, err := oidcauth.NewResource(oidcauth.ResourceConfig{
		URL: ordersAPI, Audience: []string{ordersAPI}, Issuers: []oidcauth.TokenIssuer{{Auth: w.auth}},
	})
	require.NoError(t, err)
	h := resource.Require()(http.HandlerFunc(writeCaller))
	ask := func(token string) int { return askOf(h, http.MethodGet, "/", "Authorization", "Bearer "+token).Code }
	require.Equal(t, http.StatusOK, ask(accessToken(w.provider)))
	for i := range 100 {
		forged := accessToken(w.provider, func(tok *oidcauthtest.Token) {
			tok.Key = foreign()
			tok.Header.Set("kid", fmt.Sprint("unknown-", i))
		})
		require.Equal(t, http.StatusUnauthorized, ask(forged))
	}
	require.LessOrEqual(t, w.provider.Count(oidcauthtest.JWKS), 6)
	require.Equal(t, http.StatusOK, ask(accessToken(w.provider)), "known keys serve on")
	w.provider.RotateKey()
	w.signIn()
}

func TestARotatedKeyIsFetchedOnce(t *testing.T) {
	w := newOrdersWorld(t)
	require.Equal(t, http.StatusOK, w.bearer(w.token()).Code)
	w.provider.RotateKey()
	require.Equal(t, http.StatusOK, w.bearer(w.token()).Code)
	require.Equal(t, http.StatusOK, w.bearer(w.token()).Code)
	require.Equal(t, 2, w.provider.Count(oidcauthtest.JWKS))
}

// Who can't have the keys knows nothing about a token.
func TestAnOutageOfTheIssuerIsNoRefusal(t *testing.T) {
	w := newOrdersWorld(t)
	w.provider.Intercept(oidcauthtest.JWKS, oidcauthtest.Reply(500, "text/plain", "down"))
	requireTokenRefused(t, w.bearer(w.token()), http.StatusServiceUnavailable, "provider_unavailable")
}
