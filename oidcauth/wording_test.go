package oidcauth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// Spring Authorization Server, django-oauth-toolkit and Dex answer by GET, whatever they are asked for.
func TestAResponseModeThatTheProviderIgnoresIsNamed(t *testing.T) {
	for _, mode := range []oidcauth.ResponseMode{oidcauth.FormPost, oidcauth.FormPostJWT} {
		for name, query := range map[string]string{
			"a code": "code=c&state=s", "an error": "error=access_denied&state=s", "an error without state": "error=access_denied", "a JWT": "response=a.b.c",
		} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				w := newWorld(t, responseMode(mode))
				page := w.browser.Get(app + "/auth/callback?" + query)
				require.Equal(t, http.StatusMethodNotAllowed, page.Status)
				require.Equal(t, http.MethodPost, page.Header.Get("Allow"))
				require.Contains(t, page.Body, `href="/auth/login"`)
				requireProtected(t, page.Header)
				line := lineWith(t, w.log.String(), referenceOf(t, page))
				require.Contains(t, line, `level=WARN msg="login refused" code=login_failed status=405`)
				require.Contains(t, line, "Config.ResponseMode")
				require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
			})
		}
	}
}

func TestAResponseModeThatNobodyAskedForIsNamed(t *testing.T) {
	w := newWorld(t)
	page := w.browser.Post(app+"/auth/callback", url.Values{"code": {"c"}, "state": {"s"}})
	require.Equal(t, http.StatusMethodNotAllowed, page.Status)
	require.Equal(t, http.MethodGet, page.Header.Get("Allow"))
	require.Contains(t, lineWith(t, w.log.String(), referenceOf(t, page)), "Config.ResponseMode")
}

// What is no response at all stays below notice.
func TestAMethodThatIsNoResponseIsNoNews(t *testing.T) {
	w := newWorld(t, formPost)
	for name, answer := range map[string]*http.Response{
		"an empty GET": w.raw(http.MethodGet, app+"/auth/callback"),
		"a HEAD":       w.raw(http.MethodHead, app+"/auth/callback?code=c&state=s"),
		"a PUT":        w.raw(http.MethodPut, app+"/auth/callback?code=c&state=s"),
	} {
		require.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode, name)
		require.Equal(t, http.MethodPost, answer.Header.Get("Allow"), name)
	}
	require.NotContains(t, w.log.String(), "level=WARN")
}

func TestAnUnlistedResponseModeIsAWarningAtDiscovery(t *testing.T) {
	const message = `level=WARN msg="response mode not supported"`
	for _, row := range []struct {
		mode   oidcauth.ResponseMode
		listed any // nil: nothing is published
		warned bool
	}{
		{oidcauth.Query, nil, false},
		{oidcauth.Query, []string{"query", "fragment"}, false},
		{oidcauth.Query, []string{"fragment"}, true},
		{oidcauth.FormPost, nil, true},
		{oidcauth.FormPost, []string{"query", "form_post"}, false},
		{oidcauth.FormPost, []string{"query"}, true},
		{oidcauth.QueryJWT, []string{"query", "jwt"}, true},
		{oidcauth.QueryJWT, []string{"query.jwt"}, false},
	} {
		t.Run(fmt.Sprint(row.mode, row.listed), func(t *testing.T) {
			w := newWorld(t, responseMode(row.mode))
			w.provider.BendMetadata(func(o *oidcauthtest.Object) {
				o.Delete("response_modes_supported")
				if row.listed != nil {
					o.Set("response_modes_supported", row.listed)
				}
			})
			require.NoError(t, w.auth.Discover(t.Context()), "it is no reason not to try")
			want := 0
			if row.warned {
				want = 1
			}
			require.Equal(t, want, strings.Count(w.log.String(), message), w.log.String())
		})
	}
}

// Each of these texts once sent somebody the wrong way.
func TestTheLogSendsTheOperatorTheRightWay(t *testing.T) {
	claim := func(name string, value any) func(*world) {
		return func(w *world) {
			w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set(name, value) })
		}
	}
	tokenAnswer := func(status int, body string) func(*world) {
		return func(w *world) {
			w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(status, "application/json", body))
		}
	}
	maxAge := func(c *oidcauth.Config) { c.Login.MaxAge = 60e9 }
	const audience = "Claim 'audience' from 'client_assertion' must match the authorization server's token endpoint 'https://id.provider.test/oauth2/token'."
	for name, row := range map[string]struct {
		configure func(*oidcauth.Config)
		bend      func(*world)
		said      []string
		unsaid    []string
	}{
		"an auth_time of 0 is none":             {maxAge, claim("auth_time", 0), []string{"got none or 0: the provider took no notice of max_age"}, []string{"clock", "h before"}},
		"an old auth_time is a max_age ignored": {maxAge, claim("auth_time", 1_000_000_000), []string{"the provider took no notice of max_age"}, []string{"clock"}},
		"an empty audience":                     {nil, claim("aud", []string{}), []string{`aud: expected "app" in it, got 0 other values: is ClientID right?`, "registration"}, nil},
		"a description that names the audience at its end": {
			func(c *oidcauth.Config) { c.ClientSecret, c.ClientAuth.Key = "", ecKey() },
			tokenAnswer(401, `{"error":"invalid_client","error_description":"Client authentication failed (e.g., unknown client, no client authentication included, or unsupported authentication method). `+audience+`"}`),
			[]string{"https://id.provider.test/oauth2/token'.", `ClientAuth.Audience, which is "https://id.provider.test"`}, nil,
		},
		"a text that begins like a boolean": {nil, tokenAnswer(400, "too many"), []string{"got other text"}, []string{"a boolean"}},
		"a text that begins like null":      {nil, tokenAnswer(400, "no"), []string{"got other text"}, []string{"null"}},
		"a boolean is one":                  {nil, tokenAnswer(400, " true\n"), []string{"got a boolean"}, nil},
		"what userinfo says in its header": {nil, func(w *world) {
			w.provider.Intercept(oidcauthtest.UserInfo, oidcauthtest.Challenge(`Bearer realm="x", error="invalid_token", error_description="lightweight token"`))
		}, []string{"userinfo endpoint answered 401: challenge: lightweight token; the access token may be meant for another resource"}, nil},
		"what userinfo says in its header alone": {nil, func(w *world) {
			w.provider.Intercept(oidcauthtest.UserInfo, oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) {
				a.Status, a.Body = 401, nil
				a.Header.Set("WWW-Authenticate", `Bearer error="invalid_token", error_description="lightweight token"`)
			}))
		}, []string{"userinfo endpoint answered 401: invalid_token: lightweight token", "UserInfoOff"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *oidcauth.Config) {
				if row.configure != nil {
					row.configure(c)
				}
			})
			row.bend(w)
			page := w.browser.Get(app + "/me")
			require.GreaterOrEqual(t, page.Status, 400)
			line := lineWith(t, w.log.String(), referenceOf(t, page))
			for _, text := range row.said {
				require.Contains(t, line, text)
			}
			for _, text := range row.unsaid {
				require.NotContains(t, line, text)
			}
		})
	}
}

func TestLinesAboutLoginsNameIssuerAndClient(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.browser.Post(app+"/auth/logout", nil)
	w.browser.Get(app + "/auth/callback?code=c&state=s")
	for _, message := range []string{`msg=login `, `msg=logout `, `msg="login refused" `} {
		line := lineWith(t, w.log.String(), message)
		require.Contains(t, line, "issuer=https://id.provider.test")
		require.Contains(t, line, "client_id=app")
	}
}

// A token that is sent to userinfo does not come back in a log line.
func TestUserinfosChallengeRepeatsNoToken(t *testing.T) {
	w := newWorld(t)
	var token string
	w.provider.Intercept(oidcauthtest.UserInfo, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			rw.Header().Set("WWW-Authenticate", `Bearer error="invalid_token", error_description="unknown token `+token+`"`)
			rw.WriteHeader(http.StatusUnauthorized)
		})
	})
	require.Equal(t, http.StatusBadGateway, w.browser.Get(app+"/me").Status)
	require.Contains(t, w.log.String(), "unknown token [removed]")
	require.NotContains(t, w.log.String(), token)
}
