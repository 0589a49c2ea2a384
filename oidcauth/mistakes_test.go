package oidcauth_test

import (
	"fmt"
	"html"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// What a mistake leads to: an error that the programmer gets, or an answer to the browser and a line in the log.
type symptom struct {
	err      error  // of New or of a call
	panicked string // at start
	answer   *oidcauthtest.Page
	log      string
}

// A mistake is one that newcomers make. Its texts are quoted in docs/errors.md.
type mistake struct {
	name string
	make func(*testing.T) symptom

	// hints are in the error, or in the very log line that has the reference of the page.
	hints []string

	// page is on the page and in the JSON answer; "" where there is none.
	page string
}

var mistakes = []mistake{
	{
		name: "an issuer with a slash too few",
		make: atTheProvider(nil, nil, func(w *world) {
			w.provider.BendMetadata(func(o *oidcauthtest.Object) { o.Set("issuer", w.provider.Issuer()+"/") })
		}),
		hints: []string{
			`issuer: expected exactly "https://id.provider.test", got "https://id.provider.test/": they differ in the slash at the end; write Config.Issuer as the provider does`,
		},
		page: "We can't reach the sign-in service",
	},
	{
		name:  "an issuer with the wrong path",
		make:  atTheProvider(nil, func(c *oidcauth.Config) { c.Issuer += "/realms/typo" }),
		hints: []string{"/realms/typo/.well-known/openid-configuration: expected status 200, got 404", "is Config.Issuer right?"},
		page:  "We can't reach the sign-in service",
	},
	{
		name:  "an issuer by plain http on another machine",
		make:  atStart(func(c *oidcauth.Config) { c.Issuer = "http://keycloak:8080/realms/main" }),
		hints: []string{`Issuer: "http://keycloak:8080/realms/main" must be https (plain http is for loopback hosts only)`},
	},
	{
		name:  "a redirect URI that is not registered",
		make:  atTheProvider(nil, func(c *oidcauth.Config) { c.PAR, c.RedirectURL = oidcauth.PAROn, app+"/auth/x/callback" }),
		hints: []string{`redirect_uri is not registered`, `is RedirectURL registered at the provider, byte for byte?`},
		page:  "Sign-in failed",
	},
	{
		name:  "a redirect URL whose path is not clean",
		make:  atStart(func(c *oidcauth.Config) { c.RedirectURL = "https://shop.example.com/auth//callback" }),
		hints: []string{`RedirectURL: "https://shop.example.com/auth//callback" must have a clean path of its own, such as "/auth/callback"`},
	},
	{
		name:  "a wrong client secret",
		make:  atTheProvider(nil, func(c *oidcauth.Config) { c.ClientSecret = "app-secrte" }),
		hints: []string{"invalid_client", "check ClientID and the secret or key that the provider has for it"},
		page:  "Sign-in failed",
	},
	{
		name: "a wrong way to authenticate the client",
		make: atTheProvider(nil, func(c *oidcauth.Config) { c.ClientAuth.Method = oidcauth.ClientSecretPost },
			func(w *world) {
				w.provider.BendMetadata(func(o *oidcauthtest.Object) {
					o.Set("token_endpoint_auth_methods_supported", []string{"client_secret_basic"})
				})
			}),
		hints: []string{"invalid_client", "the provider's metadata doesn't list this method: set ClientAuth.Method to one of theirs"},
		page:  "Sign-in failed",
	},
	{
		name:  "no session key",
		make:  atStart(func(c *oidcauth.Config) { c.Session.Keys = nil }),
		hints: []string{"no keys: at least one base64 key of 32 bytes is needed (session.NewKey makes one)"},
	},
	{
		name:  "a session key that is too short",
		make:  atStart(func(c *oidcauth.Config) { c.Session.Keys = []string{"c2hvcnQ="} }),
		hints: []string{"key 1 of 1: 5 bytes, want 32: make a key with openssl rand -base64 32"},
	},
	{
		name:  "a session key that is a pass phrase",
		make:  atStart(func(c *oidcauth.Config) { c.Session.Keys = []string{"my secret key!"} }),
		hints: []string{"key 1 of 1: not base64: make a key with openssl rand -base64 32"},
	},
	{
		name: "a clock that is slow",
		make: atTheProvider(func(s *oidcauthtest.Settings) {
			s.Now = func() time.Time { return time.Now().Add(5 * time.Minute) }
		}, nil),
		hints: []string{"in the future; if that is unexpected, check this machine's clock"},
		page:  "Sign-in failed",
	},
	{
		name:  "a browser that blocks cookies",
		make:  callbackWithout(func(w *world) { w.browser.ClearCookies() }),
		hints: []string{"the browser sent 0 of its cookies: it was started in another browser or at an address other than " + app + ", cookies are blocked, it was already completed, or was replaced by newer ones"},
		page:  "It may have been completed already, replaced by a newer one, or started in another browser, or your browser may have blocked a cookie.",
	},
	{
		name: "replicas with different session keys",
		make: callbackWithout(func(w *world) {
			other := newAuthenticator(w.T, w, func(c *oidcauth.Config) { c.Session.Keys = []string{session.NewKey()} })
			w.network.Handle(app, appMux(other))
		}),
		hints: []string{"its cookie can't be decrypted: it was modified, or replicas use different session keys"},
		page:  "We couldn't complete this sign-in",
	},
	{
		name: "mounted elsewhere than RedirectURL says",
		make: func(t *testing.T) symptom {
			w := newWorld(t, func(c *oidcauth.Config) { c.RedirectURL = app + "/oidc/callback" })
			return w.symptom(w.browser.Get(app + "/auth/login"))
		},
		hints: []string{"the Authenticator is mounted in the wrong place: path /auth/login is not below /oidc/, where RedirectURL has its routes: mount it there"},
		page:  "Page not found",
	},
	{
		name: "a prefix that is stripped",
		make: atTheProvider(nil, func(c *oidcauth.Config) { c.RedirectURL = app + "/oidc/callback" }, func(w *world) {
			c := oidcauthtest.DefaultClient()
			c.RedirectURIs = []string{app + "/oidc/callback"}
			w.provider.Register(c)
			w.mux.Handle("/oidc/", http.StripPrefix("/oidc", w.auth))
		}),
		hints: []string{"path /callback is not below /oidc/: don't strip the prefix before the Authenticator"},
		page:  "Page not found",
	},
	{
		name: "GET / beside /auth/ in one ServeMux",
		make: func(t *testing.T) (s symptom) {
			defer func() { s.panicked = fmt.Sprint(recover()) }()
			w := newWorld(t)
			w.mux.Handle("GET /", http.NotFoundHandler())
			return s
		},
		hints: []string{`conflicts with pattern`},
	},
	{
		name: "no offline_access",
		make: call(func(c *oidcauth.Config) { c.Scopes = nil }, func(auth *oidcauth.Authenticator, r *http.Request) error {
			_, err := auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
			return err
		}),
		hints: []string{"login required: the access token is no longer usable, and there is no refresh token: most providers issue one for offline_access in Config.Scopes"},
	},
	{
		name: "an API whose origin is not named",
		make: call(nil, func(auth *oidcauth.Authenticator, r *http.Request) error {
			_, err := auth.Client(r.Context()).Get("https://api.example.com/orders")
			return err
		}),
		hints: []string{"origin is not listed in APIs: https://api.example.com; add it to Config.APIs if tokens may be sent there"},
	},
	{
		name: "a machine with another name",
		make: call(func(c *oidcauth.Config) {
			c.Machines = map[string]oidcauth.MachineConfig{"reports": {}, "jobs": {}}
		}, func(auth *oidcauth.Authenticator, r *http.Request) error {
			_, err := auth.Machine("report").TokenSource(r.Context()).Token()
			return err
		}),
		hints: []string{`Config.Machines has no "report", only "jobs", "reports"`},
	},
	{
		name: "back-channel logout without a Store",
		make: atStart(func(c *oidcauth.Config) {
			c.BackChannelLogout, c.Session.Store = true, nil
		}),
		hints: []string{"BackChannelLogout, FrontChannelLogout: need Session.Store: without one a logout can't reach the sessions"},
	},
	{
		name: "another signature algorithm",
		make: atTheProvider(func(s *oidcauthtest.Settings) { s.Alg = "ES256" }, nil),
		hints: []string{
			`alg: expected exactly RS256, got "ES256"; if the provider is meant to sign with that, set Config.SigningAlg`,
		},
		page: "Sign-in failed",
	},
	{
		name: "an access token that userinfo refuses",
		make: atTheProvider(nil, nil, func(w *world) {
			w.provider.Intercept(oidcauthtest.UserInfo, oidcauthtest.OAuthError(http.StatusUnauthorized, "invalid_token"))
		}),
		hints: []string{`userinfo endpoint answered 401`, `set Config.UserInfo to UserInfoOff`},
		page:  "Sign-in failed",
	},
	{
		name: "a scope that the client may not ask for",
		make: atTheProvider(nil, func(c *oidcauth.Config) { c.PAR = oidcauth.PAROff }, func(w *world) {
			w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) { a.Error = "invalid_scope" })
		}),
		hints: []string{"invalid_scope", "compare Config.Scopes with what the provider lets this client ask for"},
		page:  "Sign-in failed",
	},
	{
		name: "roles under another claim",
		make: func(t *testing.T) symptom {
			w := newWorld(t, func(c *oidcauth.Config) { c.RolesClaim = "groups" })
			return w.symptom(w.browser.Get(app + "/admin"))
		},
		hints: []string{"denied: role admin", `this user has no roles at all: is "groups" the claim that holds them (Config.RolesClaim)?`},
		page:  "You don't have access to this page",
	},
}

func TestTheLikeliestMistakesNameTheirFix(t *testing.T) {
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			s := m.make(t)
			said := s.panicked
			if s.err != nil {
				said = s.err.Error()
			}
			if m.page != "" {
				require.NotNil(t, s.answer)
				require.Contains(t, html.UnescapeString(s.answer.Body), m.page)
				said = lineWith(t, s.log, referenceOf(t, s.answer))
				require.NotContains(t, said, "level=DEBUG", "nobody would see it")
			}
			t.Log(said)
			for _, hint := range m.hints {
				require.Contains(t, said, hint)
			}
		})
	}
}

// What the documentation quotes is what is really said.
func TestTheErrorsPageQuotesTheLikeliestMistakes(t *testing.T) {
	page, err := os.ReadFile("../docs/errors.md")
	if os.IsNotExist(err) {
		t.Skip("the documentation is not here")
	}
	require.NoError(t, err)
	for _, m := range mistakes {
		for _, text := range append([]string{m.page}, m.hints...) {
			require.Contains(t, string(page), text, m.name)
		}
	}
}

// atStart makes the mistake in the configuration, and New says so.
func atStart(spoil func(*oidcauth.Config)) func(*testing.T) symptom {
	return func(*testing.T) symptom {
		c := oidcauth.Config{
			Issuer: "https://id.example.com", ClientID: "shop", ClientSecret: "secret",
			RedirectURL: "https://shop.example.com/auth/callback",
			Session:     session.Config{Keys: []string{testKey}},
		}
		spoil(&c)
		_, err := oidcauth.New(c)
		return symptom{err: err}
	}
}

// atTheProvider tries to sign in where settings, configuration or world are spoilt.
func atTheProvider(settings func(*oidcauthtest.Settings), spoil func(*oidcauth.Config), more ...func(*world)) func(*testing.T) symptom {
	return func(t *testing.T) symptom {
		var configure []func(*oidcauth.Config)
		if spoil != nil {
			configure = append(configure, spoil)
		}
		w := newWorld(t, configure...)
		if settings != nil {
			w.provider.Configure(settings)
		}
		for _, f := range more {
			f(w)
		}
		return w.symptom(w.browser.Get(app + "/me"))
	}
}

// callbackWithout spoils something between the login's start and its callback.
func callbackWithout(spoil func(*world)) func(*testing.T) symptom {
	return func(t *testing.T) symptom {
		w := newWorld(t)
		callback := w.callbackURL()
		spoil(w)
		return w.symptom(w.browser.Get(callback.URL))
	}
}

// call signs in and calls f as a handler would.
func call(spoil func(*oidcauth.Config), f func(*oidcauth.Authenticator, *http.Request) error) func(*testing.T) symptom {
	return func(t *testing.T) symptom {
		var s symptom
		var configure []func(*oidcauth.Config)
		if spoil != nil {
			configure = append(configure, spoil)
		}
		w := newWorld(t, configure...)
		w.mux.Handle("/call", w.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { s.err = f(w.auth, r) })))
		w.browser.Get(app + "/call")
		require.Error(t, s.err)
		return s
	}
}

func (w *world) symptom(p *oidcauthtest.Page) symptom {
	w.Helper()
	require.NoError(w, p.Err)
	return symptom{answer: p, log: w.log.String()}
}

// referenceOf reads the reference that a page shows.
func referenceOf(t *testing.T, p *oidcauthtest.Page) string {
	t.Helper()
	found := regexp.MustCompile(`Reference: <code>(\w+)</code>`).FindStringSubmatch(p.Body)
	require.NotNil(t, found, p.Body)
	return found[1]
}

// lineWith returns the log's only line with the reference, without the log's own quoting.
func lineWith(t *testing.T, log, reference string) string {
	t.Helper()
	var found []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, reference) {
			found = append(found, strings.ReplaceAll(line, `\"`, `"`))
		}
	}
	require.Len(t, found, 1, log)
	return found[0]
}
