package main_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/example-webapp/internal/replay"
	"github.com/signet-go/signet/oidcauth"
)

// A grantProvider is luikyv/go-oidc's with the grants that exchange one token for another. Tokens with the scope orders are for the
// API "orders", others for the application "jobs" itself.
type grantProvider struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func startGrantProvider(t *testing.T) *grantProvider {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p := &grantProvider{httptest.NewUnstartedServer(nil), key}
	issuer := "https://" + p.Listener.Addr().String()
	op, err := provider.New(issuer, nil, p.keys,
		provider.WithScopes(goidc.NewScope("orders")),
		provider.WithClientCredentialsGrant(),
		provider.WithJWTBearerGrant(func(_ context.Context, assertion string) (goidc.JWTBearerResult, error) {
			subject, err := p.subject(assertion)
			return goidc.JWTBearerResult{Subject: subject}, err
		}),
		provider.WithJWTBearerGrantClientAuthnRequired(),
		provider.WithTokenExchangeGrant(func(_ context.Context, r goidc.TokenExchangeRequest) (goidc.TokenExchangeResult, error) {
			subject, err := p.subject(r.SubjectToken)
			return goidc.TokenExchangeResult{Subject: subject}, err
		}),
		provider.WithTokenExchangeClientAuthnRequired(),
		provider.WithSecretBasicAuthn(),
		provider.WithDPoP(goidc.ES256),
		provider.WithJTIConsumer(replay.NewGuard(time.Hour).Consume),
		provider.WithTokenOptions(func(context.Context, *goidc.Grant, *goidc.Client) goidc.TokenOptions {
			return goidc.NewJWTTokenOptions(goidc.ES256, 300)
		}),
		provider.WithTokenClaims(func(_ context.Context, token *goidc.Token, _ *goidc.Grant) map[string]any {
			if token.Scopes == "orders" {
				return map[string]any{goidc.ClaimAudience: "orders"}
			}
			return map[string]any{goidc.ClaimAudience: "jobs"}
		}),
		provider.WithStaticClients(&goidc.Client{ID: "jobs", Secret: "secretOfTheJobs7", ClientMeta: goidc.ClientMeta{
			GrantTypes: []goidc.GrantType{goidc.GrantClientCredentials, goidc.GrantJWTBearer, goidc.GrantTokenExchange},
			ScopeIDs:   "orders", TokenAuthnMethod: goidc.AuthnMethodSecretBasic,
		}}),
	)
	require.NoError(t, err)
	p.Config.Handler = op.Handler()
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func (p *grantProvider) keys(context.Context) (goidc.JSONWebKeySet, error) {
	return goidc.JSONWebKeySet{Keys: []goidc.JSONWebKey{{Key: p.key, KeyID: "1", Algorithm: string(goidc.ES256), Use: "sig"}}}, nil
}

// subject reads a token of the provider's own that was made out to jobs.
func (p *grantProvider) subject(token string) (string, error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return "", err
	}
	var claims jwt.Claims
	if err := parsed.Claims(&p.key.PublicKey, &claims); err != nil {
		return "", err
	}
	return claims.Subject, claims.Validate(jwt.Expected{Issuer: p.URL, AnyAudience: jwt.Audience{"jobs"}, Time: time.Now()})
}

// One more provider's engine speaks both grants: an API takes what they bring, and not what it was got with.
func TestGoOIDCExchangesTokens(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		options []oidcauth.TokenOption
		status  int // 0: the provider refuses
	}{
		"token exchange":             {[]oidcauth.TokenOption{oidcauth.Scopes("orders"), oidcauth.Audience("orders")}, http.StatusOK},
		"JWT bearer":                 {[]oidcauth.TokenOption{oidcauth.Scopes("orders"), oidcauth.JWTBearer()}, http.StatusOK},
		"on behalf of":               {[]oidcauth.TokenOption{oidcauth.Scopes("orders"), oidcauth.OnBehalfOf()}, http.StatusOK},
		"one for another API":        {[]oidcauth.TokenOption{oidcauth.JWTBearer()}, http.StatusUnauthorized},
		"a type that nobody issues":  {[]oidcauth.TokenOption{oidcauth.Scopes("orders"), oidcauth.TokenType("urn:example:other")}, 0},
		"a scope that isn't granted": {[]oidcauth.TokenOption{oidcauth.Scopes("payments"), oidcauth.JWTBearer()}, 0},
	} {
		for _, bound := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, bound: %t", name, bound), func(t *testing.T) {
				t.Parallel()
				p := startGrantProvider(t)
				api := p.startAPI(t)
				machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
					Issuer: p.URL, ClientID: "jobs", ClientSecret: "secretOfTheJobs7", HTTPClient: p.Client(), DPoP: bound, APIs: []string{api},
					Logger: slog.New(slog.DiscardHandler),
				})
				require.NoError(t, err)
				answer, err := (&http.Client{Transport: machine.Transport(p.Client().Transport)}).Get(api)
				require.NoError(t, err)
				require.NoError(t, answer.Body.Close())
				require.Equal(t, http.StatusUnauthorized, answer.StatusCode, "the machine's own token is not for the API")
				answer, err = (&http.Client{Transport: machine.Exchange(t.Context(), row.options...).Transport(p.Client().Transport)}).Get(api)
				if row.status == 0 {
					_, refused := errors.AsType[*oidcauth.GrantError](err)
					require.True(t, refused, "%v", err)
					return
				}
				require.NoError(t, err)
				defer answer.Body.Close()
				require.Equal(t, row.status, answer.StatusCode)
				if row.status == http.StatusOK {
					var c oidcauth.Caller
					require.NoError(t, json.NewDecoder(answer.Body).Decode(&c))
					require.Equal(t, []any{"jobs", []string{"orders"}, bound}, []any{c.ClientID, c.Audience, c.SenderConstrained})
				}
			})
		}
	}
}

// startAPI serves the API "orders", which tells who calls.
func (p *grantProvider) startAPI(t *testing.T) string {
	server := httptest.NewUnstartedServer(nil)
	url := "https://" + server.Listener.Addr().String()
	api, err := oidcauth.NewResource(oidcauth.ResourceConfig{
		URL: url, Audience: []string{"orders"}, HTTPClient: p.Client(), Issuers: []oidcauth.TokenIssuer{{Issuer: p.URL}},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	server.Config.Handler = api.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(oidcauth.CallerFrom(r.Context()))
	}))
	server.StartTLS()
	t.Cleanup(server.Close)
	return url
}
