package oidcauth_test

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

const bureau = "https://bureau.example.test"

// A bureauWorld is a world in which a credit bureau may speak for the score and the postal address.
type bureauWorld struct {
	*world
	bureau *oidcauthtest.Provider
}

func newBureauWorld(t *testing.T, configure ...func(*oidcauth.Config)) *bureauWorld {
	t.Helper()
	trust := func(c *oidcauth.Config) {
		c.PAR = oidcauth.PAROff
		c.Advanced.ClaimsProviders = []oidcauth.ClaimsProvider{{Issuer: bureau, Claims: []string{"score", "address"}}}
	}
	w := &bureauWorld{newWorld(t, append([]func(*oidcauth.Config){trust}, configure...)...),
		oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: bureau})}
	w.network.Handle(bureau, w.bureau)
	return w
}

// says has userinfo name the bureau for the score.
func (w *bureauWorld) says(source any) {
	w.provider.BendUserInfo(func(t *oidcauthtest.Token) { t.AddSource("src1", source, "score") })
}

// claims are those of who is signed in.
func (w *bureauWorld) claims() (claims map[string]any) {
	w.Helper()
	require.NoError(w, json.Unmarshal(w.user().Claims, &claims))
	return claims
}

func (w *bureauWorld) aggregated(hooks ...func(*oidcauthtest.Token)) map[string]any {
	return w.bureau.AggregatedSource("app", map[string]any{"score": 650}, hooks...)
}

func (w *bureauWorld) distributed(hooks ...func(*oidcauthtest.Token)) map[string]any {
	return w.bureau.DistributedSource("app", map[string]any{"score": 650}, hooks...)
}

// requireScore signs in and asserts that the score is there.
func (w *bureauWorld) requireScore() {
	w.Helper()
	w.anew()
	w.signIn()
	require.EqualValues(w, 650, w.claims()["score"], w.log)
	w.anew()
	w.bureau.Forget()
}

// requireNoScore signs in and asserts that the score is not there, that the log says why, and that a guard refuses for it.
func (w *bureauWorld) requireNoScore() {
	w.Helper()
	w.signIn()
	require.NotContains(w, w.claims(), "score")
	require.Contains(w, w.log.String(), `msg="claim source refused"`)
	require.Equal(w, http.StatusForbidden, w.browser.Get(app+"/scored").Status)
	requireQuietLog(w.T, w.world)
}

// guardScore adds a page for who has a score of 650.
func (w *bureauWorld) guardScore() {
	w.mux.Handle("/scored", w.auth.Require(oidcauth.Claim("score", "650"))(http.HandlerFunc(writeUser)))
}

func TestABentSourceOfClaimsIsNotBelieved(t *testing.T) {
	for name, bend := range map[string]func(*oidcauthtest.Token){
		"the issuer is another":      claim("iss", "https://evil.example"),
		"the issuer has a slash":     claim("iss", bureau+"/"),
		"the issuer is the provider": claim("iss", oidcauthtest.DefaultIssuer),
		"the issuer is absent":       without("iss"),
		"the issuer is a list":       claim("iss", []string{bureau}),
		"the audience is another":    claim("aud", "other"),
		"the audience is empty":      claim("aud", []string{}),
		"the audience is null":       claim("aud", nil),
		"alg is none":                func(tok *oidcauthtest.Token) { tok.Unsign("none") },
		"alg is None":                func(tok *oidcauthtest.Token) { tok.Unsign("None") },
		"alg is another one":         func(tok *oidcauthtest.Token) { tok.SignWith(oidcauthtest.ForeignKey("ES256")) },
		"another key signed it":      func(tok *oidcauthtest.Token) { tok.Key = foreign() },
		"an embedded key signed it":  func(tok *oidcauthtest.Token) { tok.SignWith(foreign()); tok.Header.Set("jwk", foreign().JWK()) },
		"a linked key signed it":     func(tok *oidcauthtest.Token) { tok.Key = foreign(); tok.Header.Set("jku", "https://evil.example/jwks") },
		"HS256 with our secret":      func(tok *oidcauthtest.Token) { tok.SignWith(oidcauthtest.HMACKey([]byte("app-secret"))) },
		"one bit is flipped":         func(tok *oidcauthtest.Token) { tok.FlipSignature() },
		"it has expired":             claim("exp", ago(time.Hour)),
		"exp is null":                claim("exp", nil),
		"exp is text":                claim("exp", "tomorrow"),
		"nbf is to come":             claim("nbf", time.Now().Add(time.Hour).Unix()),
		"iat is to come":             claim("iat", time.Now().Add(time.Hour).Unix()),
		"sub is a number":            claim("sub", 7),
		"sub is empty":               claim("sub", ""),
		"there is a crit header":     func(tok *oidcauthtest.Token) { tok.Header.Set("crit", []string{"x"}) },
		"it is an ID token":          claim("nonce", "x"),
		"it is a logout token":       claim("events", map[string]any{logoutEvent: map[string]any{}}),
		"it is an access token":      func(tok *oidcauthtest.Token) { tok.Header.Set("typ", "at+jwt") },
		"the claim comes twice":      func(tok *oidcauthtest.Token) { tok.Claims.Add("score", 850) },
		"iss comes twice":            func(tok *oidcauthtest.Token) { tok.Claims.Add("iss", bureau) },
		"ISS is beside iss":          claim("ISS", bureau),
		"the claim is not there":     without("score"),
		"it is encrypted":            rewritten(func(raw string) string { return oidcauthtest.Encrypt("ECDH-ES", "A256GCM", ecKey().Public())(raw) }),
		"it is a million dots":       rewritten(func(string) string { return strings.Repeat(".", 1_000_000) }),
		"it is too large":            claim("padding", strings.Repeat("x", jwt.MaxToken)),
		"it is 10,000 deep":          claim("x", literal(strings.Repeat(`{"a":`, 10000)+"1"+strings.Repeat("}", 10000))),
	} {
		t.Run(name, func(t *testing.T) {
			w := newBureauWorld(t, decryptingWith(ecKey()))
			w.guardScore()
			calls := w.evil()
			for _, source := range []func(...func(*oidcauthtest.Token)) map[string]any{w.aggregated, w.distributed} {
				w.says(source())
				w.requireScore()
				w.says(source(bend))
				w.requireNoScore()
			}
			for _, url := range calls() {
				require.True(t, strings.HasPrefix(url, bureau+"/"), url)
			}
		})
	}
}

// decryptingWith opens encrypted ID tokens, which claims providers don't send.
func decryptingWith(key *ecdsa.PrivateKey) func(*oidcauth.Config) {
	return func(c *oidcauth.Config) { c.Advanced.DecryptionKeys = append(c.Advanced.DecryptionKeys, key) }
}

func TestADocumentThatNamesItsSourcesOddlyNamesNone(t *testing.T) {
	w := newBureauWorld(t)
	w.guardScore()
	good := func() any { return w.aggregated() }
	names := func(value any) func(*oidcauthtest.Token) {
		return func(tok *oidcauthtest.Token) {
			tok.AddSource("src1", good(), "score")
			tok.Claims.Set("_claim_names", value)
		}
	}
	sources := func(value any) func(*oidcauthtest.Token) {
		return func(tok *oidcauthtest.Token) {
			tok.AddSource("src1", good(), "score")
			tok.Claims.Set("_claim_sources", value)
		}
	}
	source := func(value any) func(*oidcauthtest.Token) { return sources(map[string]any{"src1": value}) }
	endpoint := bureau + "/claims"
	for name, bend := range map[string]func(*oidcauthtest.Token){
		"the names are a list":             names([]string{"score"}),
		"a name leads to a number":         names(map[string]any{"score": 1}),
		"a name leads to nothing":          names(map[string]any{"score": nil}),
		"a name leads to another source":   names(map[string]any{"score": "src2"}),
		"a name leads to SRC1":             names(map[string]any{"score": "SRC1"}),
		"the sources are a list":           sources([]any{w.aggregated()}),
		"the sources are null":             sources(nil),
		"there are no sources":             func(tok *oidcauthtest.Token) { tok.Claims.Set("_claim_names", map[string]any{"score": "src1"}) },
		"the source is a token":            source(w.aggregated()["JWT"]),
		"the source is empty":              source(map[string]any{}),
		"the JWT is spelled jwt":           source(map[string]any{"jwt": w.aggregated()["JWT"]}),
		"the JWT is empty":                 source(map[string]any{"JWT": ""}),
		"the JWT is an object":             source(map[string]any{"JWT": map[string]any{}}),
		"there is a JWT and an endpoint":   source(map[string]any{"JWT": w.aggregated()["JWT"], "endpoint": endpoint}),
		"the endpoint is empty":            source(map[string]any{"endpoint": ""}),
		"the endpoint is a list":           source(map[string]any{"endpoint": []string{endpoint}}),
		"the access token ends the header": source(map[string]any{"endpoint": endpoint, "access_token": "x\r\nHost: evil.example"}),
		"the access token is a number":     source(map[string]any{"endpoint": endpoint, "access_token": 7}),
		"there are too many": func(tok *oidcauthtest.Token) {
			for i := range provider.MaxClaimSources + 1 {
				tok.AddSource(fmt.Sprint("src", i), good(), []string{"score", "address", "c2", "c3", "c4", "c5", "c6", "c7", "c8"}[i])
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBureauWorld(t, func(c *oidcauth.Config) {
				c.Advanced.ClaimsProviders[0].Claims = append(c.Advanced.ClaimsProviders[0].Claims, "c2", "c3", "c4", "c5", "c6", "c7", "c8")
			})
			w.guardScore()
			w.says(w.aggregated())
			w.requireScore()
			w.provider.BendUserInfo(bend)
			w.requireNoScore()
			require.Zero(t, w.bureau.Count(oidcauthtest.Claims), "nothing was asked")
		})
	}
}

// A provider that is talked into naming an address has us call it only where the configuration says that a claims provider is.
func TestSourcesAreAskedOnlyAtTheOriginsOfTheirClaimsProvider(t *testing.T) {
	for _, endpoint := range []string{
		"http://169.254.169.254/latest/meta-data", "https://169.254.169.254/", "https://127.0.0.1/", "https://127.1/", "https://2130706433/",
		"https://0x7f000001/", "https://017700000001/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:10.0.0.1]/",
		"https://10.0.0.1/", "https://localhost/", "https://evil.example/claims", "http://bureau.example.test/claims",
		"https://bureau.example.test:8443/claims", "https://bureau.example.test.evil.example/claims", "https://bureau.example.test@evil.example/claims",
		"https://evil.example#@bureau.example.test/claims", "https://evil.example\\@bureau.example.test/claims", "//bureau.example.test/claims",
		"/claims", "file:///etc/passwd", "gopher://bureau.example.test/", "https:bureau.example.test/claims", "https://user@bureau.example.test/claims",
		"https://bureau.example.test/claims#f", "https://bureau.example.test/%zz", "https://id.provider.test/userinfo",
		"https://bureau.example.test/" + strings.Repeat("x", 3000), "https://bureau%2eexample.test/claims", "https:///claims", "\x00",
	} {
		t.Run(endpoint[:min(len(endpoint), 60)], func(t *testing.T) {
			w := newBureauWorld(t)
			w.guardScore()
			calls := w.evil()
			w.says(w.distributed())
			w.requireScore()
			before := len(calls())
			w.says(map[string]any{"endpoint": endpoint, "access_token": "secret-of-the-source"})
			w.requireNoScore()
			require.Len(t, calls(), before, "nobody was called")
			require.NotContains(t, w.log.String(), "secret-of-the-source")
		})
	}
}

func TestAnEndpointOfClaimsThatAnswersOddlyIsNotBelieved(t *testing.T) {
	for name, layer := range map[string]oidcauthtest.Middleware{
		"it redirects to an attacker":  oidcauthtest.Redirect(302, "https://evil.example/claims"),
		"it redirects to this machine": oidcauthtest.Redirect(307, "https://127.0.0.1/"),
		"it redirects to itself":       oidcauthtest.Redirect(308, "/claims2"),
		"it never ends":                oidcauthtest.Endless("application/jwt", "eyJ", "x"),
		"it breaks off":                oidcauthtest.Cut(20),
		"it drops the connection":      oidcauthtest.Drop(),
		"it is a page":                 oidcauthtest.Reply(200, "text/html", "<html>score 650</html>"),
		"it is JSON":                   oidcauthtest.Reply(200, "application/json", `{"iss":"`+bureau+`","score":650}`),
		"it is empty":                  oidcauthtest.Reply(200, "application/jwt", ""),
		"it refuses":                   oidcauthtest.Challenge(`Bearer error="invalid_token"`),
		"it has failed":                oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Status = 500 }),
		"it repeats the access token": func(http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rw.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(rw, `{"error":"invalid_token","error_description":%q}`, r.Header.Get("Authorization"))
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBureauWorld(t)
			w.guardScore()
			calls := w.evil()
			w.says(w.distributed())
			w.requireScore()
			source := w.distributed()
			w.says(source)
			w.bureau.Intercept(oidcauthtest.Claims, layer)
			w.requireNoScore()
			require.Equal(t, 1, w.bureau.Count(oidcauthtest.Claims), "asked once")
			require.LessOrEqual(t, w.bureau.Last(oidcauthtest.Claims).Sent, int64(2<<20))
			require.NotContains(t, w.log.String(), source["access_token"])
			for _, url := range calls() {
				require.True(t, strings.HasPrefix(url, bureau+"/"), url)
			}
		})
	}
}

// What a source says beyond the claims that it is named for, and trusted with, is not heard.
func TestASourceSpeaksForItsClaimsOnly(t *testing.T) {
	w := newBureauWorld(t)
	all := map[string]any{
		"score": 650, "address": "1 Main Street", "name": "Mallory", "email": "admin@example.test", "email_verified": true, "roles": []string{"admin"},
		"sub": "bob", "acr": "gold", "amr": []string{"hwk"}, "sid": "other", "auth_time": 1, "azp": "evil", "tid": "evil",
	}
	w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("address", "the provider's") })
	w.provider.BendUserInfo(func(tok *oidcauthtest.Token) {
		names := append([]string{"extra", "Score"}, mapsKeys(all)...)
		tok.AddSource("src1", w.bureau.AggregatedSource("app", all), names...)
	})
	w.signIn()
	u, claims := w.user(), w.claims()
	require.EqualValues(t, 650, claims["score"])
	require.Equal(t, "the provider's", claims["address"], "what was said is not replaced")
	require.Equal(t, "alice", u.Subject)
	require.Equal(t, "Alice Adams", u.Name)
	require.Equal(t, "alice@example.test", u.Email)
	require.Equal(t, []string{"user"}, u.Roles)
	require.Equal(t, []string{"pwd"}, u.AMR)
	require.Empty(t, u.ACR)
	require.NotEqual(t, "other", u.SessionID)
	require.WithinDuration(t, time.Now(), u.AuthTime, time.Minute)
	require.NotContains(t, claims, "tid")
	require.NotContains(t, claims, "azp")
}

func mapsKeys(m map[string]any) (names []string) {
	for name := range maps.Keys(m) {
		names = append(names, name)
	}
	return names
}

// A claim is taken only where the document names its source, whatever else the JWT says and the claims provider may.
func TestASourceSaysNothingThatItIsNotNamedFor(t *testing.T) {
	w := newBureauWorld(t)
	w.says(w.bureau.AggregatedSource("app", map[string]any{"score": 650, "address": "1 Main Street"}))
	w.signIn()
	require.EqualValues(t, 650, w.claims()["score"])
	require.NotContains(t, w.claims(), "address")
}

// Roles come from a source only where the configuration says so.
func TestRolesOfASourceCountOnlyWhenTheyAreNamed(t *testing.T) {
	for _, named := range []bool{false, true} {
		w := newBureauWorld(t, func(c *oidcauth.Config) {
			if named {
				c.Advanced.ClaimsProviders[0].Claims = []string{"roles"}
			}
		})
		w.provider.Configure(func(s *oidcauthtest.Settings) { delete(s.User.Claims, "roles") })
		w.provider.BendUserInfo(func(tok *oidcauthtest.Token) {
			tok.AddSource("src1", w.bureau.AggregatedSource("app", map[string]any{"roles": []string{"admin"}}), "roles")
		})
		w.signIn()
		want := map[bool]int{false: http.StatusForbidden, true: http.StatusOK}[named]
		require.Equal(t, want, w.browser.Get(app+"/admin").Status)
	}
}

// Two claims providers: neither speaks in the other's name, nor for the other's claims.
func TestClaimsProvidersDoNotSpeakForEachOther(t *testing.T) {
	const registry = "https://registry.example.test"
	other := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: registry})
	newPair := func(t *testing.T) *bureauWorld {
		w := newBureauWorld(t, func(c *oidcauth.Config) {
			c.Advanced.ClaimsProviders = append(c.Advanced.ClaimsProviders, oidcauth.ClaimsProvider{Issuer: registry, Claims: []string{"licence"}})
		})
		w.network.Handle(registry, other)
		w.guardScore()
		return w
	}
	score := map[string]any{"score": 650}
	for name, source := range map[string]map[string]any{
		"with its own name":               other.AggregatedSource("app", score),
		"with the other's name":           other.AggregatedSource("app", score, claim("iss", bureau)),
		"at its own endpoint":             other.DistributedSource("app", score),
		"at its endpoint under that name": other.DistributedSource("app", score, claim("iss", bureau)),
	} {
		t.Run(name, func(t *testing.T) {
			w := newPair(t)
			w.says(source)
			w.requireNoScore()
			require.Zero(t, other.Count(oidcauthtest.Claims))
		})
	}
	t.Run("not even where the document names one for both", func(t *testing.T) {
		w := newPair(t)
		both := w.bureau.AggregatedSource("app", map[string]any{"score": 650, "licence": "A"})
		w.provider.BendUserInfo(func(tok *oidcauthtest.Token) { tok.AddSource("src1", both, "score", "licence") })
		w.signIn()
		require.EqualValues(t, 650, w.claims()["score"])
		require.NotContains(t, w.claims(), "licence")
	})
	t.Run("each for its own", func(t *testing.T) {
		w := newPair(t)
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.AddSource("src1", w.distributed(), "score") })
		w.provider.BendUserInfo(func(tok *oidcauthtest.Token) {
			tok.AddSource("src1", other.DistributedSource("app", map[string]any{"licence": "B"}), "licence")
		})
		w.signIn()
		require.EqualValues(t, 650, w.claims()["score"])
		require.Equal(t, "B", w.claims()["licence"])
	})
}

// At the provider itself, sub is the user's: a JWT about somebody else is none about this user.
func TestAggregatedClaimsAboutAnotherUserOfTheProviderAreNotBelieved(t *testing.T) {
	for subject, believed := range map[string]bool{"alice": true, "bob": false, "ALICE": false} {
		w := newBureauWorld(t, func(c *oidcauth.Config) {
			c.Advanced.ClaimsProviders = []oidcauth.ClaimsProvider{{Issuer: c.Issuer, Claims: []string{"score"}}}
		})
		w.says(w.provider.AggregatedSource("app", map[string]any{"score": 650, "sub": subject}))
		w.signIn()
		require.Equal(t, believed, w.claims()["score"] != nil, subject)
	}
	w := newBureauWorld(t) // elsewhere it is that party's own name for the user
	w.says(w.bureau.AggregatedSource("app", map[string]any{"score": 650, "sub": "customer 7"}))
	w.signIn()
	require.EqualValues(t, 650, w.claims()["score"])
	require.Equal(t, "alice", w.user().Subject)
}

// An address and the word that it is verified come from one party.
func TestHalvesOfAPairAreNotTakenFromTwoParties(t *testing.T) {
	pair := func(c *oidcauth.Config) {
		c.Advanced.ClaimsProviders[0].Claims = []string{"email", "email_verified", "phone_number", "phone_number_verified"}
	}
	for name, row := range map[string]struct {
		provider, source map[string]any
		email            string
		verified         bool
	}{
		"the source has both":                {map[string]any{}, map[string]any{"email": "a@example.test", "email_verified": true}, "a@example.test", true},
		"the source verifies the provider's": {map[string]any{"email": "x@evil.example"}, map[string]any{"email_verified": true}, "x@evil.example", false},
		"the provider verifies the source's": {map[string]any{"email_verified": true}, map[string]any{"email": "x@evil.example"}, "", true},
		"the provider has both": {
			map[string]any{"email": "a@example.test", "email_verified": false}, map[string]any{"email": "x@evil.example", "email_verified": true}, "a@example.test", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBureauWorld(t, pair)
			w.provider.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: "alice", Claims: row.provider} })
			w.provider.BendUserInfo(func(tok *oidcauthtest.Token) {
				tok.AddSource("src1", w.bureau.AggregatedSource("app", row.source), mapsKeys(row.source)...)
			})
			w.signIn()
			require.Equal(t, row.email, w.user().Email)
			require.Equal(t, row.verified, w.user().EmailVerified)
		})
	}
}
