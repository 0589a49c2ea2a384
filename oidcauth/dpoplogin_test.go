package oidcauth_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
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

func withDPoP(c *oidcauth.Config) { c.Advanced.DPoP = true }

// newDPoPWorld makes a token world whose client gets bound tokens only; nonces says that the provider's servers demand nonces.
func newDPoPWorld(t *testing.T, nonces bool, configure ...func(*oidcauth.Config)) *world {
	t.Helper()
	w := newTokenWorld(t, append([]func(*oidcauth.Config){withDPoP}, configure...)...)
	w.demandDPoP(nonces)
	return w
}

func (w *world) demandDPoP(nonces bool) {
	w.provider.Configure(func(s *oidcauthtest.Settings) {
		s.Clients[0].RequireDPoP, s.DPoPNonces = true, nonces
	})
}

// thumbprints returns the thumbprints of the keys of all proofs so far at these endpoints, each once.
func (w *world) thumbprints(endpoints ...oidcauthtest.Endpoint) []string {
	w.Helper()
	var list []string
	for _, r := range w.provider.Requests(endpoints...) {
		if r.Header.Get("DPoP") == "" {
			continue
		}
		header, _ := proofOf(w.T, &http.Request{Header: r.Header})
		if sum := thumbprintOf(header["jwk"].(m)); len(list) == 0 || list[len(list)-1] != sum {
			list = append(list, sum)
		}
	}
	return list
}

func TestALoginIsBoundToOneKeyFromItsBeginning(t *testing.T) {
	for name, configure := range map[string]func(*oidcauth.Config){
		"pushed":       pushing,
		"in the query": noPAR,
		"signed": func(c *oidcauth.Config) {
			c.Advanced.SignedRequests, c.ClientSecret, c.ClientAuth.Key = true, "", ecKey()
		},
	} {
		for _, nonces := range []bool{false, true} {
			t.Run(fmt.Sprint(name, nonces), func(t *testing.T) {
				w := newDPoPWorld(t, nonces, configure)
				if name == "signed" {
					w.provider.Configure(func(s *oidcauthtest.Settings) { s.Clients[0].Keys = keySetOf(ecKey()) })
				}
				var request url.Values
				w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) { request = a.Request })
				w.signIn()
				require.Equal(t, http.StatusOK, w.browser.NewTab().Get(app+"/call").Status)
				require.Equal(t, http.StatusOK, w.browser.NewTab().Get(app+"/token?force=1").Status)
				require.Equal(t, http.StatusOK, w.browser.NewTab().Get(app+"/call").Status)
				require.Equal(t, []string{request.Get("dpop_jkt")}, w.thumbprints(), "one key for code, userinfo, API and refresh")
				require.Equal(t, 1, w.refreshes())
				for _, r := range w.provider.Requests(oidcauthtest.UserInfo, oidcauthtest.API) {
					require.Regexp(t, "^DPoP .+", r.Header.Get("Authorization"))
				}
			})
		}
	}
}

func TestEveryLoginHasAKeyOfItsOwn(t *testing.T) {
	w := newDPoPWorld(t, false)
	seen := map[string]bool{}
	for range 20 {
		w.callbackURL()
		seen[w.authenticationRequest().Get("dpop_jkt")] = true
	}
	require.Len(t, seen, 20)
	require.False(t, seen[""])
}

func TestTheKeyIsInTheSealedSessionAndNowhereElse(t *testing.T) {
	store := session.NewMemoryStore()
	rows := &recordingStore{Store: store}
	w := newDPoPWorld(t, true, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = rows, true })
	w.signIn()
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/token?force=1").Status)
	var raw []byte
	w.mux.Handle("/key", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ = session.From(r.Context()).Get("oidc.dpop")
	})))
	w.browser.Get(app + "/key")
	require.Len(t, raw, 32)
	var all strings.Builder
	for _, e := range w.browser.History() {
		fmt.Fprintln(&all, e.URL, e.Header, e.Form, e.Answer)
	}
	for _, r := range w.provider.Requests() {
		fmt.Fprintln(&all, r.URL, r.Header, r.Form)
	}
	text := all.String() + w.log.String() + rows.String()
	for _, encoded := range []string{
		string(raw), fmt.Sprintf("%x", raw), fmt.Sprintf("%v", raw), base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
	} {
		require.NotContains(t, text, encoded)
	}
}

func TestABearerAnswerIsRefusedWhereDPoPWasAskedFor(t *testing.T) {
	w := newDPoPWorld(t, false)
	bearer := func(a *oidcauthtest.TokenAnswer) { a.Set("token_type", "Bearer") }
	w.provider.BendTokens(bearer)
	page := w.browser.Get(app + "/me")
	require.Equal(t, http.StatusBadGateway, page.Status)
	require.Contains(t, w.log.String(), "expected DPoP")
	require.False(t, w.hasSession())
	require.Zero(t, w.provider.Count(oidcauthtest.UserInfo), "nothing is sent as Bearer")

	w.provider.BendTokens(nil)
	w.signIn()
	first := w.token("").Token
	w.provider.BendTokens(bearer)
	page = w.browser.Get(app + "/token?force=1")
	require.NotEqual(t, http.StatusOK, page.Status, page.Body)
	require.Equal(t, first, w.token("").Token, "the bound token goes on to serve")
}

func TestADPoPAnswerIsRefusedWhereItWasNotAskedFor(t *testing.T) {
	w := newTokenWorld(t)
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set("token_type", "DPoP") })
	require.Equal(t, http.StatusBadGateway, w.browser.Get(app+"/me").Status)
	require.False(t, w.hasSession())
}

func TestAnotherReplicaGoesOnWithTheSessionsKey(t *testing.T) {
	for _, serverSide := range []bool{false, true} {
		t.Run(fmt.Sprint("server side ", serverSide), func(t *testing.T) {
			store := session.NewMemoryStore()
			w := newDPoPWorld(t, true, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, serverSide })
			other := newAuthenticator(t, w, withDPoP, func(c *oidcauth.Config) {
				c.Session.Store, c.Session.ServerSide, c.APIs = store, serverSide, []string{oidcauthtest.DefaultIssuer}
			})
			mux := appMux(other)
			addTokenRoutes(mux, other, w.network)
			cb := w.callbackURL()
			w.network.Handle(app, mux) // the callback comes to the other replica
			require.Equal(t, http.StatusOK, w.browser.Go(cb).Status)
			require.Equal(t, http.StatusOK, w.browser.Get(app+"/token?force=1").Status)
			w.network.Handle(app, w.mux)
			require.Equal(t, http.StatusOK, w.browser.Get(app+"/token?force=1").Status)
			require.Equal(t, http.StatusOK, w.browser.Get(app+"/call").Status)
			require.Len(t, w.thumbprints(), 1)
		})
	}
}

// breakKey adds a route to w's application that changes the session's key, and returns its URL.
func (w *world) breakKey(to []byte) string { return breakKeyAt(w.mux, w.auth, to) }

func breakKeyAt(mux *http.ServeMux, auth *oidcauth.Authenticator, to []byte) string {
	mux.Handle("/break", auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if to == nil {
			s.Delete("oidc.dpop")
			return
		}
		if err := s.Set("oidc.dpop", to); err != nil {
			panic(err)
		}
	})))
	return app + "/break"
}

func TestASessionWithoutAGoodKeyNeedsANewLogin(t *testing.T) {
	for name, key := range map[string][]byte{
		"none": nil, "short": make([]byte, 31), "zero": make([]byte, 32), "beyond the curve's order": []byte(strings.Repeat("\xff", 32)), "long": make([]byte, 64),
	} {
		t.Run(name, func(t *testing.T) {
			w := newDPoPWorld(t, false)
			w.signIn()
			require.Equal(t, http.StatusOK, w.browser.Get(w.breakKey(key)).Status)
			calls := w.provider.Count()
			require.Equal(t, http.StatusUnauthorized, w.browser.NewTab().Get(app+"/token").Status)
			require.Equal(t, http.StatusUnauthorized, w.browser.NewTab().Get(app+"/token?force=1").Status)
			require.Equal(t, http.StatusUnauthorized, w.browser.NewTab().Get(app+"/call").Status)
			require.Equal(t, calls, w.provider.Count(), "no token goes anywhere without its proof")
			require.NotContains(t, w.log.String(), "token refreshed")
			w.signIn()
			require.Equal(t, http.StatusOK, w.browser.Get(app+"/call").Status, "the new login has a new key")
			require.Len(t, w.thumbprints(), 2)
		})
	}
}

func TestAnotherKeyInTheSessionIsRefusedByTheServers(t *testing.T) {
	w := newDPoPWorld(t, false)
	w.signIn()
	w.browser.Get(w.breakKey(must(proofKey(t).Bytes())))
	require.Equal(t, http.StatusUnauthorized, w.browser.Get(app+"/call").Status)
	require.NotEqual(t, http.StatusOK, w.browser.Get(app+"/token?force=1").Status)
}

func TestSessionsFromBeforeDPoPNeedANewLogin(t *testing.T) {
	w := newTokenWorld(t)
	w.signIn()
	auth := newAuthenticator(t, w, withDPoP, func(c *oidcauth.Config) { c.APIs = []string{oidcauthtest.DefaultIssuer} })
	mux := appMux(auth)
	addTokenRoutes(mux, auth, w.network)
	w.network.Handle(app, mux)
	w.demandDPoP(false)
	w.provider.Forget()
	require.Equal(t, http.StatusUnauthorized, w.browser.NewTab().Get(app+"/call").Status)
	require.Zero(t, w.provider.Count(oidcauthtest.API), "the Bearer token is not sent")
	page := w.browser.NewTab().Fetch(app+"/me", oidcauthtest.FetchOptions{})
	require.Equal(t, http.StatusUnauthorized, page.Status)
	w.signIn()
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/call").Status)
}

func TestALoginFromBeforeDPoPIsBegunAgain(t *testing.T) {
	w := newTokenWorld(t)
	cb := w.callbackURL()
	w.network.Handle(app, appMux(newAuthenticator(t, w, withDPoP)))
	page := w.browser.Go(cb)
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint), "the code is not redeemed as Bearer")
	require.False(t, w.hasSession())
	require.Contains(t, page.Body, "/auth/login", "a link to sign in again")
}

func TestSessionsOutliveDPoPBeingTurnedOff(t *testing.T) {
	w := newDPoPWorld(t, false)
	w.signIn()
	auth := newAuthenticator(t, w, func(c *oidcauth.Config) { c.APIs = []string{oidcauthtest.DefaultIssuer} })
	mux := appMux(auth)
	addTokenRoutes(mux, auth, w.network)
	w.network.Handle(app, mux)
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/call").Status)
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/token?force=1").Status)
	require.Len(t, w.thumbprints(), 1)
	require.Equal(t, http.StatusOK, w.browser.Get(breakKeyAt(mux, auth, nil)).Status)
	calls := w.provider.Count(oidcauthtest.API)
	require.Equal(t, http.StatusUnauthorized, w.browser.Get(app+"/call").Status, "a bound token without its key is of no use")
	require.Equal(t, calls, w.provider.Count(oidcauthtest.API))
}

func TestTenTabsHaveRoomForTheirKeys(t *testing.T) {
	w := newDPoPWorld(t, false)
	var callbacks []*oidcauthtest.Navigation
	for i := range 10 {
		tab := w.browser.NewTab()
		tab.PauseAt(app + "/auth/callback")
		callbacks = append(callbacks, tab.Get(app+fmt.Sprintf("/me?tab=%d", i)).Paused)
	}
	for _, cb := range callbacks {
		require.Equal(t, http.StatusOK, w.browser.Go(cb).Status)
	}
}

func TestHostileNoncesOfTheTokenEndpoint(t *testing.T) {
	for name, row := range map[string]struct {
		nonce  []string
		tokens int // token requests of a login
	}{
		"a new one each time, for ever": {[]string{"n-1"}, 2},
		"none":                          {nil, 1},
		"one of 1 MB":                   {[]string{strings.Repeat("n", 1<<20)}, 1},
		"one with a line break":         {[]string{"a\r\nAuthorization: Bearer x"}, 1},
		"one with a quote":              {[]string{`a"b`}, 1},
		"two":                           {[]string{"a", "b"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDPoPWorld(t, false)
			w.provider.Intercept(oidcauthtest.TokenEndpoint, func(http.Handler) http.Handler {
				return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
					rw.Header()["Dpop-Nonce"] = row.nonce
					rw.WriteHeader(http.StatusBadRequest)
					_, _ = io.WriteString(rw, `{"error":"use_dpop_nonce"}`)
				})
			})
			page := w.browser.Get(app + "/me")
			require.GreaterOrEqual(t, page.Status, 400)
			require.Equal(t, row.tokens, w.provider.Count(oidcauthtest.TokenEndpoint))
			require.False(t, w.hasSession())
			require.NotContains(t, w.log.String(), "Authorization: Bearer x")
		})
	}
}

// demandNonces makes an API demand the nonce of its last answer, and then hand the request on.
func demandNonces(n *int, scheme string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, claims := proofClaims(r)
		good := *n > 0 && claims["nonce"] == fmt.Sprint("nonce-", *n)
		*n++
		w.Header().Set("DPoP-Nonce", fmt.Sprint("nonce-", *n))
		if good {
			next(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", scheme+` error="use_dpop_nonce"`)
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func TestANonceCostsAnAPICallOneRepetition(t *testing.T) {
	for _, scheme := range []string{"DPoP", "dpop", "dPOP", "DPOP", `Bearer realm="x", DpOp`} {
		t.Run(scheme, func(t *testing.T) {
			w, server, inside := newAPIWorld(t, withDPoP)
			n := 0
			server.answer = demandNonces(&n, scheme, func(http.ResponseWriter, *http.Request) {})
			inside(func(ctx context.Context) {
				for range 3 {
					req, _ := http.NewRequestWithContext(ctx, http.MethodPost, api+"/things?a=b", strings.NewReader("thing"))
					res, err := w.client().Do(req)
					require.NoError(t, err)
					require.Equal(t, http.StatusOK, res.StatusCode)
				}
			})
			require.Equal(t, []string{"thing", "thing", "thing", "thing"}, server.bodies, "the first call twice, then each nonce serves the next")
			_, claims := proofOf(t, server.seen[3])
			require.Equal(t, api+"/things", claims["htu"])
			require.Zero(t, w.refreshes())
		})
	}
}

func TestARefusedTokenAndANonceCostOneRepetitionEach(t *testing.T) {
	for name, row := range map[string]struct {
		answers []string // challenges in order; "" is 200
		calls   int
		status  int
		fresh   int // refreshes
	}{
		"a nonce, then the token":                 {[]string{"use_dpop_nonce", "invalid_token", ""}, 3, 200, 1},
		"the token, then a nonce":                 {[]string{"invalid_token", "use_dpop_nonce", ""}, 3, 200, 1},
		"nonces for ever":                         {[]string{"use_dpop_nonce", "use_dpop_nonce"}, 2, 401, 0},
		"tokens for ever":                         {[]string{"invalid_token", "invalid_token"}, 2, 401, 1},
		"a nonce, the token, and nonces again":    {[]string{"use_dpop_nonce", "invalid_token", "use_dpop_nonce"}, 3, 401, 1},
		"the token, a nonce, and the token again": {[]string{"invalid_token", "use_dpop_nonce", "invalid_token"}, 3, 401, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, server, inside := newAPIWorld(t, withDPoP)
				n := 0
				server.answer = func(rw http.ResponseWriter, _ *http.Request) {
					code := row.answers[min(n, len(row.answers)-1)]
					n++
					rw.Header().Set("DPoP-Nonce", fmt.Sprint("nonce-", n))
					if code != "" {
						rw.Header().Set("WWW-Authenticate", `DPoP error="`+code+`"`)
						rw.WriteHeader(http.StatusUnauthorized)
					}
				}
				time.Sleep(time.Minute) // a token may be refused by now
				inside(func(ctx context.Context) {
					req, _ := http.NewRequestWithContext(ctx, http.MethodPut, api, strings.NewReader("body"))
					res, err := w.client().Do(req)
					require.NoError(t, err)
					require.Equal(t, row.status, res.StatusCode)
				})
				require.Len(t, server.seen, row.calls)
				require.Equal(t, row.fresh, w.refreshes())
				for _, body := range server.bodies {
					require.Equal(t, "body", body)
				}
			})
		})
	}
}

func TestNoncesOfOneServerAreNotShownToAnother(t *testing.T) {
	w, server, inside := newAPIWorld(t, withDPoP, func(c *oidcauth.Config) { c.APIs = []string{api, "https://other.test"} })
	server.answer = func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("DPoP-Nonce", "of-api") }
	other := new(apiServer)
	w.network.Handle("https://other.test", other)
	inside(func(ctx context.Context) {
		for _, target := range []string{api, "https://other.test", api} {
			_, err := get(ctx, w.client(), target)
			require.NoError(t, err)
		}
	})
	_, claims := proofOf(t, other.seen[0])
	require.NotContains(t, claims, "nonce")
	_, claims = proofOf(t, server.seen[1])
	require.Equal(t, "of-api", claims["nonce"])
}

func TestParallelCallsWithANonceForEachAllSucceed(t *testing.T) {
	w := newDPoPWorld(t, true)
	w.signIn()
	cookies := w.cookies()
	for _, answer := range w.sendAll(20, cookies, "/token?force=1") {
		require.Equal(t, http.StatusOK, answer.Code, answer.Body)
	}
}

func TestAProxiedRequestsOwnProofIsReplaced(t *testing.T) {
	w, server, inside := newAPIWorld(t, withDPoP)
	inside(func(ctx context.Context) {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, api, nil)
		req.Header.Set("DPoP", "theirs")
		req.Header.Set("Authorization", "DPoP theirs")
		_, err := w.client().Do(req)
		require.NoError(t, err)
		require.Equal(t, "theirs", req.Header.Get("DPoP"), "the caller's request is left alone")
	})
	proofOf(t, server.seen[0])
	require.NotContains(t, server.seen[0].Header.Get("Authorization"), "theirs")
}

func TestAProofOfTheCallersDoesNotGoOutBesideABearerToken(t *testing.T) {
	w, server, inside := newAPIWorld(t)
	inside(func(ctx context.Context) {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, api, nil)
		req.Header.Set("DPoP", "theirs")
		_, err := w.client().Do(req)
		require.NoError(t, err)
	})
	require.Empty(t, server.seen[0].Header.Values("DPoP"))
}

func TestATokenThatLeavesSaysItsType(t *testing.T) {
	w, _, inside := newAPIWorld(t, withDPoP)
	inside(func(ctx context.Context) {
		token, err := w.auth.TokenSource(ctx).Token()
		require.NoError(t, err)
		require.Equal(t, "DPoP", token.TokenType)
	})
}

// A recordingStore remembers everything that was ever written.
type recordingStore struct {
	session.Store
	mu  sync.Mutex
	all strings.Builder
}

func (s *recordingStore) note(values ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.all, "%s\n", values)
}

func (s *recordingStore) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

func (s *recordingStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	s.note(key, value)
	return s.Store.Set(ctx, key, value, ttl)
}

func (s *recordingStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	s.note(key, value)
	return s.Store.Add(ctx, key, value, ttl)
}

func (s *recordingStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	s.note(key, value)
	return s.Store.Swap(ctx, key, old, value, ttl)
}

// proofClaims is the header and claims of r's proof, unverified.
func proofClaims(r *http.Request) (header, claims m) {
	parts := strings.Split(r.Header.Get("DPoP"), ".")
	for i, to := range []*m{&header, &claims} {
		if len(parts) == 3 {
			raw, _ := base64.RawURLEncoding.DecodeString(parts[i])
			_ = json.Unmarshal(raw, to)
		}
	}
	return header, claims
}

// thumbprintOf is the RFC 7638 thumbprint of a P-256 key.
func thumbprintOf(jwk m) string {
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, jwk["x"], jwk["y"]))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// keySetOf is the key set that a client registers.
func keySetOf(keys ...crypto.Signer) (set jose.JSONWebKeySet) {
	for _, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public()})
	}
	return set
}
