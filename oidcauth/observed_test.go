package oidcauth_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// An oddity is something that a real provider does, as docs/providers/observed.md tells it.
type oddity struct {
	configure func(*oidcauth.Config)
	provide   func(p *oidcauthtest.Provider)
	status    int    // of the page after a login; 0 means 200
	logged    string // what the log then says
}

func onIDToken(f func(*oidcauthtest.Token)) func(*oidcauthtest.Provider) {
	return func(p *oidcauthtest.Provider) { p.BendIDToken(f) }
}

func onMetadata(f func(*oidcauthtest.Object)) func(*oidcauthtest.Provider) {
	return func(p *oidcauthtest.Provider) { p.BendMetadata(f) }
}

func atToken(layer oidcauthtest.Middleware) func(*oidcauthtest.Provider) {
	return func(p *oidcauthtest.Provider) { p.Intercept(oidcauthtest.TokenEndpoint, layer) }
}

// oddLogins are oddities that a login meets.
var oddLogins = map[string]oddity{
	"aud_is_a_list":      {provide: onIDToken(func(t *oidcauthtest.Token) { t.Claims.Set("aud", []string{"app"}) })},
	"aud_is_empty":       {provide: onIDToken(func(t *oidcauthtest.Token) { t.Claims.Set("aud", []string{}) }), status: http.StatusBadGateway, logged: "aud"},
	"auth_time_is_0":     {provide: onIDToken(func(t *oidcauthtest.Token) { t.Claims.Set("auth_time", 0) })},
	"auth_time_fraction": {provide: onIDToken(func(t *oidcauthtest.Token) { t.Claims.Set("auth_time", float64(time.Now().Unix())-0.5) })},
	"no_at_hash":         {provide: onIDToken(func(t *oidcauthtest.Token) { t.Claims.Delete("at_hash") })},
	"no_kid":             {provide: onIDToken(func(t *oidcauthtest.Token) { t.Header.Delete("kid") })},
	"no_typ":             {provide: onIDToken(func(t *oidcauthtest.Token) { t.Header.Delete("typ") })},
	"typ_claim":          {provide: onIDToken(func(t *oidcauthtest.Token) { t.Claims.Set("typ", "ID"); t.Claims.Set("acr", "1") })},
	"nbf_before_iat":     {provide: onIDToken(func(t *oidcauthtest.Token) { t.Claims.Set("nbf", time.Now().Unix()-10) })},
	"hs256":              {provide: onIDToken(func(t *oidcauthtest.Token) { t.SignWith(oidcauthtest.HMACKey([]byte("app-secret"))) }), status: http.StatusBadGateway, logged: "HS256"},
	"eddsa": {
		configure: func(c *oidcauth.Config) { c.SigningAlg = "EdDSA" },
		provide:   func(p *oidcauthtest.Provider) { p.Configure(func(s *oidcauthtest.Settings) { s.Alg = "EdDSA" }) },
	},
	"signed_userinfo": {provide: func(p *oidcauthtest.Provider) {
		p.Configure(func(s *oidcauthtest.Settings) { s.SignedUserInfo = true })
	}},
	"token_type_in_lower_case": {provide: func(p *oidcauthtest.Provider) {
		p.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set("token_type", "bearer") })
	}},
	"extra_members": {provide: func(p *oidcauthtest.Provider) {
		p.BendTokens(func(a *oidcauthtest.TokenAnswer) {
			a.Set("refresh_expires_in", 0)
			a.Set("not-before-policy", 0)
			a.Set("session_state", "x")
			a.Set("scope", "email openid profile offline_access")
		})
	}},
	"offline_access_is_dropped": {provide: func(p *oidcauthtest.Provider) {
		p.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Delete("refresh_token"); a.Set("scope", "openid profile email") })
	}},
	"no_iss_in_the_response": {provide: func(p *oidcauthtest.Provider) {
		p.BendMetadata(func(o *oidcauthtest.Object) { o.Delete("authorization_response_iss_parameter_supported") })
		p.BendAuthorizationResponse(func(r *oidcauthtest.AuthorizationResponse) { r.Params.Del("iss") })
	}},
	"extra_parameters_in_the_response": {provide: func(p *oidcauthtest.Provider) {
		p.BendAuthorizationResponse(func(r *oidcauthtest.AuthorizationResponse) {
			r.Params.Set("scope", "openid")
			r.Params.Set("session_state", "x")
		})
	}},
	"metadata_with_openid_alone":     {provide: onMetadata(func(o *oidcauthtest.Object) { o.Set("scopes_supported", []string{"openid"}) })},
	"metadata_without_response_mode": {provide: onMetadata(func(o *oidcauthtest.Object) { o.Delete("response_modes_supported") })},
	"client_refused_with_403":        {provide: atToken(oidcauthtest.OAuthError(403, "unauthorized_client")), status: http.StatusBadGateway, logged: "client authentication refused"},
	"client_refused_with_401":        {provide: atToken(oidcauthtest.OAuthError(401, "unauthorized_client")), status: http.StatusBadGateway, logged: "client authentication refused"},
	"client_refused_without_a_body":  {provide: atToken(oidcauthtest.Reply(401, "", "")), status: http.StatusBadGateway, logged: "client authentication refused"},
	"server_error_at_the_token_endpoint": {provide: atToken(oidcauthtest.Reply(500, "text/html", "<h1>Server Error (500)</h1>")),
		status: http.StatusBadGateway, logged: "500"},
	"refused_with_consent_required": {
		provide: func(p *oidcauthtest.Provider) {
			p.BendAuthorization(func(a *oidcauthtest.Authorization) { a.Error = "consent_required" })
		},
		status: http.StatusBadRequest, logged: "consent_required",
	},
}

func TestOddLoginsOfRealProviders(t *testing.T) {
	for name, odd := range oddLogins {
		t.Run(name, func(t *testing.T) {
			if odd.configure == nil {
				odd.configure = func(*oidcauth.Config) {}
			}
			w := newWorld(t, odd.configure)
			odd.provide(w.provider)
			page := w.browser.Get(app + "/me")
			if odd.status == 0 {
				odd.status = http.StatusOK
			}
			require.Equal(t, odd.status, page.Status, "%s\n%s", page.Body, w.log)
			require.Equal(t, odd.status == http.StatusOK, w.hasSession())
			require.Contains(t, w.log.String(), odd.logged)
		})
	}
}

// oddRefreshes are oddities that a refresh meets, and leave the user with a fresh token.
var oddRefreshes = map[string]func(*oidcauthtest.Provider){
	"no_id_token": func(p *oidcauthtest.Provider) {
		p.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Delete("id_token") })
	},
	"no_nonce": onIDToken(func(t *oidcauthtest.Token) { t.Claims.Delete("nonce") }),
	"no_rotation": func(p *oidcauthtest.Provider) {
		p.Configure(func(s *oidcauthtest.Settings) { s.StaticRefreshTokens = true })
	},
}

func TestOddRefreshesOfRealProviders(t *testing.T) {
	for name, provide := range oddRefreshes {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				before := w.token("").Token
				provide(w.provider)
				time.Sleep(11 * time.Minute)
				after := w.token("").Token
				require.NotEmpty(t, after)
				require.NotEqual(t, before, after)
			})
		})
	}
}

// Glewlwyd says nothing at all of a refresh token that is dead: that may as well be an outage, and nobody is signed out by one.
func TestARefusalWithoutABodyIsAnOutage(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		time.Sleep(11 * time.Minute)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(400, "", ""))
		require.Equal(t, http.StatusServiceUnavailable, w.send(w.cookies(), "/token").Code)
		require.Equal(t, http.StatusOK, w.send(w.cookies(), "/me").Code)
	})
}

// oddLogouts are oddities that a logout meets, and which leave nobody signed in here.
var oddLogouts = map[string]func(*oidcauthtest.Provider){
	"no_end_session_endpoint": onMetadata(func(o *oidcauthtest.Object) { o.Delete("end_session_endpoint") }),
	"no_revocation_endpoint":  onMetadata(func(o *oidcauthtest.Object) { o.Delete("revocation_endpoint") }),
	"revocation_answers_with_an_error": func(p *oidcauthtest.Provider) {
		p.Intercept(oidcauthtest.Revocation, oidcauthtest.Reply(200, "application/json", `{"error":"invalid_token"}`))
	},
	"revoked_access_token_is_unknown": func(p *oidcauthtest.Provider) {
		p.Intercept(oidcauthtest.Revocation, oidcauthtest.After(1, oidcauthtest.OAuthError(400, "invalid_request")))
	},
}

func TestOddLogoutsOfRealProviders(t *testing.T) {
	for name, provide := range oddLogouts {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			provide(w.provider)
			w.signIn()
			page := w.browser.Post("/auth/logout", nil)
			require.NoError(t, page.Err)
			require.True(t, strings.HasPrefix(page.URL, app+"/auth/signed-out"), page.URL)
			require.False(t, w.hasSession())
		})
	}
}

// oddLogoutTokens are logout tokens as real providers send them; each ends the session.
var oddLogoutTokens = map[string]func(*oidcauthtest.Token){
	"typ_jwt_no_exp_aud_a_list": func(t *oidcauthtest.Token) {
		t.Header.Set("typ", "JWT")
		t.Claims.Delete("exp", "sub")
		t.Claims.Set("aud", []string{"app"})
	},
	"typ_claim_logout": func(t *oidcauthtest.Token) { t.Claims.Set("typ", "Logout") },
}

func TestOddLogoutTokensOfRealProviders(t *testing.T) {
	for name, bend := range oddLogoutTokens {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, backChannel)
			w.signIn()
			token := w.provider.LogoutToken("app", "alice", w.provider.Sessions()[0].ID, bend)
			require.Equal(t, http.StatusOK, w.postLogoutToken(token).StatusCode, "%s", w.log)
			require.Nil(t, w.user())
		})
	}
}

// The page says what real providers do and what signet then does: each row has a version, a date and a test, and each test
// here is told there.
func TestThePageOfObservationsIsTested(t *testing.T) {
	page, err := os.ReadFile("../docs/providers/observed.md")
	if os.IsNotExist(err) {
		t.Skip("the documentation is not here")
	}
	require.NoError(t, err)
	exists := testNames(t)
	for _, table := range []struct {
		test  string
		names []string
	}{
		{"TestOddLoginsOfRealProviders", namesIn(oddLogins)}, {"TestOddRefreshesOfRealProviders", namesIn(oddRefreshes)},
		{"TestOddLogoutsOfRealProviders", namesIn(oddLogouts)}, {"TestOddLogoutTokensOfRealProviders", namesIn(oddLogoutTokens)},
	} {
		for _, name := range table.names {
			exists[table.test+"/"+name] = true
			require.Contains(t, string(page), table.test+"/"+name, "the page does not tell of it")
		}
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 4 || !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| version") {
			continue
		}
		rows++
		require.Regexp(t, `^\| \S*\d[\w.]*, \d{4}-\d\d$`, cells[0], line)
		named := regexp.MustCompile("`((?:Test|Fuzz)[\\w/]+)`").FindAllStringSubmatch(cells[3], -1)
		require.NotEmpty(t, named, line)
		for _, m := range named {
			require.True(t, exists[m[1]], "%s is named, and is no test", m[1])
		}
	}
	require.Greater(t, rows, 40)
}

func namesIn[V any](table map[string]V) (names []string) {
	for name := range table {
		names = append(names, name)
	}
	return names
}

// testNames are the tests of the library and of the example.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	exists := map[string]bool{}
	for _, folder := range []string{".", "../session", "../internal/*", "../example-webapp", "../example-webapp/internal/*"} {
		files, err := filepath.Glob(folder + "/*_test.go")
		require.NoError(t, err)
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllSubmatch(source, -1) {
				exists[string(m[1])] = true
			}
		}
	}
	return exists
}
