// Package devprovider is an OpenID provider inside the example's process, so that go run is all it
// takes to see a sign-in.
//
// It promises to speak whatever the app can be configured to use, with a login form, two users and
// tokens that expire soon enough to be watched. It listens on loopback only, keeps everything in
// memory, and is never meant for more than development: its passwords stand on its login page.
// Start at Start; who may sign in is in logins.go.
package devprovider

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"

	"github.com/signet-go/signet/example-webapp/internal/replay"
	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/oidcauth"
)

// How long its tokens live.
const (
	// tokenLifetime is short, so that refreshing can be watched while the app is tried.
	tokenLifetime = 2 * time.Minute
	// idTokenLifetime is as long as a session: the provider's library refuses an expired
	// id_token_hint at logout.
	idTokenLifetime = 12 * time.Hour
)

// An App is the client that the provider serves, as its configuration has it.
type App struct {
	// What the app is configured with. Start adds the issuer and, where they are missing, the
	// client's credentials.
	OIDC          *oidcauth.Config
	Scopes        []string // all that anybody asks for: others are refused as unknown, as providers do
	API           string   // the audience of access tokens
	PostLogoutURI string
	Static        http.Handler // stylesheet and images, below /static/
}

// A Provider is an OpenID provider inside this process, so that the example runs with nothing but
// Go installed. Its users' passwords are printed on its login page; it listens on loopback only,
// keeps everything in memory, and forgets it at the end.
//
// It lives on 127.0.0.1 while the app lives on localhost: to a browser these are two sites, as in
// production. Its cookie is named unlike the app's, since cookies ignore ports.
type Provider struct {
	Listener net.Listener // the caller's to close
	Handler  http.Handler
	issuer   string
	logins   *logins
}

// Start opens a loopback port and registers the app there; c.OIDC gets the issuer and the client's
// credentials. Whoever called it serves Handler on Listener.
//
// The client's secret is made up unless the environment names one, so that no secret is in the
// source of this program.
func Start(c App, log *slog.Logger) (*Provider, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("embedded provider: %w", err)
	}
	p := &Provider{Listener: listener, issuer: "http://" + listener.Addr().String(), logins: newLogins()}
	c.OIDC.Issuer = p.issuer
	if c.OIDC.ClientID == "" {
		c.OIDC.ClientID = "example-webapp"
	}
	if c.OIDC.ClientSecret == "" && settings.UsesSecret(c.OIDC) {
		c.OIDC.ClientSecret = rand.Text()
	}
	if err := p.build(c, log); err != nil {
		listener.Close()
		return nil, fmt.Errorf("embedded provider: %w", err)
	}
	return p, nil
}

// build makes the provider from its library and ours: protocol from there, login form and users
// from here.
func (p *Provider) build(c App, log *slog.Logger) error {
	keys, err := newKeys(goidc.SignatureAlgorithm(c.OIDC.SigningAlg))
	if err != nil {
		return err
	}
	// nil managers: the library's own, in memory; they hold a hundred entries of each kind, and
	// drop the oldest for a new one.
	op, err := provider.New(p.issuer, nil, keys, append(p.protocol(c), p.policy(c, log)...)...)
	if err != nil {
		return err
	}
	// The login and logout forms are posted by their own pages only; every other POST comes from
	// clients or, for the end_session_endpoint, from the pages of other sites (RP-Initiated Logout
	// §2).
	forms := http.NewCrossOriginProtection()
	for _, endpoint := range []string{"/authorize", "/logout", "/par", "/token", "/userinfo", "/revoke"} {
		forms.AddInsecureBypassPattern("POST " + endpoint)
	}
	mux := http.NewServeMux()
	mux.Handle("/", op.Handler(forms.Handler, limitBody))
	mux.Handle("GET /static/", c.Static)
	mux.HandleFunc("GET /{$}", p.home)
	p.Handler = mux
	return nil
}

// protocol is what the provider speaks.
//
// It speaks everything that the app can be configured to use, so that each setting can be tried
// without another provider.
func (p *Provider) protocol(c App) []provider.Option {
	scopes := make([]goidc.Scope, 0, len(c.Scopes))
	for _, s := range c.Scopes {
		scopes = append(scopes, goidc.NewScope(s))
	}
	options := []provider.Option{
		provider.WithScopes(scopes...),
		provider.WithAuthCodeGrant(nil),
		provider.WithPKCERequired(goidc.CodeChallengeMethodSHA256),
		provider.WithPAR(nil),
		provider.WithIssuerResponseParameter(),
		provider.WithFormPostResponseMode(),
		provider.WithJARM(goidc.SignatureAlgorithm(c.OIDC.SigningAlg)),
		provider.WithJAR(goidc.PS256, goidc.RS256, goidc.ES256, jose.EdDSA),
		provider.WithClientCredentialsGrant(),
		provider.WithSecretBasicAuthn(), provider.WithSecretPostAuthn(), provider.WithNoneAuthn(),
		provider.WithPrivateKeyJWTAuthn(goidc.PS256, goidc.RS256, goidc.ES256, jose.EdDSA),
		provider.WithDPoP(goidc.ES256, goidc.PS256, jose.EdDSA),
		provider.WithJTIConsumer(replay.NewGuard(time.Hour).Consume),
	}
	if r := c.OIDC.Login.Resource; len(r) > 0 {
		options = append(options, provider.WithResourceIndicators(r[0], r[1:]...))
	}
	// An acr that the configuration asks for is one that this provider knows; logins.claims grants
	// the first.
	var acrs []goidc.ACR
	for _, acr := range c.OIDC.Login.ACRValues {
		acrs = append(acrs, goidc.ACR(acr))
	}
	if len(acrs) > 0 {
		options = append(options, provider.WithACRs(acrs[0], acrs[1:]...))
	}
	return append(options, p.tokens(c)...)
}

// tokens is how long tokens live, and what they look like.
//
// Access tokens are JWTs (RFC 9068), so that the demo API can verify them without a call.
func (p *Provider) tokens(c App) []provider.Option {
	alg := goidc.SignatureAlgorithm(c.OIDC.SigningAlg)
	return []provider.Option{
		provider.WithIDTokenSignatureAlgs(alg),
		provider.WithIDTokenLifetime(int(idTokenLifetime.Seconds())),
		provider.WithTokenOptions(func(context.Context, *goidc.Grant, *goidc.Client) goidc.TokenOptions {
			return goidc.NewJWTTokenOptions(alg, int(tokenLifetime.Seconds()))
		}),
		// Each refresh token is good for once, as the security best practice asks of public clients
		// (RFC 9700 §4.14.2) and many providers ask of all.
		provider.WithRefreshTokenGrant(nil),
		provider.WithRefreshTokenRotation(),
		provider.WithRefreshTokenShouldIssue(wantsRefreshToken),
		provider.WithRefreshTokenLifetime(int(idTokenLifetime.Seconds())),
		provider.WithTokenRevocation(func(context.Context, *goidc.Client) bool { return true }),
	}
}

// policy is who may sign in, as whom, and what is said about them.
//
// The error handler logs what the library refuses: at a provider of one's own, the log is where one
// looks first.
func (p *Provider) policy(c App, log *slog.Logger) []provider.Option {
	return []provider.Option{
		provider.WithStaticClients(newClient(c)),
		provider.WithPolicies(goidc.NewPolicy("form",
			func(*http.Request, *goidc.AuthnSession, *goidc.Client) bool { return true }, p.logins.authenticate)),
		provider.WithLogout(nil, p.logins.signedOut),
		provider.WithLogoutPolicies(goidc.NewLogoutPolicy("form",
			func(*http.Request, *goidc.LogoutSession) bool { return true }, p.logins.logout)),
		provider.WithIDTokenClaims(p.logins.claims),
		provider.WithUserInfoClaims(p.logins.userInfo),
		provider.WithTokenClaims(accessTokenClaims(c.API)),
		provider.WithErrorRenderer(p.logins.renderError),
		provider.WithErrorHandler(func(ctx context.Context, err error) {
			log.WarnContext(ctx, "development provider refused a request", "cause", err)
		}),
	}
}

// home answers somebody who clicks the provider's address.
func (p *Provider) home(w http.ResponseWriter, _ *http.Request) {
	render(w, http.StatusOK, "home.html", page{Title: "Development provider", Users: Users})
}

// wantsRefreshToken gives refresh tokens to those who asked for offline_access (OpenID Connect Core
// §11).
func wantsRefreshToken(_ context.Context, _ *goidc.Client, g *goidc.Grant) bool {
	return hasScope(g.Scopes, "offline_access")
}

// accessTokenClaims names the API as the audience of tokens that were not asked for another
// resource (RFC 9068 §3).
func accessTokenClaims(api string) goidc.TokenClaimsFunc {
	return func(_ context.Context, t *goidc.Token, _ *goidc.Grant) map[string]any {
		if len(t.Resources) > 0 {
			return nil
		}
		return map[string]any{goidc.ClaimAudience: api}
	}
}

// limitBody bounds what one request can make the provider hold.
//
// Its forms hold a few short fields, and a pushed request a few kilobytes.
func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		next.ServeHTTP(w, r)
	})
}
