package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"go/parser"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

var (
	rsaKey, _   = rsa.GenerateKey(rand.Reader, 2048)
	ecdsaKey, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
)

const redirect = "http://localhost:8080/auth/callback"

// A published provider is what one publishes, for a test to spoil. ISSUER in a text is replaced.
type published struct {
	metadata  map[string]any
	keys      []jose.JSONWebKey
	below     string           // the issuer's path
	date      func() time.Time // nil: answers have no Date
	discovery http.HandlerFunc
	authorize http.HandlerFunc
}

// healthy is a provider with nothing amiss.
func healthy() *published {
	return &published{
		metadata: map[string]any{
			"issuer": "ISSUER", "authorization_endpoint": "ISSUER/authorize", "token_endpoint": "ISSUER/token", "jwks_uri": "ISSUER/keys",
			"userinfo_endpoint": "ISSUER/userinfo", "end_session_endpoint": "ISSUER/logout", "revocation_endpoint": "ISSUER/revoke",
			"response_types_supported": []string{"code"}, "response_modes_supported": []string{"query", "form_post"}, "scopes_supported": []string{"openid", "profile", "email", "offline_access"},
			"grant_types_supported": []string{"authorization_code", "refresh_token"}, "code_challenge_methods_supported": []string{"S256"},
			"token_endpoint_auth_methods_supported": []string{"client_secret_basic"}, "id_token_signing_alg_values_supported": []string{"RS256"},
			"authorization_response_iss_parameter_supported": true, "backchannel_logout_supported": true, "backchannel_logout_session_supported": true,
		},
		keys: []jose.JSONWebKey{{Key: rsaKey.Public(), KeyID: "1", Use: "sig"}},
		date: time.Now,
		authorize: func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			if q.Get("client_id") != "shop" || q.Get("redirect_uri") != redirect {
				http.Error(w, "unknown client", http.StatusBadRequest)
				return
			}
			http.Redirect(w, r, redirect+"?"+url.Values{"error": {"login_required"}, "state": {q.Get("state")}, "iss": {"http://" + r.Host}}.Encode(), http.StatusFound)
		},
	}
}

// start serves p on loopback and returns its address.
func (p *published) start(t *testing.T) string {
	mux := http.NewServeMux()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		if p.date != nil {
			w.Header().Set("Date", p.date().UTC().Format(http.TimeFormat))
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	answer := func(document any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			text, _ := json.Marshal(document)
			w.Write(bytes.ReplaceAll(text, []byte("ISSUER"), []byte(server.URL+p.below)))
		}
	}
	if p.discovery == nil {
		p.discovery = answer(p.metadata)
	}
	mux.HandleFunc(p.below+wellKnown, p.discovery)
	mux.HandleFunc(p.below+"/keys", answer(jose.JSONWebKeySet{Keys: p.keys}))
	mux.HandleFunc(p.below+"/authorize", p.authorize)
	return server.URL
}

// doctor runs the command.
func doctor(t *testing.T, args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// line is the line of the report about this subject with this verdict.
func line(out string, v verdict, about string) string {
	for l := range strings.Lines(out) {
		if f := strings.Fields(l); strings.HasPrefix(l, string(v)+" ") && strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(l, f[0])), about) {
			return l
		}
	}
	return ""
}

func TestAHealthyProviderAndClient(t *testing.T) {
	issuer := healthy().start(t)
	code, out, errs := doctor(t, "-client-id", "shop", issuer, "-redirect", redirect)
	require.Equal(t, exitWell, code, out)
	require.Empty(t, errs)
	require.NotContains(t, out, string(trouble))
	require.NotEmpty(t, line(out, well, "your client"), out)
	_, literal, _ := strings.Cut(out, "The configuration that fits:\n\n")
	literal, _, _ = strings.Cut(literal, "\nRead on")
	_, err := parser.ParseExpr(literal)
	require.NoError(t, err, literal)
	require.Contains(t, literal, `"`+issuer+`"`)
	require.Contains(t, literal, `http://localhost:8080/auth/backchannel-logout`)
}

func TestWhatStandsInTheWay(t *testing.T) {
	set := func(name string, value any) func(*published) {
		return func(p *published) { p.metadata[name] = value }
	}
	for name, row := range map[string]struct {
		spoil func(*published)
		about string
		says  string
	}{
		"the issuer has a slash that ours has not":         {set("issuer", "ISSUER/"), "metadata", "slash at the end"},
		"the issuer is another":                            {set("issuer", "https://other.example.com"), "metadata", "write Config.Issuer as it does"},
		"an endpoint leads away from https":                {set("token_endpoint", "http://id.example.com/token"), "metadata", "token_endpoint"},
		"nobody can log in":                                {func(p *published) { delete(p.metadata, "authorization_endpoint") }, "metadata", "authorization_endpoint"},
		"there is no code flow":                            {set("response_types_supported", []string{"id_token"}), "code flow", "not code"},
		"tokens are signed with the secret":                {set("id_token_signing_alg_values_supported", []string{"HS256"}), "keys", "HS256"},
		"no key is published":                              {func(p *published) { p.keys = nil }, "keys", ""},
		"the only key encrypts":                            {func(p *published) { p.keys[0].Use = "enc" }, "keys", ""},
		"pushed requests are required and can't be pushed": {set("require_pushed_authorization_requests", true), "PAR", "publishes no endpoint"},
		"no way to authenticate is ours":                   {set("token_endpoint_auth_methods_supported", []string{"client_secret_jwt"}), "client", "client_secret_jwt"},
		"the clock is ten minutes ahead": {func(p *published) {
			p.date = func() time.Time { return time.Now().Add(10*time.Minute + 30*time.Second) }
		}, "clock", "10m"},
		"discovery redirects": {func(p *published) {
			p.discovery = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://login.example.com/", http.StatusFound)
			}
		}, "metadata", "login.example.com"},
		"discovery answers a web page": {func(p *published) {
			p.discovery = func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<!doctype html>")) }
		}, "metadata", ""},
		"discovery is not found":   {func(p *published) { p.discovery = http.NotFound }, "metadata", "/realms/NAME"},
		"discovery is overwhelmed": {func(p *published) { p.discovery = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) } }, "metadata", "out of order"},
		"the client is unknown": {func(p *published) {
			p.authorize = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }
		}, "your client", "doesn't know this client ID"},
		"the refusal is a redirect to a page of the provider's": {func(p *published) {
			p.authorize = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/oauth/error?code=3", http.StatusFound)
			}
		}, "your client", "error page"},
		"the client may not ask for a login": {func(p *published) { p.authorize = respond("unauthorized_client", "") }, "your client", "unauthorized_client"},
		"the response is another issuer's":   {func(p *published) { p.authorize = respond("login_required", "https://evil.example.com") }, "your client", "another issuer"},
		"the state is lost": {func(p *published) {
			p.authorize = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, redirect+"?error=login_required", http.StatusFound)
			}
		}, "your client", "state"},
	} {
		t.Run(name, func(t *testing.T) {
			p := healthy()
			row.spoil(p)
			code, out, _ := doctor(t, "-client-id", "shop", "-redirect", redirect, p.start(t))
			require.Equal(t, exitTrouble, code, out)
			require.Contains(t, line(out, trouble, row.about), row.says, out)
			require.NotEmpty(t, line(out, trouble, row.about), out)
		})
	}
}

// respond answers an authorization request with an error, and iss where it is not "".
func respond(code, iss string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		response := url.Values{"error": {code}, "state": {r.URL.Query().Get("state")}}
		if iss != "" {
			response.Set("iss", iss)
		}
		http.Redirect(w, r, redirect+"?"+response.Encode(), http.StatusFound)
	}
}

func TestWhatSomebodyShouldKnow(t *testing.T) {
	drop := func(names ...string) func(*published) {
		return func(p *published) {
			maps.DeleteFunc(p.metadata, func(name string, _ any) bool {
				for _, n := range names {
					if n == name {
						return true
					}
				}
				return false
			})
		}
	}
	for name, row := range map[string]struct {
		change       func(*published)
		about        string
		says, config string
	}{
		"tokens are signed with ES256": {func(p *published) {
			p.keys = []jose.JSONWebKey{{Key: ecdsaKey.Public(), KeyID: "1"}}
			p.metadata["id_token_signing_alg_values_supported"] = []string{"ES256"}
		}, "keys", "ES256", `"ES256"`},
		"the secret belongs into the form": {func(p *published) {
			p.metadata["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
		}, "client", "client_secret_post", "oidcauth.ClientSecretPost"},
		"there is no scope for refresh tokens": {func(p *published) {
			p.metadata["scopes_supported"] = []string{"openid", "email"}
		}, "refresh tokens", "offline_access", `[]string{"openid", "email"}`},
		"there is a scope for refresh tokens": {func(*published) {}, "refresh tokens", "offline_access", `"email", "offline_access"}`},
		"only forms come back":                {func(p *published) { p.metadata["response_modes_supported"] = []string{"form_post"} }, "response modes", "form_post", `"form_post"`},
		"there is no PKCE":                    {drop("code_challenge_methods_supported"), "PKCE", "S256", ""},
		"there is no userinfo":                {drop("userinfo_endpoint"), "userinfo", "", ""},
		"sessions can't be ended":             {drop("end_session_endpoint"), "sign-out", "", ""},
		"tokens can't be revoked":             {drop("revocation_endpoint"), "revocation", "", ""},
		"logouts are not told":                {drop("backchannel_logout_supported"), "back channel", "RevalidateAfter", ""},
		"responses name no issuer":            {drop("authorization_response_iss_parameter_supported"), "mix-up", "", ""},
		"the clock is 20 seconds off":         {func(p *published) { p.date = func() time.Time { return time.Now().Add(-20 * time.Second) } }, "clock", "tolerated", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := healthy()
			row.change(p)
			code, out, _ := doctor(t, p.start(t))
			require.Equal(t, exitWell, code, out)
			found := line(out, note, row.about)
			if row.config != "" && found == "" {
				found = line(out, well, row.about)
			}
			require.NotEmpty(t, found, out)
			require.Contains(t, found, row.says)
			require.Contains(t, out, row.config)
		})
	}
}

func TestTheIssuerAsPeopleTypeIt(t *testing.T) {
	for typed, says := range map[string]string{
		"id.example.com":                                          "expected a URL such as",
		"http://id.example.com":                                   "plain http",
		"https://id.example.com/?realm=main":                      "no query",
		"https://id.example.com/.well-known/openid-configuration": "here https://id.example.com",
	} {
		code, out, _ := doctor(t, typed)
		require.Equal(t, exitTrouble, code, out)
		require.Contains(t, line(out, trouble, "issuer"), says, out)
	}
}

func TestAServerThatThisMachineDoesNotTrust(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	code, out, _ := doctor(t, server.URL)
	require.Equal(t, exitTrouble, code)
	require.Contains(t, line(out, trouble, "metadata"), "doesn't trust", out)

	plain := healthy().start(t)
	code, out, _ = doctor(t, strings.Replace(plain, "http:", "https:", 1))
	require.Equal(t, exitTrouble, code)
	require.NotEmpty(t, line(out, trouble, "metadata"), out)
}

func TestACommandLineThatMakesNoSense(t *testing.T) {
	for name, args := range map[string][]string{
		"no issuer":                 nil,
		"two issuers":               {"https://a.example.com", "https://b.example.com"},
		"a client without redirect": {"-client-id", "shop", "https://a.example.com"},
		"an unknown flag":           {"-secret", "x", "https://a.example.com"},
		"no time at all":            {"-timeout", "0s", "https://a.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := doctor(t, args...)
			require.Equal(t, exitUsage, code)
			require.Empty(t, out)
			require.NotEmpty(t, errs)
		})
	}
	code, _, errs := doctor(t, "-h")
	require.Equal(t, exitWell, code)
	require.Contains(t, errs, "usage")
}
