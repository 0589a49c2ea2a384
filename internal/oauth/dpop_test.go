package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/providertest"
)

const dpopAnswer = `{"access_token":"at-4711","token_type":"DPoP","expires_in":300}`

func TestAProofSaysWhatItIsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		op.Metadata["token_endpoint"] = issuer + "/token?tenant=1"
		op.Handle("/token", 200, "application/json", dpopAnswer)
		_, err := op.Endpoint().Bind(proofKey(t)).Token(background(), grant())
		require.NoError(t, err)
		header, claims := proofOf(t, op.Last("/token"))
		require.Equal(t, "dpop+jwt", header["typ"])
		require.Equal(t, "ES256", header["alg"])
		require.ElementsMatch(t, []string{"kty", "crv", "x", "y"}, keysOf(header["jwk"].(m)), "the public part only")
		require.ElementsMatch(t, []string{"typ", "alg", "jwk"}, keysOf(header))
		require.GreaterOrEqual(t, len(claims["jti"].(string)), 22)
		delete(claims, "jti")
		require.Equal(t, m{"htm": "POST", "htu": issuer + "/token", "iat": float64(time.Now().Unix())}, claims)
	})
}

func keysOf(object m) (names []string) {
	for name := range object {
		names = append(names, name)
	}
	return names
}

func TestOnlyDPoPTokensAreTakenForADPoPKey(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/token", 200, "application/json", goodAnswer)
	_, err := op.Endpoint().Bind(proofKey(t)).Token(background(), grant())
	require.ErrorContains(t, requireEndpointError(t, err), "token_type")
	op.Handle("/token", 200, "application/json", strings.Replace(dpopAnswer, "DPoP", "dPOP", 1))
	answer, err := op.Endpoint().Bind(proofKey(t)).Token(background(), grant())
	require.NoError(t, err)
	require.Equal(t, "DPoP", answer.TokenType)
	_, err = op.Endpoint().Token(background(), grant())
	require.ErrorContains(t, requireEndpointError(t, err), "token_type", "unasked")
	require.Empty(t, op.Last("/token").Header.Get("DPoP"))
}

// nonceServer demands the nonce that its last answer gave, a new one each time.
func nonceServer(status int, body string) http.HandlerFunc {
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		var claims m
		if parts := strings.Split(r.Header.Get("DPoP"), "."); len(parts) == 3 {
			_ = json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[1])), &claims)
		}
		good := n > 0 && claims["nonce"] == fmt.Sprint("nonce-", n)
		n++
		w.Header().Set("DPoP-Nonce", fmt.Sprint("nonce-", n))
		if good {
			_, _ = io.WriteString(w, body)
			return
		}
		w.Header().Set("WWW-Authenticate", `dpop algs="ES256", error="use_dpop_nonce"`)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":"use_dpop_nonce"}`)
	}
}

func TestATokenRequestIsRepeatedOnceForANonce(t *testing.T) {
	op := providertest.New(t)
	op.HandleFunc("/token", nonceServer(400, dpopAnswer))
	endpoint := op.Endpoint(func(c *providertest.Config) {
		c.ClientAuth = oauth.Client{Method: privateKeyJWT, Key: ecKey()}
	}).Bind(proofKey(t))
	_, err := endpoint.Token(background(), grant())
	require.NoError(t, err)
	require.Equal(t, 2, op.Hits("/token"))
	var first, second *http.Request
	for _, r := range op.Requests {
		if r.URL.Path == "/token" {
			first, second = second, r
		}
	}
	require.NotEqual(t, first.PostForm.Get("client_assertion"), second.PostForm.Get("client_assertion"), "a fresh assertion")
	require.Equal(t, first.PostForm.Get("code"), second.PostForm.Get("code"))
	_, err = endpoint.Bind(proofKey(t)).Token(background(), grant())
	require.NoError(t, err)
	require.Equal(t, 3, op.Hits("/token"), "the nonce of the last answer serves at once, for another key too")
}

func TestEndlessDemandsForANonceEndAfterOneRetry(t *testing.T) {
	for name, nonce := range map[string]string{"always a new one": "n", "none": "", "one with a quote": `a"b`, "one with a space": "a b", "1 MB": strings.Repeat("n", 1<<20)} {
		t.Run(name, func(t *testing.T) {
			op := providertest.New(t)
			op.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
				if nonce != "" {
					w.Header().Set("DPoP-Nonce", nonce)
				}
				w.WriteHeader(400)
				_, _ = io.WriteString(w, `{"error":"use_dpop_nonce"}`)
			})
			endpoint := op.Endpoint().Bind(proofKey(t))
			_, err := endpoint.Token(background(), grant())
			require.Equal(t, "use_dpop_nonce", requireEndpointError(t, err).Code)
			want := 1
			if nonce == "n" {
				want = 2
			}
			require.Equal(t, want, op.Hits("/token"))
		})
	}
}

func TestOtherErrorsAreNotRetriedForANonce(t *testing.T) {
	op := providertest.New(t)
	op.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("DPoP-Nonce", "n")
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
	})
	_, err := op.Endpoint().Bind(proofKey(t)).Token(background(), grant())
	require.Equal(t, "invalid_grant", requireEndpointError(t, err).Code)
	_, err = op.Endpoint().Token(background(), grant())
	require.Error(t, err)
	require.Equal(t, 2, op.Hits("/token"))
}

func TestWithoutADPoPKeyNothingIsRetried(t *testing.T) {
	op := providertest.New(t)
	op.HandleFunc("/token", nonceServer(400, goodAnswer))
	_, err := op.Endpoint().Token(background(), grant())
	requireEndpointError(t, err)
	require.Equal(t, 1, op.Hits("/token"))
}

func TestUserinfoIsAskedWithAProof(t *testing.T) {
	op := providertest.New(t)
	op.HandleFunc("/userinfo", nonceServer(401, `{"sub":"alice"}`))
	bound := &oauth.TokenAnswer{AccessToken: "at-4711", TokenType: "DPoP"}
	claims, err := op.Endpoint().Bind(proofKey(t)).Userinfo(background(), bound, "alice")
	require.NoError(t, err)
	require.JSONEq(t, `{"sub":"alice"}`, string(claims))
	require.Equal(t, 2, op.Hits("/userinfo"))
	r := op.Last("/userinfo")
	require.Equal(t, "DPoP at-4711", r.Header.Get("Authorization"))
	_, proof := proofOf(t, r)
	sum := sha256.Sum256([]byte("at-4711"))
	require.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:]), proof["ath"])
	require.Equal(t, "nonce-1", proof["nonce"])
	require.Equal(t, "GET", proof["htm"])
}

func TestATokenIsNotSentTheOtherWay(t *testing.T) {
	op := providertest.New(t)
	_, err := op.Endpoint().Userinfo(background(), &oauth.TokenAnswer{AccessToken: "at", TokenType: "DPoP"}, "alice")
	requireEndpointError(t, err)
	_, err = op.Endpoint().Bind(proofKey(t)).Userinfo(background(), bearer, "alice")
	requireEndpointError(t, err)
	require.Empty(t, op.Requests)
}

// A pushed request names the key by dpop_jkt; a revocation shows that it has it (RFC 9449 §5).
func TestARevocationCarriesAProofAndAPushedRequestNone(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/par", 201, "application/json", `{"request_uri":"urn:x"}`)
	endpoint := op.Endpoint().Bind(proofKey(t))
	_, err := endpoint.Push(background(), url.Values{})
	require.NoError(t, err)
	require.NoError(t, endpoint.Revoke(background(), "t", "access_token"))
	require.Empty(t, op.Last("/par").Header.Get("DPoP"))
	require.NotEmpty(t, op.Last("/revoke").Header.Get("DPoP"))
}

func TestAnAPIIsCalledAgainForANonce(t *testing.T) {
	for _, row := range []struct {
		name  string
		body  func() io.Reader
		calls int
		ok    bool
	}{
		{"without a body", func() io.Reader { return nil }, 2, true},
		{"with a body that can be sent again", func() io.Reader { return strings.NewReader("hello") }, 2, true},
		{"not with a body that can't", func() io.Reader { return io.MultiReader(strings.NewReader("hello")) }, 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := providertest.New(t)
			server, bodies := nonceServer(401, "fine"), []string{}
			op.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				bodies = append(bodies, string(b))
				server(w, r)
			})
			r := must(http.NewRequest(http.MethodPut, "https://api.example/api?q=1", row.body()))
			nonces := op.Endpoint().Nonces
			res, err := nonces.Authorized(op.RoundTrip, r, proofKey(t), "at-4711", new(oauth.Retry))
			require.NoError(t, err)
			require.Equal(t, row.ok, res.StatusCode == 200)
			require.Equal(t, row.calls, op.Hits("/api"))
			require.Len(t, bodies, row.calls)
			require.Equal(t, bodies[0], bodies[len(bodies)-1])
			require.Empty(t, r.Header, "the caller's request is left alone")
			_, proof := proofOf(t, op.Last("/api"))
			require.Equal(t, "https://api.example/api", proof["htu"])
			require.Equal(t, "PUT", proof["htm"])
			require.NotEmpty(t, proof["ath"])
		})
	}
}

func TestAnAPIThatRefusesForAnotherReasonIsNotCalledAgain(t *testing.T) {
	for name, challenge := range map[string]string{
		"an invalid token": `DPoP error="invalid_token"`, "insufficient scope": `DPoP error="insufficient_scope"`, "no challenge": ``, "another scheme": `Basic realm="use_nonce"`,
	} {
		t.Run(name, func(t *testing.T) {
			op := providertest.New(t)
			op.HandleFunc("/api", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("DPoP-Nonce", "n")
				w.Header().Set("WWW-Authenticate", challenge)
				w.WriteHeader(401)
			})
			res, err := op.Endpoint().Nonces.Authorized(op.RoundTrip, must(http.NewRequest("GET", "https://api.example/api", nil)), proofKey(t), "at", new(oauth.Retry))
			require.NoError(t, err)
			require.Equal(t, 401, res.StatusCode)
			require.Equal(t, 1, op.Hits("/api"))
		})
	}
}

func TestADemandForANonceIsA401(t *testing.T) {
	for _, status := range []int{200, 400, 403, 503} {
		op := providertest.New(t)
		op.HandleFunc("/api", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("DPoP-Nonce", "n")
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(status)
		})
		res, err := op.Endpoint().Nonces.Authorized(op.RoundTrip, must(http.NewRequest("GET", "https://api.example/api", nil)), proofKey(t), "at", new(oauth.Retry))
		require.NoError(t, err)
		require.Equal(t, status, res.StatusCode)
		require.Equal(t, 1, op.Hits("/api"))
	}
}

func TestAnAPIThatCannotBeReachedIsAnError(t *testing.T) {
	op := providertest.New(t)
	server := nonceServer(401, "fine")
	for failing := 1; failing <= 2; failing++ {
		calls := 0
		send := func(r *http.Request) (*http.Response, error) {
			if calls++; calls == failing {
				return nil, io.ErrUnexpectedEOF
			}
			w := httptest.NewRecorder()
			server(w, r)
			return w.Result(), nil
		}
		_, err := op.Endpoint().Nonces.Authorized(send, must(http.NewRequest("GET", "https://api.example/api", nil)), proofKey(t), "at", new(oauth.Retry))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Equal(t, failing, calls)
	}
}

func TestWithoutAKeyATokenIsABearerToken(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/api", 200, "", "")
	r := must(http.NewRequest("GET", "https://api.example/api", nil))
	_, err := op.Endpoint().Nonces.Authorized(op.RoundTrip, r, nil, "at", new(oauth.Retry))
	require.NoError(t, err)
	require.Equal(t, "Bearer at", op.Last("/api").Header.Get("Authorization"))
	require.Empty(t, op.Last("/api").Header.Get("DPoP"))
	require.Empty(t, r.Header)
}
