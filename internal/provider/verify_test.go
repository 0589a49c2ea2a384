package provider_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/providertest"
)

func TestAGoodIDTokenIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		raw := sign(rsaKey(), header, with(claims(), m{
			"sid": "s-1", "acr": "gold", "amr": []string{"pwd", "otp"}, "auth_time": time.Now().Unix() - 5,
			"at_hash": atHash("at-1"), "session_expiry": time.Now().Unix() + 3600, "name": "Alice",
		}))
		token, err := op.Verifier().Login(background(), raw, expectation())
		require.NoError(t, err)
		require.Equal(t, issuer, token.Issuer)
		require.Equal(t, "alice", token.Subject)
		require.Equal(t, "s-1", token.SID)
		require.Equal(t, nonce, token.Nonce)
		require.Equal(t, "gold", token.ACR)
		require.Equal(t, []string{"pwd", "otp"}, token.AMR)
		require.Equal(t, raw, token.Raw)
		require.True(t, time.Now().Equal(token.IssuedAt))
		require.True(t, time.Now().Add(300*time.Second).Equal(token.Expiry))
		require.True(t, time.Now().Add(-5*time.Second).Equal(token.AuthTime))
		require.True(t, time.Now().Add(time.Hour).Equal(token.SessionExpiry))
		require.Contains(t, string(token.Claims), `"name":"Alice"`)
	})
}

// Each row changes one thing in a token that is otherwise good.
func TestClaimsOfIDTokens(t *testing.T) {
	now := func(d time.Duration) float64 { return float64(time.Now().Add(d).Unix()) }
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for _, row := range []struct {
		name   string
		change func() m
		ok     bool
	}{
		{"an audience that is someone else is refused", func() m { return m{"aud": "x"} }, false},
		{"an empty audience list is refused", func() m { return m{"aud": []string{}} }, false},
		{"a missing audience is refused", func() m { return m{"aud": nil} }, false},
		{"an audience that is a number is refused", func() m { return m{"aud": 7} }, false},
		{"an audience list with a number is refused", func() m { return m{"aud": []any{clientID, 7}} }, false},
		{"an audience list with null is refused", func() m { return m{"aud": []any{clientID, raw("null")}} }, false},
		{"an audience in another case is refused", func() m { return m{"aud": "SHOP"} }, false},
		{"an extra audience without azp is refused", func() m { return m{"aud": []string{clientID, "evil"}} }, false},
		{"an extra audience with azp is accepted", func() m { return m{"aud": []string{clientID, "api"}, "azp": clientID} }, true},
		{"an extra audience with a foreign azp is refused", func() m { return m{"aud": []string{clientID, "evil"}, "azp": "evil"} }, false},
		{"a foreign azp is refused", func() m { return m{"azp": "evil"} }, false},
		{"an empty azp is refused", func() m { return m{"azp": ""} }, false},
		{"an azp that is a list is refused", func() m { return m{"azp": []string{clientID}} }, false},
		{"an audience list of one is accepted", func() m { return m{"aud": []string{clientID}} }, true},
		{"a missing sub is refused", func() m { return m{"sub": nil} }, false},
		{"an empty sub is refused", func() m { return m{"sub": ""} }, false},
		{"a null sub is refused", func() m { return m{"sub": raw("null")} }, false},
		{"a sub of 256 bytes is refused", func() m { return m{"sub": strings.Repeat("a", 256)} }, false},
		{"a sub of 255 bytes is accepted", func() m { return m{"sub": strings.Repeat("a", 255)} }, true},
		{"a sub that is a number is refused", func() m { return m{"sub": 7} }, false},
		{"a sub that is a list is refused", func() m { return m{"sub": []string{"alice"}} }, false},
		{"a sub with a line end is refused", func() m { return m{"sub": "a\nb"} }, false},
		{"a sub with NUL is refused", func() m { return m{"sub": "alice\x00"} }, false},
		{"a sub that is no Unicode is refused", func() m { return m{"sub": raw(`"\ud800"`)} }, false},
		{"a wrong issuer is refused", func() m { return m{"iss": issuer + "1"} }, false},
		{"an issuer with a slash more is refused", func() m { return m{"iss": issuer + "/"} }, false},
		{"an issuer in another case is refused", func() m { return m{"iss": strings.ToUpper(issuer)} }, false},
		{"a missing issuer is refused", func() m { return m{"iss": nil} }, false},
		{"a missing iat is refused", func() m { return m{"iat": nil} }, false},
		{"an iat one hour ahead is refused", func() m { return m{"iat": now(time.Hour)} }, false},
		{"an iat ten hours ago is refused", func() m { return m{"iat": now(-10 * time.Hour)} }, false},
		{"an iat within the skew ahead is accepted", func() m { return m{"iat": now(59 * time.Second)} }, true},
		{"an iat beyond the skew ahead is refused", func() m { return m{"iat": now(61 * time.Second)} }, false},
		{"an iat of ten minutes and the skew ago is accepted", func() m { return m{"iat": now(-660 * time.Second)} }, true},
		{"an older iat is refused", func() m { return m{"iat": now(-661 * time.Second)} }, false},
		{"an iat in a string is refused", func() m { return m{"iat": fmt.Sprint(time.Now().Unix())} }, false},
		{"an iat with a fraction is accepted", func() m { return m{"iat": now(0) + 0.5} }, true},
		{"a missing exp is refused", func() m { return m{"exp": nil} }, false},
		{"a null exp is refused", func() m { return m{"exp": raw("null")} }, false},
		{"an exp within the skew is accepted", func() m { return m{"exp": now(-59 * time.Second)} }, true},
		{"an exp at the end of the skew is refused", func() m { return m{"exp": now(-60 * time.Second)} }, false},
		{"a negative exp is refused", func() m { return m{"exp": -1} }, false},
		{"an exp in a string is refused", func() m { return m{"exp": "123"} }, false},
		{"an exp in a string that is not past is refused", func() m { return m{"exp": "9999999999"} }, false},
		{"an exp that is true is refused", func() m { return m{"exp": true} }, false},
		{"an exp that is an object is refused", func() m { return m{"exp": m{}} }, false},
		{"an exp beyond floats is refused", func() m { return m{"exp": raw("1e400")} }, false},
		{"an exp of 1e300 is capped", func() m { return m{"exp": raw("1e300")} }, true},
		{"an exp of 1e18 is capped", func() m { return m{"exp": raw("1e18")} }, true},
		{"an exp at the end of the year 9999 is capped", func() m { return m{"exp": 253402300799} }, true},
		{"an nbf one hour ahead is refused", func() m { return m{"nbf": now(time.Hour)} }, false},
		{"an nbf two minutes ahead is refused", func() m { return m{"nbf": now(2 * time.Minute)} }, false},
		{"an nbf within the skew is accepted", func() m { return m{"nbf": now(59 * time.Second)} }, true},
		{"an nbf in a string is refused", func() m { return m{"nbf": "0"} }, false},
		{"another nonce is refused", func() m { return m{"nonce": nonce + "1"} }, false},
		{"a missing nonce is refused", func() m { return m{"nonce": nil} }, false},
		{"an empty nonce is refused", func() m { return m{"nonce": ""} }, false},
		{"a nonce that is a list is refused", func() m { return m{"nonce": []string{nonce}} }, false},
		{"a right at_hash is accepted", func() m { return m{"at_hash": atHash("at-1")} }, true},
		{"an at_hash of another token is refused", func() m { return m{"at_hash": atHash("at-2")} }, false},
		{"an empty at_hash is refused", func() m { return m{"at_hash": ""} }, false},
		{"an at_hash that is a number is refused", func() m { return m{"at_hash": 7} }, false},
		{"an events claim is refused", func() m { return m{"events": m{"http://schemas.openid.net/event/backchannel-logout": m{}}} }, false},
		{"a null events claim is refused", func() m { return m{"events": raw("null")} }, false},
		{"an auth_time in the future is refused", func() m { return m{"auth_time": now(time.Hour)} }, false},
		{"an auth_time in a string is refused", func() m { return m{"auth_time": "1"} }, false},
		{"an acr that is a number is refused", func() m { return m{"acr": 2} }, false},
		{"an amr that is a string is accepted", func() m { return m{"amr": "pwd"} }, true},
		{"an amr with a number is refused", func() m { return m{"amr": []any{1}} }, false},
		{"a sid that is a number is refused", func() m { return m{"sid": 1} }, false},
		{"a sid of 1 kB is refused", func() m { return m{"sid": strings.Repeat("s", 1024)} }, false},
		{"a session_expiry in a string is refused", func() m { return m{"session_expiry": "soon"} }, false},
		{"an issuer of 50 kB is refused in few words", func() m { return m{"iss": strings.Repeat("i", 50_000)} }, false},
		{"an audience of 50 kB is refused in few words", func() m { return m{"aud": strings.Repeat("a", 50_000)} }, false},
		{"a distributed claim is accepted and not fetched", func() m {
			return m{"_claim_names": m{"groups": "src1"}, "_claim_sources": m{"src1": m{"endpoint": "http://169.254.169.254/"}}}
		}, true},
		{"a distributed claim without a source is refused", func() m { return m{"_claim_names": m{"groups": "src1"}} }, false},
		{"an unknown claim is accepted", func() m { return m{"https://shop.example/x": m{"y": []int{1}}} }, true},
		{"SUB beside sub is refused", func() m { return m{"SUB": "admin"} }, false},
		{"sub with a long s beside sub is refused", func() m { return m{"ſub": "admin"} }, false},
		{"ISS beside iss is refused", func() m { return m{"ISS": issuer} }, false},
		{"Nonce instead of nonce is refused", func() m { return m{"nonce": nil, "Nonce": nonce} }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				raw := sign(rsaKey(), header, with(claims(), row.change()))
				op := providertest.New(t)
				token, err := op.Verifier().Login(background(), raw, expectation())
				require.LessOrEqual(t, len(op.Requests), 2, "metadata and keys, and nothing that a claim names")
				if !row.ok {
					requireTokenError(t, err)
					return
				}
				require.NoError(t, err)
				require.False(t, token.Expiry.After(time.Now().Add(24*time.Hour)), "exp is capped")
			})
		})
	}
}

func TestHeadersAndSignaturesOfIDTokens(t *testing.T) {
	hs256 := func(secret []byte) string {
		input := segment(m{"alg": "HS256", "kid": "k1"}) + "." + segment(claims())
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	signed := func(h m) string { return sign(rsaKey(), with(header, h), claims()) }
	unsigned := func(alg string) string { return segment(m{"alg": alg}) + "." + segment(claims()) + "." }
	attacker := jwkOf(otherRSA().Public(), "k1")
	for _, row := range []struct {
		name string
		raw  func() string
		ok   bool
	}{
		{"a good token is accepted", func() string { return signed(nil) }, true},
		{"no kid is accepted", func() string { return signed(m{"kid": nil}) }, true},
		{"no typ is accepted", func() string { return signed(m{"typ": nil}) }, true},
		{"an unknown header is accepted", func() string { return signed(m{"x": 1}) }, true},
		{"alg none is refused", func() string { return unsigned("none") }, false},
		{"alg None is refused", func() string { return unsigned("None") }, false},
		{"alg nOnE is refused", func() string { return unsigned("nOnE") }, false},
		{"alg none with a signature is refused", func() string { return signed(m{"alg": "none"}) }, false},
		{"an empty signature is refused", func() string { return segment(header) + "." + segment(claims()) + "." }, false},
		{"a missing alg is refused", func() string { return signed(m{"alg": nil}) }, false},
		{"an alg that is a list is refused", func() string { return signed(m{"alg": []string{"RS256"}}) }, false},
		{"HS256 with the client secret is refused", func() string { return hs256([]byte("secret-of-the-shop")) }, false},
		{"HS256 with the public key is refused", func() string { return hs256(rsaKey().N.Bytes()) }, false},
		{"RS384 with the published key is refused", func() string { return signed(m{"alg": "RS384"}) }, false},
		{"PS256 with the published key is refused", func() string { return signed(m{"alg": "PS256"}) }, false},
		{"ES256 with a published key is refused", func() string { return sign(ecKey(), m{"alg": "ES256", "kid": "ec"}, claims()) }, false},
		{"a signature by another key is refused", func() string { return sign(otherRSA(), header, claims()) }, false},
		{"the signature of another token is refused", func() string {
			other := sign(rsaKey(), header, with(claims(), m{"sub": "bob"}))
			return segment(header) + "." + segment(claims()) + other[strings.LastIndex(other, "."):]
		}, false},
		{"a header jwk is not believed", func() string { return sign(otherRSA(), with(header, m{"jwk": attacker}), claims()) }, false},
		{"a header jku is not fetched", func() string { return sign(otherRSA(), with(header, m{"jku": "https://evil.example/jwks"}), claims()) }, false},
		{"a header x5u is not fetched", func() string { return sign(otherRSA(), with(header, m{"x5u": "https://evil.example/x"}), claims()) }, false},
		{"a header x5c is not believed", func() string { return sign(otherRSA(), with(header, m{"x5c": []string{"MIIB"}}), claims()) }, false},
		{"a critical extension is refused", func() string { return signed(m{"crit": []string{"x"}, "x": 1}) }, false},
		{"an empty crit is refused", func() string { return signed(m{"crit": []string{}}) }, false},
		{"a payload that is not encoded is refused", func() string { return signed(m{"b64": false, "crit": []string{"b64"}}) }, false},
		{"b64 without crit is refused", func() string { return signed(m{"b64": false}) }, false},
		{"a logout token's type is refused", func() string { return signed(m{"typ": "logout+jwt"}) }, false},
		{"an access token's type is refused", func() string { return signed(m{"typ": "at+jwt"}) }, false},
		{"an access token's long type is refused", func() string { return signed(m{"typ": "application/AT+JWT"}) }, false},
		{"a DPoP proof's type is refused", func() string { return signed(m{"typ": "dpop+jwt"}) }, false},
		{"a typ that is a number is refused", func() string { return signed(m{"typ": 1}) }, false},
		{"a kid that is a number is refused", func() string { return signed(m{"kid": 1}) }, false},
		{"a header with a name twice is refused", func() string {
			return sign(rsaKey(), `{"alg":"none","alg":"RS256","kid":"k1"}`, claims())
		}, false},
		{"a header that is a list is refused", func() string { return sign(rsaKey(), `["RS256"]`, claims()) }, false},
		{"a payload that is a list is refused", func() string { return sign(rsaKey(), header, `[]`) }, false},
		{"a payload with something behind is refused", func() string {
			return sign(rsaKey(), header, string(must(json.Marshal(claims())))+"{}")
		}, false},
		{"a payload that is not UTF-8 is refused", func() string {
			return sign(rsaKey(), header, strings.Replace(string(must(json.Marshal(claims()))), "alice", "al\xffice", 1))
		}, false},
		{"a sub twice is refused", func() string {
			return sign(rsaKey(), header, strings.Replace(string(must(json.Marshal(claims()))), "{", `{"sub":"admin",`, 1))
		}, false},
		{"a sub twice, once in escapes, is refused", func() string {
			return sign(rsaKey(), header, strings.Replace(string(must(json.Marshal(claims()))), "{", `{"\u0073ub":"admin",`, 1))
		}, false},
		{"roles twice inside a claim is refused", func() string {
			return sign(rsaKey(), header, with(claims(), m{"realm": json.RawMessage(`{"roles":["user"],"roles":["admin"]}`)}))
		}, false},
		{"NaN is refused", func() string {
			return sign(rsaKey(), header, strings.Replace(string(must(json.Marshal(claims()))), "{", `{"exp":NaN,`, 1))
		}, false},
		{"an empty token is refused", func() string { return "" }, false},
		{"two dots alone are refused", func() string { return ".." }, false},
		{"white space around the token is refused", func() string { return " " + signed(nil) }, false},
		{"a line end inside the token is refused", func() string { s := signed(nil); return s[:30] + "\n" + s[30:] }, false},
		{"a padded segment is refused", func() string { return signed(nil) + "==" }, false},
		{"a fourth part is refused", func() string { return signed(nil) + ".x" }, false},
		{"the JSON form is refused", func() string {
			p := strings.Split(signed(nil), ".")
			return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, p[0], p[1], p[2])
		}, false},
		{"an encrypted token is refused", func() string { return segment(m{"alg": "dir", "enc": "A256GCM"}) + "....." }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := providertest.New(t)
			op.Publish(jwkOf(rsaKey().Public(), "k1"), jwkOf(ecKey().Public(), "ec"))
			_, err := op.Verifier().Login(background(), row.raw(), expectation())
			for _, r := range op.Requests {
				require.Equal(t, "op.example", r.URL.Host, "nobody else is asked")
			}
			if row.ok {
				require.NoError(t, err)
			} else {
				requireTokenError(t, err)
			}
		})
	}
}

func TestEveryFlippedBitOfASignatureIsRefused(t *testing.T) {
	verifier := providertest.New(t).Verifier()
	raw := sign(rsaKey(), header, claims())
	_, err := verifier.Login(background(), raw, expectation())
	require.NoError(t, err)
	for i := strings.LastIndex(raw, ".") + 1; i < len(raw); i += 7 {
		for bit := range 8 {
			changed := []byte(raw)
			changed[i] ^= 1 << bit
			_, err := verifier.Login(background(), string(changed), expectation())
			requireTokenError(t, err)
		}
	}
	last := raw[:len(raw)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", raw[len(raw)-1])%26^1])
	if last != raw {
		_, err = verifier.Login(background(), last, expectation())
		requireTokenError(t, err)
	}
}

func TestMonsterTokensCostNothing(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000)
	for name, raw := range map[string]string{
		"five megabytes":                 strings.Repeat("a", 5<<20),
		"a good token of 200 kB":         sign(rsaKey(), header, with(claims(), m{"x": strings.Repeat("a", 150_000)})),
		"a million dots":                 strings.Repeat(".", 1_000_000),
		"a hundred thousand dots":        strings.Repeat(".", 100_000),
		"a payload ten thousand deep":    sign(rsaKey(), header, deep),
		"a claim ten thousand deep":      sign(rsaKey(), header, with(claims(), m{"x": json.RawMessage(deep)})),
		"a header ten thousand deep":     sign(rsaKey(), strings.Replace(deep, "{", `{"alg":"RS256",`, 1), claims()),
		"PBES2 with two billion rounds":  segment(m{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2000000000, "p2s": "AAAA"}) + ".AAAA.AAAA.AAAA.AAAA",
		"key wrapping with an empty key": segment(m{"alg": "A128KW", "enc": "A128GCM"}) + "..AAAA.AAAA.AAAA",
		"a compressed token":             segment(m{"alg": "RSA-OAEP", "enc": "A128GCM", "zip": "DEF"}) + ".AAAA.AAAA.AAAA.AAAA",
	} {
		t.Run(name, func(t *testing.T) {
			op := providertest.New(t)
			verifier := op.Verifier()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			_, err := verifier.Login(background(), raw, expectation())
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			requireTokenError(t, err)
			require.Zero(t, op.Hits("/jwks"), "refused before a key is fetched")
			require.Less(t, took, cheap)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
		})
	}
}

func TestATokenWithManyGroupsIsAccepted(t *testing.T) {
	groups := make([]string, 2000)
	for i := range groups {
		groups[i] = fmt.Sprintf("f81d4fae-7dec-11d0-a765-%012d", i)
	}
	raw := sign(rsaKey(), header, with(claims(), m{"groups": groups}))
	require.Less(t, len(raw), jwt.MaxToken)
	_, err := providertest.New(t).Verifier().Login(background(), raw, expectation())
	require.NoError(t, err)
}

func TestMaxAgeAndACRAreVerified(t *testing.T) {
	minute, zero := time.Minute, time.Duration(0)
	for _, row := range []struct {
		name  string
		want  func(*provider.LoginExpectation)
		token m
		ok    bool
	}{
		{"max_age without auth_time is refused", func(w *provider.LoginExpectation) { w.MaxAge = &minute }, nil, false},
		{"max_age with a fresh auth_time is accepted", func(w *provider.LoginExpectation) { w.MaxAge = &minute }, m{"auth_time": -30}, true},
		{"max_age and the skew are the limit", func(w *provider.LoginExpectation) { w.MaxAge = &minute }, m{"auth_time": -120}, true},
		{"beyond max_age and the skew is refused", func(w *provider.LoginExpectation) { w.MaxAge = &minute }, m{"auth_time": -121}, false},
		{"max_age zero is a limit too", func(w *provider.LoginExpectation) { w.MaxAge = &zero }, m{"auth_time": -61}, false},
		{"without max_age an old auth_time is accepted", func(*provider.LoginExpectation) {}, m{"auth_time": -99999}, true},
		{"an essential acr that is missing is refused", func(w *provider.LoginExpectation) { w.EssentialACR = []string{"gold"} }, nil, false},
		{"an acr below the essential one is refused", func(w *provider.LoginExpectation) { w.EssentialACR = []string{"gold"} }, m{"acr": "silver"}, false},
		{"one of several essential acrs is accepted", func(w *provider.LoginExpectation) { w.EssentialACR = []string{"gold", "silver"} }, m{"acr": "silver"}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				want := expectation()
				row.want(&want)
				changes := m{}
				for name, value := range row.token {
					if ago, ok := value.(int); ok {
						value = time.Now().Unix() + int64(ago)
					}
					changes[name] = value
				}
				_, err := providertest.New(t).Verifier().Login(background(), sign(rsaKey(), header, with(claims(), changes)), want)
				if row.ok {
					require.NoError(t, err)
					return
				}
				requireTokenError(t, err)
				require.Equal(t, row.token == nil && want.MaxAge != nil, strings.Contains(err.Error(), provider.ErrNoAuthTime.Error()))
			})
		})
	}
}

func TestAnEmptyExpectedNonceIsNeverMet(t *testing.T) {
	want := expectation()
	want.Nonce = ""
	_, err := providertest.New(t).Verifier().Login(background(), sign(rsaKey(), header, with(claims(), m{"nonce": ""})), want)
	requireTokenError(t, err)
}

func TestEveryAgreedAlgorithmVerifies(t *testing.T) {
	for alg, key := range map[string]crypto.Signer{"RS256": rsaKey(), "RS384": rsaKey(), "PS256": rsaKey(), "ES256": ecKey(), "EdDSA": edKey()} {
		t.Run(alg, func(t *testing.T) {
			op := providertest.New(t)
			op.Publish(jwkOf(ecKey().Public(), "k1"), jwkOf(edKey().Public(), "k1"), jwkOf(rsaKey().Public(), "k1"))
			verifier := op.Verifier(func(c *providertest.Config) { c.SigningAlg = alg })
			_, err := verifier.Login(background(), sign(key, with(header, m{"alg": alg}), claims()), expectation())
			require.NoError(t, err)
			_, err = verifier.Login(background(), sign(key, with(header, m{"alg": alg}), with(claims(), m{"at_hash": "x"})), expectation())
			requireTokenError(t, err)
		})
	}
}
