// Package providertest is an OpenID provider in memory for the tests of the packages below
// oidcauth, whose code gets small settings where oidcauth has its Config. It signs what a test
// says, however wrong. No production code may import it.
//
// Start reading at OP. Applications test with oidcauth/oidcauthtest, which is a whole provider.
package providertest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the provider and its client are called.
const (
	Issuer    = "https://op.example"
	ClientID  = "shop"
	Discovery = "/.well-known/openid-configuration"
)

// An Object is a JSON object.
type Object = map[string]any

// An OP answers in memory, as a RoundTripper, so that synctest's clock governs everything. Every
// answer can be bent.
type OP struct {
	// Metadata are published at Discovery, and Requests are those that came, with their forms
	// parsed. Who uses them while others call locks nothing: tests do so before and after.
	Metadata Object
	Requests []*http.Request

	t        *testing.T
	mu       sync.Mutex
	keys     []any
	handlers map[string]http.HandlerFunc // by path; they replace the usual answers
	log      bytes.Buffer
}

// New returns a provider that publishes RSAKey as k1. t may be nil where nothing of it fails a test.
func New(t *testing.T) *OP {
	return &OP{
		t: t,
		Metadata: Object{
			"issuer":                                Issuer,
			"authorization_endpoint":                Issuer + "/authorize",
			"token_endpoint":                        Issuer + "/token",
			"jwks_uri":                              Issuer + "/jwks",
			"userinfo_endpoint":                     Issuer + "/userinfo",
			"revocation_endpoint":                   Issuer + "/revoke",
			"pushed_authorization_request_endpoint": Issuer + "/par",
		},
		keys:     []any{JWK(RSAKey().Public(), "k1")},
		handlers: map[string]http.HandlerFunc{},
	}
}

// RoundTrip answers r.
func (op *OP) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		if err := r.ParseForm(); err != nil {
			return nil, err
		}
	}
	op.mu.Lock()
	op.Requests = append(op.Requests, r)
	handler := op.handlers[r.URL.Path]
	op.mu.Unlock()
	if handler == nil {
		handler = op.Usual
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

// Usual is the answer of a path that is not bent.
func (op *OP) Usual(w http.ResponseWriter, r *http.Request) {
	op.mu.Lock()
	defer op.mu.Unlock()
	switch r.URL.Path {
	case Discovery:
		WriteJSON(w, op.Metadata)
	case "/jwks":
		WriteJSON(w, Object{"keys": op.keys})
	case "/revoke":
	default:
		http.NotFound(w, r)
	}
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// Handle replaces the answer at a path; "" for body is a status alone.
func (op *OP) Handle(path string, status int, contentType, body string) {
	op.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// HandleFunc replaces the answer at a path.
func (op *OP) HandleFunc(path string, h http.HandlerFunc) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.handlers[path] = h
}

// Heal brings the usual answer at a path back.
func (op *OP) Heal(path string) {
	op.mu.Lock()
	defer op.mu.Unlock()
	delete(op.handlers, path)
}

// Publish replaces the key set.
func (op *OP) Publish(keys ...any) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.keys = keys
}

// Hits counts the requests for a path.
func (op *OP) Hits(path string) (n int) {
	op.mu.Lock()
	defer op.mu.Unlock()
	for _, r := range op.Requests {
		if r.URL.Path == path {
			n++
		}
	}
	return n
}

// Last returns the last request for a path.
func (op *OP) Last(path string) *http.Request {
	op.mu.Lock()
	defer op.mu.Unlock()
	for i := len(op.Requests) - 1; i >= 0; i-- {
		if op.Requests[i].URL.Path == path {
			return op.Requests[i]
		}
	}
	require.Fail(op.t, "no request", path)
	return nil
}

// Logged returns what was logged by those who were made by op.
func (op *OP) Logged() string {
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
