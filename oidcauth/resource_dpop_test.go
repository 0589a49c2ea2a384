package oidcauth_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A keyHolder has the key that a token is bound to.
type keyHolder struct {
	*testing.T
	key *oidcauthtest.Key
}

func newKeyHolder(t *testing.T, alg string) *keyHolder {
	t.Helper()
	return &keyHolder{t, oidcauthtest.NewKey(alg, "")}
}

// thumbprint is the keyHolder's jkt.
func (h *keyHolder) thumbprint() string {
	h.Helper()
	sum, err := (&jose.JSONWebKey{Key: h.key.Signer().Public()}).Thumbprint(5) // crypto.SHA256
	require.NoError(h, err)
	return base64.RawURLEncoding.EncodeToString(sum)
}

// bound bends a token to the keyHolder's key.
func (h *keyHolder) bound() tokenBend { return claim("cnf", map[string]string{"jkt": h.thumbprint()}) }

// proof returns one for a GET of /orders with token, bent.
func (h *keyHolder) proof(token string, bends ...tokenBend) string {
	h.Helper()
	sum := sha256.Sum256([]byte(token))
	t := new(oidcauthtest.Token)
	t.Header.Set("typ", "dpop+jwt")
	t.Header.Set("jwk", h.key.JWK())
	for name, value := range map[string]any{
		"jti": rand.Text(), "htm": "GET", "htu": ordersAPI + "/orders", "iat": time.Now().Unix(), "ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	} {
		t.Claims.Set(name, value)
	}
	t.SignWith(h.key)
	for _, bend := range bends {
		bend(t)
	}
	return t.Compact()
}

func TestABoundTokenComesFromWhoHasItsKey(t *testing.T) {
	w := newOrdersWorld(t)
	for _, alg := range []string{"ES256", "RS256", "PS256", "EdDSA"} {
		h := newKeyHolder(t, alg)
		token := w.token(h.bound())
		c := w.caller(w.ask("Authorization", "DPoP "+token, "DPoP", h.proof(token)))
		require.True(t, c.SenderConstrained, alg)
		c = w.caller(w.ask("Authorization", "dpop "+token, "DPoP", h.proof(token, typed("application/DPoP+JWT"))))
		require.Equal(t, "alice", c.Subject)
	}
	h := newKeyHolder(t, "ES256")
	keycloak := w.token(h.bound(), typed("JWT"), claim("typ", "DPoP"))
	w.caller(w.ask("Authorization", "DPoP "+keycloak, "DPoP", h.proof(keycloak)))
	for _, htu := range []string{ordersAPI + "/orders?q=1#x", ordersAPI + ":443/orders", "HTTPS://API.example.test/orders"} {
		token := w.token(h.bound())
		w.caller(w.ask("Authorization", "DPoP "+token, "DPoP", h.proof(token, claim("htu", htu))))
	}
}

// Keycloak says in cnf what kind of key jkt is, which binds the token to nothing else.
func TestWhatDoesNotBindATokenIsIgnoredBesideItsKey(t *testing.T) {
	w, h := newOrdersWorld(t), newKeyHolder(t, "ES256")
	token := w.token(claim("cnf", map[string]string{"jkt": h.thumbprint(), "kc-jkt-type": "x"}))
	require.True(t, w.caller(w.ask("Authorization", "DPoP "+token, "DPoP", h.proof(token))).SenderConstrained)
	requireTokenRefused(t, w.ask("Authorization", "DPoP "+token), http.StatusUnauthorized, "invalid_dpop_proof")
	for _, other := range []string{"jwk", "jwe", "kid", "jku", "osc"} {
		token := w.token(claim("cnf", map[string]string{"jkt": h.thumbprint(), other: "x"}))
		requireTokenRefused(t, w.ask("Authorization", "DPoP "+token, "DPoP", h.proof(token)), http.StatusUnauthorized, "invalid_token")
	}
}

func TestProofsThatAreNotForThisRequestAreRefused(t *testing.T) {
	w := newOrdersWorld(t)
	h, stranger := newKeyHolder(t, "ES256"), newKeyHolder(t, "ES256")
	now := time.Now()
	for name, bends := range map[string][]tokenBend{
		"another method":           {claim("htm", "POST")},
		"a method in another case": {claim("htm", "get")},
		"no method":                {without("htm")},
		"another path":             {claim("htu", ordersAPI+"/other")},
		"a path in another case":   {claim("htu", ordersAPI+"/Orders")},
		"a path with a slash":      {claim("htu", ordersAPI+"/orders/")},
		"another host":             {claim("htu", "https://evil.example/orders")},
		"another port":             {claim("htu", ordersAPI+":8443/orders")},
		"another scheme":           {claim("htu", "http://api.example.test/orders")},
		"a user before the host":   {claim("htu", "https://x@api.example.test/orders")},
		"a path alone":             {claim("htu", "/orders")},
		"no URL":                   {without("htu")},
		"another token":            {claim("ath", base64.RawURLEncoding.EncodeToString(make([]byte, 32)))},
		"no token":                 {without("ath")},
		"of 61 seconds ago":        {claim("iat", now.Add(-62*time.Second).Unix())},
		"of 61 seconds ahead":      {claim("iat", now.Add(62*time.Second).Unix())},
		"without a time":           {without("iat")},
		"with a time in a text":    {claim("iat", "now")},
		"without an id":            {without("jti")},
		"with an empty id":         {claim("jti", "")},
		"with an id of 300 bytes":  {claim("jti", incompressible(300))},
		"of another type":          {typed("JWT")},
		"without a type":           {typed("")},
		"an access token's type":   {typed("at+jwt")},
		"with a private key in it": {func(t *oidcauthtest.Token) {
			t.Header.Set("jwk", map[string]string{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"})
		}},
		"with a symmetric key in it":      {func(t *oidcauthtest.Token) { t.Header.Set("jwk", map[string]string{"kty": "oct", "k": "AA"}) }},
		"with a key for encryption in it": {func(t *oidcauthtest.Token) { k := h.key.JWK(); k.Set("use", "enc"); t.Header.Set("jwk", k) }},
		"without a key":                   {func(t *oidcauthtest.Token) { t.Header.Delete("jwk") }},
		"of another key":                  {func(t *oidcauthtest.Token) { t.Header.Set("jwk", stranger.key.JWK()); t.Key = stranger.key }},
		"signed by another key":           {func(t *oidcauthtest.Token) { t.Key = stranger.key }},
		"unsigned":                        {func(t *oidcauthtest.Token) { t.Unsign("none") }},
		"with critical extensions":        {func(t *oidcauthtest.Token) { t.Header.Set("crit", []string{"x"}) }},
		"of 9 kB":                         {claim("padding", incompressible(9<<10))},
		"with a claim twice":              {func(t *oidcauthtest.Token) { t.Claims.Add("htm", "GET") }},
	} {
		t.Run(name, func(t *testing.T) {
			token := w.token(h.bound())
			answer := w.ask("Authorization", "DPoP "+token, "DPoP", h.proof(token, bends...))
			requireTokenRefused(t, answer, http.StatusUnauthorized, "invalid_dpop_proof")
			require.Contains(t, answer.Header().Get("WWW-Authenticate"), "DPoP ")
		})
	}
	token := w.token(h.bound())
	one, two := h.proof(token), h.proof(token)
	for _, headers := range map[string][]string{"none": nil, "an empty one": {"DPoP", ""}, "two": {"DPoP", one, "DPoP", two}, "two in one": {"DPoP", one + ", " + two}} {
		answer := w.ask(append([]string{"Authorization", "DPoP " + token}, headers...)...)
		requireTokenRefused(t, answer, http.StatusUnauthorized, "invalid_dpop_proof")
	}
	w.caller(w.ask("Authorization", "DPoP "+token, "DPoP", one))
}

func TestATokenComesWithItsOwnSchemeOnly(t *testing.T) {
	w := newOrdersWorld(t)
	h := newKeyHolder(t, "ES256")
	bound, loose := w.token(h.bound()), w.token()
	for name, headers := range map[string][]string{
		"a bound one as Bearer":              {"Authorization", "Bearer " + bound},
		"a bound one as Bearer with a proof": {"Authorization", "Bearer " + bound, "DPoP", h.proof(bound)},
		"a loose one as DPoP":                {"Authorization", "DPoP " + loose},
		"a loose one as DPoP with a proof":   {"Authorization", "DPoP " + loose, "DPoP", h.proof(loose)},
	} {
		answer := w.ask(headers...)
		requireTokenRefused(t, answer, http.StatusUnauthorized, "invalid_token")
		require.NotEmpty(t, name)
	}
	require.Contains(t, w.ask("Authorization", "Bearer "+bound).Header().Get("WWW-Authenticate"), "DPoP ", "the scheme that would do comes first")
}

// The memory of proofs is shared where there is a Store, and a proof that comes to two processes at once passes in one.
func TestAProofPassesOnce(t *testing.T) {
	store := session.NewMemoryStore()
	share := func(c *oidcauth.ResourceConfig) { c.Store, c.Keys = store, []string{testKey} }
	for name, row := range map[string]struct {
		configure []func(*oidcauth.ResourceConfig)
		processes int
	}{"in one process": {nil, 1}, "in two that share a Store": {[]func(*oidcauth.ResourceConfig){share}, 2}} {
		t.Run(name, func(t *testing.T) {
			var worlds []*ordersWorld
			for range row.processes {
				worlds = append(worlds, newOrdersWorld(t, row.configure...))
			}
			h := newKeyHolder(t, "ES256")
			token := worlds[0].token(h.bound())
			proof := h.proof(token)
			var mu sync.Mutex
			var all sync.WaitGroup
			counts := map[int]int{}
			for i := range 8 {
				all.Go(func() {
					code := worlds[i%len(worlds)].ask("Authorization", "DPoP "+token, "DPoP", proof).Code
					mu.Lock()
					defer mu.Unlock()
					counts[code]++
				})
			}
			all.Wait()
			require.Equal(t, map[int]int{200: 1, 401: 7}, counts)
		})
	}
}

func TestProofsThatCanNotBeRememberedDoNotPass(t *testing.T) {
	store := &fullStore{session.NewMemoryStore()}
	w := newOrdersWorld(t, func(c *oidcauth.ResourceConfig) { c.Store, c.Keys = store, []string{testKey} })
	h := newKeyHolder(t, "ES256")
	token := w.token(h.bound())
	requireTokenRefused(t, w.ask("Authorization", "DPoP "+token, "DPoP", h.proof(token)), http.StatusServiceUnavailable, "store_unavailable")
}

// A fullStore takes nothing.
type fullStore struct{ *session.MemoryStore }

func (*fullStore) Add(_ context.Context, _ string, _ []byte, _ time.Duration) (bool, error) {
	return false, errors.New("down")
}

func TestANonceIsDemandedAndFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrdersWorld(t, func(c *oidcauth.ResourceConfig) { c.DPoPNonces = true })
		h := newKeyHolder(t, "ES256")
		ask := func(bends ...tokenBend) *httptest.ResponseRecorder {
			token := w.token(h.bound())
			return w.ask("Authorization", "DPoP "+token, "DPoP", h.proof(token, bends...))
		}
		first := ask()
		requireTokenRefused(t, first, http.StatusUnauthorized, "use_dpop_nonce")
		nonce := first.Header().Get("DPoP-Nonce")
		require.NotEmpty(t, nonce)
		answer := ask(claim("nonce", nonce))
		w.caller(answer)
		require.Empty(t, answer.Header().Get("DPoP-Nonce"))
		for _, wrong := range []string{"x", nonce + "x", nonce[:len(nonce)-1] + "~"} {
			requireTokenRefused(t, ask(claim("nonce", wrong)), http.StatusUnauthorized, "use_dpop_nonce")
		}
		time.Sleep(3 * time.Minute)
		answer = ask(claim("nonce", nonce))
		w.caller(answer)
		require.NotEmpty(t, answer.Header().Get("DPoP-Nonce"), "it is followed in time")
		time.Sleep(3 * time.Minute)
		requireTokenRefused(t, ask(claim("nonce", nonce)), http.StatusUnauthorized, "use_dpop_nonce")
	})
}

// htu is compared with what the configuration says that callers see, never with what the request says.
func TestProofsAreForTheConfiguredURL(t *testing.T) {
	w := newOrdersWorld(t, func(c *oidcauth.ResourceConfig) { c.URL = "https://shop.example.test/api/" })
	h := newKeyHolder(t, "ES256")
	for htu, status := range map[string]int{
		"https://shop.example.test/api/orders": 200, "https://api.example.test/orders": 401, "https://shop.example.test/orders": 401, "https://shop.example.test/api/api/orders": 401,
	} {
		token := w.token(h.bound())
		require.Equal(t, status, w.ask("Authorization", "DPoP "+token, "DPoP", h.proof(token, claim("htu", htu)), "X-Forwarded-Host", "api.example.test").Code, htu)
	}
}

func TestAGuardWithinAnotherTakesTheProofOnce(t *testing.T) {
	w, h := newOrdersWorld(t), newKeyHolder(t, "ES256")
	token := w.token(h.bound())
	within := w.resource.Require(oidcauth.HasScope("read"))(http.HandlerFunc(writeCaller))
	w.handler = w.resource.Require()(within)
	proof := h.proof(token)
	w.caller(w.ask("Authorization", "DPoP "+token, "DPoP", proof))
	requireTokenRefused(t, w.ask("Authorization", "DPoP "+token, "DPoP", proof), http.StatusUnauthorized, "invalid_dpop_proof")

	w.handler = w.resource.Require()(w.resource.Require(oidcauth.HasScope("admin"))(http.HandlerFunc(writeCaller)))
	requireTokenRefused(t, w.ask("Authorization", "DPoP "+token, "DPoP", h.proof(token)), http.StatusForbidden, "insufficient_scope")
}
