package oidcauth_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

const (
	issuer   = "https://op.example"
	clientID = "shop"
)

// Keys are made once: RSA ones take a while.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey { _, k, _ := ed25519.GenerateKey(rand.Reader); return k })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

type m = map[string]any

// fakeOP answers in memory, as a RoundTripper, so that synctest's clock governs everything. Every answer can be bent.
type fakeOP struct {
	t *testing.T

	mu       sync.Mutex
	metadata m
	keys     []any
	handlers map[string]http.HandlerFunc // by path; they replace the usual answers
	requests []*http.Request             // with their forms parsed
	log      bytes.Buffer
}

func newFakeOP(t *testing.T) *fakeOP {
	return &fakeOP{
		t: t,
		metadata: m{
			"issuer":                                issuer,
			"authorization_endpoint":                issuer + "/authorize",
			"token_endpoint":                        issuer + "/token",
			"jwks_uri":                              issuer + "/jwks",
			"userinfo_endpoint":                     issuer + "/userinfo",
			"revocation_endpoint":                   issuer + "/revoke",
			"pushed_authorization_request_endpoint": issuer + "/par",
		},
		keys:     []any{jwkOf(rsaKey().Public(), "k1")},
		handlers: map[string]http.HandlerFunc{},
	}
}

func (op *fakeOP) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		if err := r.ParseForm(); err != nil {
			return nil, err
		}
	}
	op.mu.Lock()
	op.requests = append(op.requests, r)
	handler := op.handlers[r.URL.Path]
	op.mu.Unlock()
	if handler == nil {
		handler = op.usual
	}
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody // as a server's handler sees it
	}
	w := httptest.NewRecorder()
	handler(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (op *fakeOP) usual(w http.ResponseWriter, r *http.Request) {
	op.mu.Lock()
	defer op.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		writeJSON(w, op.metadata)
	case "/jwks":
		writeJSON(w, m{"keys": op.keys})
	case "/revoke":
	default:
		http.NotFound(w, r)
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// handle replaces the answer at a path; "" for body is a status alone.
func (op *fakeOP) handle(path string, status int, contentType, body string) {
	op.handleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func (op *fakeOP) handleFunc(path string, h http.HandlerFunc) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.handlers[path] = h
}

func (op *fakeOP) heal(path string) {
	op.mu.Lock()
	defer op.mu.Unlock()
	delete(op.handlers, path)
}

func (op *fakeOP) publish(keys ...any) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.keys = keys
}

// hits counts the requests for a path.
func (op *fakeOP) hits(path string) (n int) {
	op.mu.Lock()
	defer op.mu.Unlock()
	for _, r := range op.requests {
		if r.URL.Path == path {
			n++
		}
	}
	return n
}

func (op *fakeOP) last(path string) *http.Request {
	op.mu.Lock()
	defer op.mu.Unlock()
	for i := len(op.requests) - 1; i >= 0; i-- {
		if op.requests[i].URL.Path == path {
			return op.requests[i]
		}
	}
	require.Fail(op.t, "no request", path)
	return nil
}

// config is a configuration as the protocol layer gets it: with its defaults filled in.
func (op *fakeOP) config(change ...func(*oidcauth.Config)) *oidcauth.Config {
	c := &oidcauth.Config{
		Issuer:          issuer,
		ClientID:        clientID,
		ClientSecret:    "secret-of-the-shop",
		SigningAlg:      "RS256",
		Skew:            time.Minute,
		Timeout:         10 * time.Second,
		DiscoveryMaxAge: 24 * time.Hour,
		Logger:          slog.New(slog.NewTextHandler(&lockedWriter{mu: &op.mu, w: &op.log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		HTTPClient:      &http.Client{Transport: op},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func (op *fakeOP) logged() string {
	op.mu.Lock()
	defer op.mu.Unlock()
	return op.log.String()
}

type lockedWriter struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (op *fakeOP) verifier(change ...func(*oidcauth.Config)) *oidcauth.ProtocolVerifier {
	c := op.config(change...)
	client := oidcauth.NewHTTPClient(c)
	return oidcauth.NewVerifier(c, oidcauth.NewProtocolProvider(c, client), client)
}

func (op *fakeOP) endpoint(change ...func(*oidcauth.Config)) *oidcauth.ProtocolEndpoint {
	c := op.config(change...)
	client := oidcauth.NewHTTPClient(c)
	return oidcauth.NewEndpoint(c, oidcauth.NewProtocolProvider(c, client), client)
}

// jwkOf publishes a key for signatures.
func jwkOf(key crypto.PublicKey, kid string) m {
	b64 := base64.RawURLEncoding.EncodeToString
	jwk := m{"use": "sig"}
	if kid != "" {
		jwk["kid"] = kid
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		maps.Copy(jwk, m{"kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())})
	case *ecdsa.PublicKey:
		point := must(key.Bytes())[1:]
		half := len(point) / 2
		maps.Copy(jwk, m{"kty": "EC", "crv": key.Curve.Params().Name, "x": b64(point[:half]), "y": b64(point[half:])})
	case ed25519.PublicKey:
		maps.Copy(jwk, m{"kty": "OKP", "crv": "Ed25519", "x": b64(key)})
	}
	return jwk
}

// with returns a copy of a map with changes; a nil value drops the name.
func with(base m, changes m) m {
	out := maps.Clone(base)
	for name, value := range changes {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	return out
}

// sign makes a compact JWS of any header and payload, marshalled unless they are text, without a library's objections.
func sign(key crypto.Signer, header, payload any) string {
	input := segment(header) + "." + segment(payload)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature(key, algOf(header), input))
}

func segment(v any) string {
	text, ok := v.(string)
	if !ok {
		text = string(must(json.Marshal(v)))
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func algOf(header any) string {
	h, _ := header.(m)
	alg, _ := h["alg"].(string)
	return alg
}

func signature(key crypto.Signer, alg, input string) []byte {
	sum := sha256.Sum256([]byte(input))
	switch key := key.(type) {
	case *rsa.PrivateKey:
		switch alg {
		case "PS256":
			return must(rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		case "RS384":
			sum := sha512.Sum384([]byte(input))
			return must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA384, sum[:]))
		}
		return must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return must(out, err)
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(input))
	}
	panic("no such key")
}

var (
	header = m{"alg": "RS256", "kid": "k1", "typ": "JWT"}
	nonce  = "n-0S6_WzA2Mj"
)

// claims are those of a good ID token, now.
func claims() m {
	now := time.Now().Unix()
	return m{"iss": issuer, "sub": "alice", "aud": clientID, "exp": now + 300, "iat": now, "nonce": nonce}
}

func expectation() oidcauth.LoginExpectation {
	return oidcauth.LoginExpectation{Nonce: nonce, AccessToken: "at-1", Started: time.Now()}
}

func atHash(accessToken string) string {
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func requireTokenError(t *testing.T, err error) {
	t.Helper()
	var refused *oidcauth.TokenError
	require.ErrorAs(t, err, &refused)
	require.NotEmpty(t, refused.Reason)
	require.Less(t, len(err.Error()), 400, "an error names the fault, it doesn't repeat the token")
}

func background() context.Context { return context.Background() }
