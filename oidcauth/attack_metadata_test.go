package oidcauth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// Each row is a discovery document, or an answer in its place, with which no login may begin.
func TestNoLoginBeginsWithUntrustworthyMetadata(t *testing.T) {
	document := func(name string, value any) func(*world) {
		return func(w *world) { w.provider.BendMetadata(func(doc *oidcauthtest.Object) { doc.Set(name, value) }) }
	}
	instead := func(m ...oidcauthtest.Middleware) func(*world) {
		return func(w *world) { w.provider.Intercept(oidcauthtest.Discovery, m...) }
	}
	rows := map[string]func(*world){
		"the issuer is another":          document("issuer", "https://evil.example"),
		"the issuer has a slash more":    document("issuer", oidcauthtest.DefaultIssuer+"/"),
		"the issuer is in capitals":      document("issuer", strings.ToUpper(oidcauthtest.DefaultIssuer)),
		"the issuer is absent":           document("issuer", nil),
		"the document is redirected":     instead(oidcauthtest.Redirect(302, "https://evil.example/.well-known/openid-configuration")),
		"it is redirected to plain http": instead(oidcauthtest.Redirect(301, "http://id.provider.test/.well-known/openid-configuration")),
		"it is redirected to itself":     instead(oidcauthtest.Redirect(307, "/.well-known/openid-configuration")),
		"it is redirected to a file":     instead(oidcauthtest.Redirect(308, "file:///etc/passwd")),
		"it comes with status 500":       instead(oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Status = 500 })),
		"it comes with status 201":       instead(oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Status = 201 })),
		"it is a page":                   instead(oidcauthtest.Reply(200, "text/html", "<html>log in to the Wi-Fi</html>")),
		"it is empty":                    instead(oidcauthtest.Reply(200, "application/json", "")),
		"it is null":                     instead(oidcauthtest.Reply(200, "application/json", "null")),
		"it is a list":                   instead(oidcauthtest.Reply(200, "application/json", "[]")),
		"it is cut":                      instead(oidcauthtest.Cut(100)),
		"it is cut but whole in length":  instead(oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Body = a.Body[:len(a.Body)-1] })),
		"it never ends":                  instead(oidcauthtest.Endless("application/json", `{"issuer":"`, "x")),
		"it is 10,000 deep":              instead(oidcauthtest.Reply(200, "application/json", `{"x":`+strings.Repeat("[", 10000)+strings.Repeat("]", 10000)+"}")),
		"an endpoint comes twice": func(w *world) {
			w.provider.BendMetadata(func(d *oidcauthtest.Object) { d.Add("token_endpoint", "https://evil.example/token") })
		},
		"the token endpoint is a list":               document("token_endpoint", []string{oidcauthtest.DefaultIssuer + "/token"}),
		"the authorization endpoint is a script":     document("authorization_endpoint", "javascript:alert(1)"),
		"the authorization endpoint is data":         document("authorization_endpoint", "data:text/html,x"),
		"the authorization endpoint is a path":       document("authorization_endpoint", "/authorize"),
		"the authorization endpoint has a line end":  document("authorization_endpoint", "https://id.provider.test/a\r\nSet-Cookie: x=y"),
		"the promise of iss is a string":             document("authorization_response_iss_parameter_supported", "true"),
		"the logout endpoint's host is a wildcard":   document("end_session_endpoint", "https://*/logout"),
		"the logout endpoint's host has a semicolon": document("end_session_endpoint", "https://a;sandbox/logout"),
		"the logout endpoint's host has a comma":     document("end_session_endpoint", "https://a,b/logout"),
		"the logout endpoint's host has a quote":     document("end_session_endpoint", "https://'none'/logout"),
		"an endpoint has 100 kB":                     document("jwks_uri", "https://id.provider.test/"+strings.Repeat("x", 100<<10)),
	}
	for _, name := range []string{
		"authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint", "revocation_endpoint",
		"pushed_authorization_request_endpoint",
	} {
		for what, value := range map[string]any{
			"over plain http": "http://id.provider.test/x", "a file": "file:///etc/passwd", "gopher": "gopher://id.provider.test/x",
			"without a scheme": "127.0.0.1:22", "this machine": "https://127.0.0.1:22/", "the cloud's metadata service": "https://169.254.169.254/latest/",
			"with a user": "https://id.provider.test@evil.example/", "a number": 7,
		} {
			rows[name+" is "+what] = document(name, value)
		}
	}
	w := newWorld(t)
	w.control()
	for name, bend := range rows {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			calls := w.evil()
			bend(w)
			page := w.browser.Get(app + "/me")
			requireSealedOff(t, page)
			require.Equal(t, http.StatusServiceUnavailable, page.Status, page.Body)
			require.NotEmpty(t, page.Header.Get("Retry-After"))
			require.Equal(t, 1, w.provider.Count(), "only the document was asked for, once")
			require.Empty(t, calls())
			require.Equal(t, http.StatusOK, w.browser.Get(app+"/").Status, "public pages go on")
			requireQuietLog(t, w)
		})
	}
}

// Each row bends what the token endpoint answers, or puts something else in its place.
func TestALoginWithABentTokenAnswerIsRefused(t *testing.T) {
	member := func(name string, value any) func(*world) {
		return func(w *world) { w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set(name, value) }) }
	}
	instead := func(m ...oidcauthtest.Middleware) func(*world) {
		return func(w *world) { w.provider.Intercept(oidcauthtest.TokenEndpoint, m...) }
	}
	const evil = "https://evil.example/token"
	w := newWorld(t, noPAR)
	calls := w.evil()
	w.control()
	for name, bend := range map[string]func(*world){
		"token_type is absent":             func(w *world) { w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Delete("token_type") }) },
		"token_type is null":               member("token_type", nil),
		"token_type is mac":                member("token_type", "mac"),
		"token_type is DPoP unasked":       member("token_type", "DPoP"),
		"token_type is N_A":                member("token_type", "N_A"),
		"token_type has a space":           member("token_type", "Bearer "),
		"token_type is a list":             member("token_type", []string{"Bearer"}),
		"the access token is absent":       func(w *world) { w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Delete("access_token") }) },
		"the access token is empty":        member("access_token", ""),
		"the access token is a number":     member("access_token", 7),
		"the access token has a line end":  member("access_token", "a\r\nX-Admin: 1"),
		"the access token has a space":     member("access_token", "a b"),
		"the access token is not ASCII":    member("access_token", "tökén"),
		"the refresh token has a line end": member("refresh_token", "a\nb"),
		"the refresh token is an object":   member("refresh_token", map[string]any{}),
		"expires_in is a word":             member("expires_in", "soon"),
		"expires_in is true":               member("expires_in", true),
		"expires_in is NaN":                member("expires_in", literal("NaN")),
		"an error stands beside tokens":    member("error", "x"),
		"an error object stands there":     member("error", map[string]any{"code": 1}),
		"it is an error in a 200":          instead(oidcauthtest.Reply(200, "application/json", `{"error":"x","access_token":"y"}`)),
		"it is a page":                     instead(oidcauthtest.Reply(200, "text/html", "<html><form action=/login>")),
		"it is a form":                     instead(oidcauthtest.Reply(200, "application/x-www-form-urlencoded", "access_token=a&token_type=bearer")),
		"it is a list":                     instead(oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Body = []byte("[" + string(a.Body) + "]") })),
		"it is two objects":                instead(oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Body = append(a.Body, a.Body...) })),
		"it is a string":                   instead(oidcauthtest.Reply(200, "application/json", `"token"`)),
		"it is nothing":                    instead(oidcauthtest.Reply(200, "application/json", "")),
		"it has status 201":                instead(oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Status = 201 })),
		"it has status 206":                instead(oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Status = 206 })),
		"it has 2 MiB":                     instead(oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Body = append(a.Body, make([]byte, 2<<20)...) })),
		"it never ends":                    instead(oidcauthtest.Endless("application/json", `{"access_token":"`, "x")),
		"it is cut":                        instead(oidcauthtest.Cut(50)),
		"it is lost":                       instead(oidcauthtest.Lose()),
		"it is invalid_grant":              instead(oidcauthtest.OAuthError(400, "invalid_grant")),
		"it is invalid_client":             instead(oidcauthtest.OAuthError(401, "invalid_client")),
		"it redirects with 302":            instead(oidcauthtest.Redirect(302, evil)),
		"it redirects with 303":            instead(oidcauthtest.Redirect(303, evil)),
		"it redirects with 307":            instead(oidcauthtest.Redirect(307, evil)),
		"it redirects with 308":            instead(oidcauthtest.Redirect(308, evil)),
		"it redirects to itself":           instead(oidcauthtest.Redirect(307, oidcauthtest.DefaultIssuer+"/token")),
		"the token is 5 MB":                member("id_token", strings.Repeat("x", 5<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			w.T = t
			w.anew()
			asked := len(calls())
			bend(w)
			page := w.browser.Get(app + "/me")
			w.provider.BendTokens(nil)
			w.provider.Intercept(oidcauthtest.TokenEndpoint)
			requireR2(t, w, page)
			require.Len(t, calls(), asked, "no redirect was followed")
		})
	}
	w.T = t
	w.control()
	requireQuietLog(t, w)
}

func TestOddButGoodTokenAnswers(t *testing.T) {
	for name, row := range map[string]struct {
		member string
		value  any
	}{
		"token_type in mixed case":        {"token_type", "bEaReR"},
		"expires_in is 0":                 {"expires_in", 0},
		"expires_in is negative":          {"expires_in", -5},
		"expires_in is a string":          {"expires_in", "3600"},
		"expires_in is 1e12":              {"expires_in", literal("1e12")},
		"expires_in is 1e400":             {"expires_in", literal("1e400")},
		"expires_in is 1.5":               {"expires_in", 1.5},
		"expires_in is null":              {"expires_in", nil},
		"scope is a list":                 {"scope", []string{"openid"}},
		"an unknown member is there":      {"foo", map[string]any{"bar": 1}},
		"error_description without error": {"error_description", "fine"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set(row.member, row.value) })
			w.signIn()
			for range 5 {
				require.NotNil(t, w.user())
			}
			require.Equal(t, 1, w.provider.Count(oidcauthtest.TokenEndpoint), "no storm of refreshes")
		})
	}
}

// Each row publishes keys with which the token's signature must not be verified.
func TestALoginWithAWrongKeyIsRefused(t *testing.T) {
	change := func(members ...any) func([]*oidcauthtest.Object) []*oidcauthtest.Object {
		return func(keys []*oidcauthtest.Object) []*oidcauthtest.Object {
			for i := 0; i < len(members); i += 2 {
				keys[0].Set(members[i].(string), members[i+1])
			}
			return keys
		}
	}
	only := func(keys ...*oidcauthtest.Object) func([]*oidcauthtest.Object) []*oidcauthtest.Object {
		return func([]*oidcauthtest.Object) []*oidcauthtest.Object { return keys }
	}
	secret := oidcauthtest.HMACKey([]byte("a-published-secret-of-32-bytes!!")).JWK()
	for name, row := range map[string]struct {
		keys  func([]*oidcauthtest.Object) []*oidcauthtest.Object
		token func(*oidcauthtest.Token)
	}{
		"the only key is for encryption":           {change("use", "enc"), nil},
		"the only key is for wrapping":             {change("key_ops", []string{"wrapKey"}), nil},
		"the only key is for another alg":          {change("alg", "RS384"), nil},
		"the only key is for RSA-OAEP":             {change("alg", "RSA-OAEP"), nil},
		"the only key comes with its private part": {change("d", "AQAB"), nil},
		"the only key is of another family":        {only(foreignEC().JWK()), nil},
		"the only key is symmetric": {only(secret), func(tok *oidcauthtest.Token) {
			tok.Key = oidcauthtest.HMACKey([]byte("a-published-secret-of-32-bytes!!"))
			tok.Header.Set("alg", "HS256")
		}},
		"a symmetric key stands beside the true one": {
			func(keys []*oidcauthtest.Object) []*oidcauthtest.Object { return append(keys, secret) },
			func(tok *oidcauthtest.Token) {
				tok.Key = oidcauthtest.HMACKey([]byte("a-published-secret-of-32-bytes!!"))
				tok.Header.Set("alg", "HS256")
			},
		},
		"the only key's kty is unknown":  {change("kty", "XYZ"), nil},
		"the only key's modulus is even": {change("n", "AAAA"), nil},
		"the only key's exponent is 1":   {change("e", "AQ"), nil},
		"the set is empty":               {only(), nil},
		"the certificate has the key, the members another": {
			func(keys []*oidcauthtest.Object) []*oidcauthtest.Object {
				other := foreign().JWK()
				other.Set("kid", keys[0].Get("kid"))
				other.Set("x5u", "https://evil.example/x5u")
				return []*oidcauthtest.Object{other}
			}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			calls := w.evil()
			w.provider.BendKeys(row.keys)
			w.provider.BendIDToken(row.token)
			requireR2(t, w, w.browser.Get(app+"/me"))
			require.LessOrEqual(t, w.provider.Count(oidcauthtest.JWKS), 2)
			require.Empty(t, calls())
			require.NotContains(t, w.log.String(), "a-published-secret")
		})
	}
}

func TestAKeySetThatCannotBeHadFailsTheLogin(t *testing.T) {
	for name, bend := range map[string]oidcauthtest.Middleware{
		"it redirects":        oidcauthtest.Redirect(302, "https://evil.example/jwks"),
		"it is 404":           oidcauthtest.Reply(404, "text/plain", "gone"),
		"it is a page":        oidcauthtest.Reply(200, "text/html", "<html>"),
		"it is a list":        oidcauthtest.Reply(200, "application/json", "[]"),
		"keys is an object":   oidcauthtest.Reply(200, "application/json", `{"keys":{}}`),
		"keys come twice":     oidcauthtest.Reply(200, "application/json", `{"keys":[],"keys":[]}`),
		"it never ends":       oidcauthtest.Endless("application/json", `{"keys":[`, `{"kty":"RSA"},`),
		"the connection ends": oidcauthtest.Drop(),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			calls := w.evil()
			w.provider.Intercept(oidcauthtest.JWKS, bend)
			requireR2(t, w, w.browser.Get(app+"/me"))
			require.Equal(t, 1, w.provider.Count(oidcauthtest.JWKS))
			require.Empty(t, calls())
			w.provider.Intercept(oidcauthtest.JWKS)
		})
	}
}

func TestRotatedKeysCostOneFetchAndRandomKidsFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, noPAR)
		w.control()
		w.provider.RotateKey()
		w.signIn()
		require.Equal(t, 1, w.provider.Count(oidcauthtest.JWKS), "exactly one refetch finds the new key")
		w.anew()
		n := 0
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) {
			n++
			tok.SignWith(foreign())
			tok.Header.Set("kid", fmt.Sprintf("random-%d", n))
		})
		for range 200 {
			w.browser = oidcauthtest.NewBrowser(w.network)
			require.GreaterOrEqual(t, w.browser.Get(app+"/me").Status, 400)
		}
		require.LessOrEqual(t, w.provider.Count(oidcauthtest.JWKS), 5, "200 logins cost the brake's burst")
		w.provider.BendIDToken(nil)
		w.control()
		time.Sleep(10 * time.Second)
		w.provider.RotateKey()
		w.signIn()
	})
}

func TestPostedLogoutTokensWithRandomKidsCostFewFetches(t *testing.T) {
	w := newWorld(t, noPAR, backChannel)
	w.control()
	for i := range 200 {
		token := w.provider.LogoutToken("app", "alice", "", func(tok *oidcauthtest.Token) {
			tok.SignWith(foreign())
			tok.Header.Set("kid", fmt.Sprintf("random-%d", i))
		})
		want := http.StatusBadRequest
		if i >= 5 {
			want = http.StatusServiceUnavailable // nobody looks any more, so that nobody knows
		}
		require.Equal(t, want, w.postLogoutToken(token).StatusCode)
	}
	require.LessOrEqual(t, w.provider.Count(oidcauthtest.JWKS), 5)
	w.provider.RotateKey()
	w.signIn()
}

// A token endpoint that repeats what it was sent must not put it on a page or into the log.
func TestWhatTheProviderRepeatsIsNeitherShownNorLogged(t *testing.T) {
	w := newWorld(t, noPAR)
	w.provider.Intercept(oidcauthtest.TokenEndpoint, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			user, password, _ := r.BasicAuth()
			body, _ := json.Marshal(map[string]string{
				"error":             "invalid_grant",
				"error_description": fmt.Sprintf("code=%s verifier=%s client=%s:%s <script>", r.Form.Get("code"), r.Form.Get("code_verifier"), user, password),
				"error_uri":         "javascript:alert(1)",
			})
			rw.Header().Set("Content-Type", "application/json")
			rw.Header().Set("Set-Cookie", "op=evil; Path=/")
			rw.Header().Set("X-Evil", "1")
			rw.WriteHeader(http.StatusBadRequest)
			_, _ = rw.Write(body)
		})
	})
	cb := w.callbackURL()
	page := w.browser.Get(cb.URL)
	requireR2(t, w, page)
	form := w.provider.Last(oidcauthtest.TokenEndpoint).Form
	for _, secret := range []string{form.Get("code"), form.Get("code_verifier"), "app-secret", "javascript", "<script"} {
		require.NotContains(t, page.Body, secret)
		require.NotContains(t, w.log.String(), secret)
	}
	require.Empty(t, page.Header.Get("X-Evil"))
	require.NotContains(t, strings.Join(page.Header.Values("Set-Cookie"), ""), "op=")
}

func TestCookiesOfTheProviderStayWithTheProvider(t *testing.T) {
	w := newWorld(t, noPAR)
	w.provider.Intercept(oidcauthtest.Any, oidcauthtest.SetHeader("Set-Cookie", "op=1; Path=/; Secure"))
	w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.SetHeader("Authorization", "Bearer x"))
	w.signIn()
	for _, r := range w.provider.Requests(oidcauthtest.Discovery, oidcauthtest.JWKS, oidcauthtest.TokenEndpoint, oidcauthtest.UserInfo) {
		require.Empty(t, r.Header.Get("Cookie"))
	}
	require.Nil(t, w.browser.Cookie(app, "op"))
}

// A push that fails does not fall back to a request that the browser could alter.
func TestAPushThatFailsIsNoLogin(t *testing.T) {
	for name, bend := range map[string]oidcauthtest.Middleware{
		"it is refused":        oidcauthtest.OAuthError(400, "invalid_request"),
		"it redirects":         oidcauthtest.Redirect(307, "https://evil.example/par"),
		"it is down":           oidcauthtest.Reply(503, "text/plain", "down"),
		"it names no URI":      oidcauthtest.Reply(201, "application/json", `{"expires_in":60}`),
		"its URI is an object": oidcauthtest.Reply(201, "application/json", `{"request_uri":{},"expires_in":60}`),
		"its URI has a space":  oidcauthtest.Reply(201, "application/json", `{"request_uri":"urn:a b","expires_in":60}`),
		"its URI has 100 kB":   oidcauthtest.Reply(201, "application/json", `{"request_uri":"urn:`+strings.Repeat("x", 100<<10)+`"}`),
		"it never ends":        oidcauthtest.Endless("application/json", `{"request_uri":"`, "x"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, pushing)
			calls := w.evil()
			w.control()
			w.provider.Intercept(oidcauthtest.PAR, bend)
			page := w.browser.Get(app + "/me")
			requireSealedOff(t, page)
			require.Contains(t, []int{http.StatusBadGateway, http.StatusServiceUnavailable}, page.Status)
			require.Zero(t, w.provider.Count(oidcauthtest.Authorize), "the browser was not sent on")
			require.Equal(t, 1, w.provider.Count(oidcauthtest.PAR))
			require.Empty(t, calls())
			require.Contains(t, w.log.String(), "PAROff", "the log names the way out")
		})
	}
}

// A pushed request leaves the browser nothing to alter.
func TestThePushedRequestIsAllThatTheBrowserSees(t *testing.T) {
	w := newWorld(t, pushing)
	w.callbackURL()
	for _, r := range w.provider.Requests(oidcauthtest.Authorize) {
		require.Len(t, r.Form, 2)
		require.True(t, r.Form.Has("client_id") && r.Form.Has("request_uri"))
	}
	require.Equal(t, "S256", w.authenticationRequest().Get("code_challenge_method"))
}
