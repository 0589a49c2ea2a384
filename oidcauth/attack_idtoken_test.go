package oidcauth_test

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// claim is a bend that sets one claim of the ID token.
func claim(name string, value any) func(*oidcauthtest.Token) {
	return func(t *oidcauthtest.Token) { t.Claims.Set(name, value) }
}

func without(names ...string) func(*oidcauthtest.Token) {
	return func(t *oidcauthtest.Token) { t.Claims.Delete(names...) }
}

func literal(s string) json.RawMessage { return json.RawMessage(s) }

func ago(d time.Duration) int64 { return time.Now().Add(-d).Unix() }

// foreign are keys that the provider does not publish. They are made once.
var foreign = sync.OnceValue(func() *oidcauthtest.Key { return oidcauthtest.NewKey("RS256", "foreign") })

var foreignEC = sync.OnceValue(func() *oidcauthtest.Key { return oidcauthtest.NewKey("ES256", "foreign-ec") })

// publicKeyBytes are the spellings of the public key that a confused verifier might take for an HMAC secret.
func publicKeyBytes(k *oidcauthtest.Key, spelling string) []byte {
	switch spelling {
	case "PEM":
		return k.PublicPEM()
	case "PEM without its line end":
		return []byte(strings.TrimSpace(string(k.PublicPEM())))
	case "modulus":
		return k.Signer().Public().(*rsa.PublicKey).N.Bytes()
	default:
		return k.JWK().Bytes()
	}
}

// Each row bends the ID token of an otherwise good login.
func TestALoginWithABentIDTokenIsRefused(t *testing.T) {
	now := time.Now()
	w := newWorld(t, noPAR)
	w.evil()
	rs256 := w.provider.Key()
	attackers := foreign().JWK()
	rows := map[string]func(*oidcauthtest.Token){
		"the audience is somebody else":              claim("aud", "x"),
		"the audience is empty":                      claim("aud", ""),
		"the audience list is empty":                 claim("aud", []string{}),
		"the audience is absent":                     without("aud"),
		"the audience is a number":                   claim("aud", 7),
		"the audience is an object":                  claim("aud", map[string]any{"app": "app"}),
		"the audience is a list in a list":           claim("aud", []any{[]string{"app"}}),
		"the audience is us and another without azp": claim("aud", []string{"app", "evil"}),
		"the audience is us twice without azp":       claim("aud", []string{"app", "app"}),
		"the audience is us with a space":            claim("aud", "app "),
		"the audience begins with us":                claim("aud", "app2"),
		"azp is somebody else":                       claim("azp", "evil"),
		"azp is us in another case":                  claim("azp", "APP"),
		"azp is an empty string":                     claim("azp", ""),
		"azp names us in a list":                     claim("azp", []string{"app"}),
		"the subject is absent":                      without("sub"),
		"the subject is empty":                       claim("sub", ""),
		"the subject is null":                        claim("sub", nil),
		"the subject has 256 bytes":                  claim("sub", strings.Repeat("s", 256)),
		"the subject is a number":                    claim("sub", 7),
		"the subject is true":                        claim("sub", true),
		"the subject has a zero byte":                claim("sub", "alice\x00"),
		"the subject has a line end":                 claim("sub", "alice\r\nbob"),
		"the subject is no Unicode":                  claim("sub", literal(`"\udc00"`)),
		"there are two subjects":                     func(tok *oidcauthtest.Token) { tok.Claims.Add("sub", "admin") },
		"a subject in capitals stands beside it":     func(tok *oidcauthtest.Token) { tok.Claims.Add("SUB", "admin") },
		"azp stands beside in mixed case":            func(tok *oidcauthtest.Token) { tok.Claims.Add("aZp", "evil") },
		"a subject with a long s stands beside it":   func(tok *oidcauthtest.Token) { tok.Claims.Add("ſub", "admin") },
		"there are two nonces":                       func(tok *oidcauthtest.Token) { tok.Claims.Add("nonce", tok.Claims.Get("nonce")) },
		"there are two audiences":                    func(tok *oidcauthtest.Token) { tok.Claims.Add("aud", "app") },
		"there are two expiries":                     func(tok *oidcauthtest.Token) { tok.Claims.Add("exp", now.Add(time.Hour).Unix()) },
		"roles come twice":                           func(tok *oidcauthtest.Token) { tok.Claims.Add("roles", []string{"admin"}) },
		"the issuer is another":                      claim("iss", "https://evil.example"),
		"the issuer has a slash more":                claim("iss", oidcauthtest.DefaultIssuer+"/"),
		"the issuer is in capitals":                  claim("iss", strings.ToUpper(oidcauthtest.DefaultIssuer)),
		"the issuer has its default port":            claim("iss", oidcauthtest.DefaultIssuer+":443"),
		"the issuer is absent":                       without("iss"),
		"iat is absent":                              without("iat"),
		"iat is an hour ahead":                       claim("iat", now.Add(time.Hour).Unix()),
		"iat is ten hours ago":                       claim("iat", ago(10*time.Hour)),
		"iat is of the year 1":                       claim("iat", 0),
		"iat is negative":                            claim("iat", -1),
		"iat is beyond 64 bits":                      claim("iat", literal("99999999999999999999999")),
		"exp is absent":                              without("exp"),
		"exp is past":                                claim("exp", ago(5*time.Minute)),
		"exp is negative":                            claim("exp", -1),
		"exp is a string":                            claim("exp", "123"),
		"exp is a string in the future":              claim("exp", "9999999999"),
		"exp is NaN":                                 claim("exp", literal("NaN")),
		"exp is Infinity":                            claim("exp", literal("Infinity")),
		"exp is true":                                claim("exp", true),
		"exp is a list":                              claim("exp", []int{9999999999}),
		"exp is hexadecimal":                         claim("exp", literal("0xFFFFFFFF")),
		"nbf is an hour ahead":                       claim("nbf", now.Add(time.Hour).Unix()),
		"nbf is a string":                            claim("nbf", "0"),
		"the nonce is absent":                        without("nonce"),
		"the nonce is empty":                         claim("nonce", ""),
		"the nonce is null":                          claim("nonce", nil),
		"the nonce is another":                       claim("nonce", "AAAAAAAAAAAAAAAAAAAAAA"),
		"the nonce is longer":                        func(tok *oidcauthtest.Token) { tok.Claims.Set("nonce", tok.Claims.Text("nonce")+"A") },
		"the nonce is cut":                           func(tok *oidcauthtest.Token) { tok.Claims.Set("nonce", tok.Claims.Text("nonce")[1:]) },
		"the nonce is in capitals":                   func(tok *oidcauthtest.Token) { tok.Claims.Set("nonce", strings.ToUpper(tok.Claims.Text("nonce"))) },
		"at_hash is of another token":                claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
		"at_hash is empty":                           claim("at_hash", ""),
		"auth_time is in the future":                 claim("auth_time", now.Add(time.Hour).Unix()),
		"it carries a logout event":                  claim("events", map[string]any{logoutEvent: map[string]any{}}),
		"it carries an empty events claim":           claim("events", map[string]any{}),
		"it is a logout token in everything": func(tok *oidcauthtest.Token) {
			tok.Header.Set("typ", "logout+jwt")
			tok.Claims.Delete("nonce")
			tok.Claims.Set("sid", "s")
			tok.Claims.Set("events", map[string]any{logoutEvent: map[string]any{}})
		},
		"its type is a logout token's":  func(tok *oidcauthtest.Token) { tok.Header.Set("typ", "logout+jwt") },
		"its type is an access token's": func(tok *oidcauthtest.Token) { tok.Header.Set("typ", "application/at+jwt") },
		"its type is a proof's":         func(tok *oidcauthtest.Token) { tok.Header.Set("typ", "DPOP+JWT") },
		"alg is none":                   func(tok *oidcauthtest.Token) { tok.Unsign("none") },
		"alg is None":                   func(tok *oidcauthtest.Token) { tok.Unsign("None") },
		"alg is nOnE":                   func(tok *oidcauthtest.Token) { tok.Unsign("nOnE") },
		"alg is empty":                  func(tok *oidcauthtest.Token) { tok.Unsign("") },
		"alg is none beside the true signature": func(tok *oidcauthtest.Token) {
			tok.Header.Set("alg", "none")
		},
		"alg comes twice":                     func(tok *oidcauthtest.Token) { tok.Header.Add("alg", "none") },
		"the signature is empty":              func(tok *oidcauthtest.Token) { tok.RewriteSignature(func([]byte) []byte { return nil }) },
		"the signature is cut":                func(tok *oidcauthtest.Token) { tok.RewriteSignature(func(b []byte) []byte { return b[:len(b)-1] }) },
		"the signature has a byte more":       func(tok *oidcauthtest.Token) { tok.RewriteSignature(func(b []byte) []byte { return append(b, 0) }) },
		"the signature is all zeros":          func(tok *oidcauthtest.Token) { tok.RewriteSignature(func(b []byte) []byte { clear(b); return b }) },
		"one bit of the signature is flipped": func(tok *oidcauthtest.Token) { tok.FlipSignature() },
		"the claims were changed after signing": func(tok *oidcauthtest.Token) {
			tok.Rewrite(func(compact string) string {
				parts := strings.Split(compact, ".")
				body, _ := base64.RawURLEncoding.DecodeString(parts[1])
				parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(body), `"alice"`, `"admin"`, 1)))
				return strings.Join(parts, ".")
			})
		},
		"another key signed it under the published kid": func(tok *oidcauthtest.Token) { tok.Key = foreign() },
		"an unknown key signed it":                      func(tok *oidcauthtest.Token) { tok.SignWith(foreign()) },
		"an embedded jwk signed it": func(tok *oidcauthtest.Token) {
			tok.SignWith(foreign())
			tok.Header.Set("jwk", attackers)
		},
		"an embedded jwk signed it under the published kid": func(tok *oidcauthtest.Token) {
			tok.Key = foreign()
			tok.Header.Set("jwk", attackers)
		},
		"jku points at the attacker": func(tok *oidcauthtest.Token) {
			tok.SignWith(foreign())
			tok.Header.Set("jku", "https://evil.example/jwks")
		},
		"x5u points at the attacker": func(tok *oidcauthtest.Token) {
			tok.SignWith(foreign())
			tok.Header.Set("x5u", "https://evil.example/x5u")
		},
		"x5c holds the attacker's certificate": func(tok *oidcauthtest.Token) {
			tok.SignWith(foreign())
			tok.Header.Set("x5c", []string{"MIIB"})
		},
		"kid is a path":              func(tok *oidcauthtest.Token) { tok.Key = foreign(); tok.Header.Set("kid", "../../dev/null") },
		"kid is a query":             func(tok *oidcauthtest.Token) { tok.Key = foreign(); tok.Header.Set("kid", "x' OR '1'='1") },
		"kid is a list":              func(tok *oidcauthtest.Token) { tok.Header.Set("kid", []string{rs256.ID}) },
		"there is a crit header":     func(tok *oidcauthtest.Token) { tok.Header.Set("crit", []string{"x"}); tok.Header.Set("x", 1) },
		"there is an empty crit":     func(tok *oidcauthtest.Token) { tok.Header.Set("crit", []string{}) },
		"crit is null":               func(tok *oidcauthtest.Token) { tok.Header.Set("crit", nil) },
		"the payload is not encoded": func(tok *oidcauthtest.Token) { tok.Header.Set("crit", []string{"b64"}); tok.Header.Set("b64", false) },
		"the payload is compressed":  func(tok *oidcauthtest.Token) { tok.Header.Set("zip", "DEF") },
		"HS256 with the client's secret": func(tok *oidcauthtest.Token) {
			tok.Key = oidcauthtest.HMACKey([]byte("app-secret"))
			tok.Header.Set("alg", "HS256")
		},
		"RS384 with the published key": func(tok *oidcauthtest.Token) {
			tok.SignWith(oidcauthtest.SignerKey(rs256.Signer(), "RS384", rs256.ID))
		},
		"PS256 with the published key": func(tok *oidcauthtest.Token) {
			tok.SignWith(oidcauthtest.SignerKey(rs256.Signer(), "PS256", rs256.ID))
		},
		"ES256 with a published key": func(tok *oidcauthtest.Token) { tok.SignWith(foreignEC()) },
		"it has two parts":           rewritten(func(s string) string { return s[:strings.LastIndex(s, ".")] }),
		"it has four parts":          rewritten(func(s string) string { return s + ".x" }),
		"it is in JSON form": rewritten(func(s string) string {
			p := strings.Split(s, ".")
			return `{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`
		}),
		"it is padded":                rewritten(func(s string) string { return s + "=" }),
		"it is in the other base64":   rewritten(func(s string) string { return strings.Replace(s, "-", "+", 1) + "+" }),
		"it has a line end inside":    rewritten(func(s string) string { return s[:20] + "\n" + s[20:] }),
		"it has a space behind it":    rewritten(func(s string) string { return s + " " }),
		"it is the empty string":      rewritten(func(string) string { return "" }),
		"it is not a token":           rewritten(func(string) string { return "token" }),
		"it is encrypted to nobody":   rewritten(func(string) string { return b64JSON(`{"alg":"RSA-OAEP-256","enc":"A256GCM"}`) + ".AA.AA.AA.AA" }),
		"it is encrypted with dir":    rewritten(oidcauthtest.Encrypt("dir", "A128GCM", []byte("app-secret-is-16"))),
		"it is encrypted with RSA1_5": rewritten(func(string) string { return b64JSON(`{"alg":"RSA1_5","enc":"A128CBC-HS256"}`) + ".AA.AA.AA.AA" }),
		"it is encrypted with PBES2": rewritten(func(string) string {
			return b64JSON(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2000000000,"p2s":"AA"}`) + ".AA.AA.AA.AA"
		}),
		"it is key-wrapped with nothing": rewritten(func(string) string { return b64JSON(`{"alg":"A128KW","enc":"A128GCM"}`) + "..AA.AA.AA" }),
		"it is an encrypted zip bomb": rewritten(func(string) string {
			return b64JSON(`{"alg":"dir","enc":"A128GCM","zip":"DEF"}`) + "..AA." + strings.Repeat("A", 60<<10) + ".AA"
		}),
		"the claims are a list":      func(tok *oidcauthtest.Token) { tok.Claims.Replace("[]") },
		"the claims are null":        func(tok *oidcauthtest.Token) { tok.Claims.Replace("null") },
		"the claims are nothing":     func(tok *oidcauthtest.Token) { tok.Claims.Replace(" ") },
		"the claims are cut":         func(tok *oidcauthtest.Token) { tok.Claims.Replace(`{"sub":"alice"`) },
		"the header is a list":       func(tok *oidcauthtest.Token) { tok.Header.Replace(`["RS256"]`) },
		"a claim is a thousand deep": claim("x", literal(strings.Repeat("[", 1000)+strings.Repeat("]", 1000))),
		"sid is a number":            claim("sid", 7),
		"sid has 10 kB":              claim("sid", strings.Repeat("s", 10<<10)),
	}
	for _, spelling := range []string{"PEM", "PEM without its line end", "modulus", "JWK"} {
		rows["HS256 with the public key as "+spelling] = func(tok *oidcauthtest.Token) {
			tok.Key = oidcauthtest.HMACKey(publicKeyBytes(rs256, spelling))
			tok.Header.Set("alg", "HS256")
		}
	}
	w.provider.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object { return append(keys, foreignEC().JWK()) })
	w.control()
	for name, bend := range rows {
		t.Run(name, func(t *testing.T) {
			w.T = t
			w.anew()
			w.provider.BendIDToken(bend)
			page := w.browser.Get(app + "/me")
			w.provider.BendIDToken(nil)
			requireR2(t, w, page)
		})
	}
	w.T = t
	w.control()
	for _, asked := range w.network.Asked() {
		require.NotContains(t, asked, "evil.example", "no URL of a token's header was followed")
	}
	requireQuietLog(t, w)
}

func rewritten(f func(string) string) func(*oidcauthtest.Token) {
	return func(t *oidcauthtest.Token) { t.Rewrite(f) }
}

func b64JSON(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// requireQuietLog asserts that each line of the log is one of ours, short, and without a token in it.
func requireQuietLog(t *testing.T, w *world) {
	t.Helper()
	for line := range strings.Lines(strings.TrimSpace(w.log.String())) {
		require.True(t, strings.HasPrefix(line, "time="), "a log line was forged: %.200q", line)
		require.Less(t, len(line), 2<<10, "a log line is too long: %.200q", line)
		require.NotRegexp(t, `eyJ[\w-]{9}`, line, "a token in the log") // a fingerprint has eight characters
	}
}

func TestALoginWithAnOddButGoodIDTokenSucceeds(t *testing.T) {
	w := newWorld(t, noPAR)
	now := time.Now()
	for name, bend := range map[string]func(*oidcauthtest.Token){
		"the audience is a list of us alone": claim("aud", []string{"app"}),
		"the audience has more, and azp is us": func(tok *oidcauthtest.Token) {
			tok.Claims.Set("aud", []string{"api", "app"})
			tok.Claims.Set("azp", "app")
		},
		"there is no kid":                        func(tok *oidcauthtest.Token) { tok.Header.Delete("kid") },
		"there is no typ":                        func(tok *oidcauthtest.Token) { tok.Header.Delete("typ") },
		"exp is 1e300":                           claim("exp", literal("1e300")),
		"exp is 1e18":                            claim("exp", literal("1e18")),
		"exp is the end of the year 9999":        claim("exp", 253402300799),
		"iat has a fraction":                     claim("iat", float64(now.UnixMilli())/1000),
		"a claim is called like a header":        claim("alg", "none"),
		"at_hash is absent":                      without("at_hash"),
		"the subject has 255 bytes":              claim("sub", strings.Repeat("s", 255)),
		"distributed claims point at link-local": claim("_claim_sources", map[string]any{"src": map[string]any{"endpoint": "http://169.254.169.254/", "access_token": "x"}}),
		"distributed claims point at an attacker": func(tok *oidcauthtest.Token) {
			tok.Claims.Set("_claim_names", map[string]any{"roles": "src"})
			tok.Claims.Set("_claim_sources", map[string]any{"src": map[string]any{"endpoint": "https://evil.example/claims"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w.T = t
			calls := w.evil()
			w.anew()
			w.provider.BendUserInfo(func(tok *oidcauthtest.Token) { tok.Claims.Set("sub", subjectUnder(bend)) })
			w.provider.BendIDToken(bend)
			w.signIn()
			require.NotNil(t, w.user())
			require.False(t, w.browser.Cookie(app, "__Host-session").Expires.After(now.Add(12*time.Hour+time.Minute)), "the session ends at its own limit")
			require.Empty(t, calls(), "nobody else was asked")
		})
	}
}

// subjectUnder is the subject that an ID token has after a bend.
func subjectUnder(bend func(*oidcauthtest.Token)) string {
	tok := new(oidcauthtest.Token)
	tok.Claims.Set("sub", "alice")
	bend(tok)
	return tok.Claims.Text("sub")
}

func TestATokenAnswerWithoutIDTokenIsNoLogin(t *testing.T) {
	w := newWorld(t, noPAR)
	w.control()
	for name, bend := range map[string]func(*oidcauthtest.TokenAnswer){
		"it is absent":           func(a *oidcauthtest.TokenAnswer) { a.Delete("id_token") },
		"it is null":             func(a *oidcauthtest.TokenAnswer) { a.Set("id_token", nil) },
		"it is empty":            func(a *oidcauthtest.TokenAnswer) { a.Set("id_token", "") },
		"it is a number":         func(a *oidcauthtest.TokenAnswer) { a.Set("id_token", 7) },
		"it is an object":        func(a *oidcauthtest.TokenAnswer) { a.Set("id_token", map[string]any{}) },
		"it comes twice":         func(a *oidcauthtest.TokenAnswer) { a.Add("id_token", a.Get("id_token")) },
		"it is the access token": func(a *oidcauthtest.TokenAnswer) { a.Set("id_token", a.Get("access_token")) },
		"it is spelled otherwise": func(a *oidcauthtest.TokenAnswer) {
			a.Set("ID_TOKEN", a.Get("id_token"))
			a.Delete("id_token")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w.T = t
			w.anew()
			w.provider.BendTokens(bend)
			requireR2(t, w, w.browser.Get(app+"/me"))
			w.provider.BendTokens(nil)
			w.control()
		})
	}
}

func TestAnIDTokenOfAnotherLoginIsRefused(t *testing.T) {
	w := newWorld(t, noPAR)
	var stolen string
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { stolen = a.Text("id_token") })
	w.control()
	require.NotEmpty(t, stolen)
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set("id_token", stolen) })
	requireR2(t, w, w.browser.Get(app+"/me"))
}

// The attacker plays the victim's code into a login of the attacker's own: nonce and PKCE verifier are not the victim's.
func TestAnInjectedCodeIsRefused(t *testing.T) {
	for name, lax := range map[string]bool{"the provider checks PKCE": false, "the provider checks nothing": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			w.control()
			victim := w.callbackURL()
			code := mustQuery(t, victim.URL).Get("code")
			if lax { // such a provider forgets the challenge, and only the nonce is left
				w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) { a.Request.Del("code_challenge") })
				w.anew()
				code = mustQuery(t, w.callbackURL().URL).Get("code")
				w.provider.BendAuthorization(nil)
			}
			w.anew()
			own := w.callbackURL()
			page := w.browser.Get(altered(t, own, func(q url.Values) { q.Set("code", code) }))
			requireR2(t, w, page)
			require.Equal(t, http.StatusBadRequest, w.browser.Get(own.URL).Status, "and the login is spent")
		})
	}
}

func mustQuery(t *testing.T, raw string) url.Values {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u.Query()
}

func TestMaxAgeAndACRThatWereAskedForAreDemanded(t *testing.T) {
	for name, row := range map[string]struct {
		bend func(*oidcauthtest.Token)
		ok   bool
	}{
		"auth_time is fresh":             {claim("auth_time", time.Now().Unix()), true},
		"auth_time is absent":            {without("auth_time"), false},
		"auth_time is null":              {claim("auth_time", nil), false},
		"auth_time is an hour ago":       {claim("auth_time", ago(time.Hour)), false},
		"auth_time is zero":              {claim("auth_time", 0), false},
		"auth_time is a string":          {claim("auth_time", "9999999999"), false},
		"auth_time is two minutes ahead": {claim("auth_time", ago(-2*time.Minute)), false},
	} {
		t.Run("max_age: "+name, func(t *testing.T) {
			w := newWorld(t, noPAR, func(c *oidcauth.Config) { c.Login.MaxAge = time.Minute })
			w.control()
			w.provider.BendIDToken(row.bend)
			page := w.browser.Get(app + "/me")
			require.Equal(t, "60", w.authenticationRequest().Get("max_age"))
			if row.ok {
				require.Equal(t, http.StatusOK, page.Status, page.Body)
				return
			}
			requireR2(t, w, page)
		})
	}
	for name, row := range map[string]struct {
		acr any
		ok  bool
	}{"as asked": {"gold", true}, "below what was asked": {"bronze", false}, "absent": {nil, false}, "in another case": {"GOLD", false}} {
		t.Run("acr: "+name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			w.mux.Handle("/gold", w.auth.Require(oidcauth.ACR("gold"))(http.HandlerFunc(writeUser)))
			w.control()
			w.provider.BendIDToken(claim("acr", row.acr))
			page := w.browser.Get(app + "/gold")
			if row.ok {
				require.Equal(t, http.StatusOK, page.Status, page.Body)
				return
			}
			require.Equal(t, http.StatusForbidden, page.Status)
			requireProtected(t, page.Header)
			require.LessOrEqual(t, w.provider.Count(oidcauthtest.Authorize), 2, "it asks once for more, and then stops")
		})
	}
}
