package oidcauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// requireNoLogin asserts a refusal at the last step: one code, one userinfo request, no session.
func requireNoLogin(t *testing.T, w *world, page *oidcauthtest.Page) {
	t.Helper()
	requireSealedOff(t, page)
	require.Contains(t, []int{http.StatusBadRequest, http.StatusBadGateway}, page.Status, page.Body)
	require.Equal(t, 1, w.provider.Count(oidcauthtest.TokenEndpoint))
	require.Equal(t, 1, w.provider.Count(oidcauthtest.UserInfo), "asked once")
	require.False(t, w.hasSession())
}

func TestALoginWithABentUserinfoIsRefused(t *testing.T) {
	bent := func(f func(*oidcauthtest.Token)) func(*world) { return func(w *world) { w.provider.BendUserInfo(f) } }
	instead := func(m ...oidcauthtest.Middleware) func(*world) {
		return func(w *world) { w.provider.Intercept(oidcauthtest.UserInfo, m...) }
	}
	for name, bend := range map[string]func(*world){
		"the subject is another":          bent(claim("sub", "bob")),
		"the subject is absent":           bent(without("sub")),
		"the subject is null":             bent(claim("sub", nil)),
		"the subject is a list":           bent(claim("sub", []string{"alice"})),
		"the subject is in capitals":      bent(claim("sub", "ALICE")),
		"the subject has a space":         bent(claim("sub", "alice ")),
		"there are two subjects":          bent(func(tok *oidcauthtest.Token) { tok.Claims.Add("sub", "alice") }),
		"a subject in capitals is beside": bent(func(tok *oidcauthtest.Token) { tok.Claims.Add("Sub", "admin") }),
		"roles come twice":                bent(func(tok *oidcauthtest.Token) { tok.Claims.Add("roles", []string{"admin"}) }),
		"it is a list":                    bent(func(tok *oidcauthtest.Token) { tok.Claims.Replace(`[{"sub":"alice"}]`) }),
		"it is a string":                  bent(func(tok *oidcauthtest.Token) { tok.Claims.Replace(`"alice"`) }),
		"it is null":                      bent(func(tok *oidcauthtest.Token) { tok.Claims.Replace(`null`) }),
		"it is cut":                       bent(func(tok *oidcauthtest.Token) { tok.Claims.Replace(`{"sub":"alice"`) }),
		"it has something behind":         bent(func(tok *oidcauthtest.Token) { tok.Claims.Replace(`{"sub":"alice"}{"sub":"bob"}`) }),
		"it is 10,000 deep":               bent(claim("x", literal(strings.Repeat(`{"a":`, 10000)+"1"+strings.Repeat("}", 10000)))),
		"it is a page":                    instead(oidcauthtest.Reply(200, "text/html", "<html>sub alice</html>")),
		"it is nothing":                   instead(oidcauthtest.Reply(200, "application/json", "")),
		"it has status 500":               instead(oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Status = 500 })),
		"it has status 401":               instead(oidcauthtest.Challenge(`Bearer error="invalid_token"`)),
		"it has status 204":               instead(oidcauthtest.Reply(204, "", "")),
		"it redirects with 302":           instead(oidcauthtest.Redirect(302, "https://evil.example/userinfo")),
		"it redirects with 307":           instead(oidcauthtest.Redirect(307, "https://evil.example/userinfo")),
		"it redirects on its own site":    instead(oidcauthtest.Redirect(307, "/userinfo2")),
		"it never ends":                   instead(oidcauthtest.Endless("application/json", `{"sub":"alice","x":"`, "x")),
		"it is lost":                      instead(oidcauthtest.Drop()),
		"it breaks off":                   instead(oidcauthtest.Cut(5)),
		"it is a JWT that calls itself JSON": func(w *world) {
			w.provider.Configure(func(s *oidcauthtest.Settings) { s.SignedUserInfo = true })
			w.provider.Intercept(oidcauthtest.UserInfo, oidcauthtest.SetHeader("Content-Type", "application/json"))
		},
		"it is JSON that calls itself a JWT": instead(oidcauthtest.SetHeader("Content-Type", "application/jwt")),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			calls := w.evil()
			w.control()
			bend(w)
			requireNoLogin(t, w, w.browser.Get(app+"/me"))
			require.Empty(t, calls(), "the access token went nowhere else")
			requireQuietLog(t, w)
		})
	}
}

func TestALoginWithABentSignedUserinfoIsRefused(t *testing.T) {
	var idToken string
	for name, bend := range map[string]func(*oidcauthtest.Token){
		"the issuer is another":     claim("iss", "https://evil.example"),
		"the issuer is null":        claim("iss", nil),
		"the audience is another":   claim("aud", "other"),
		"the audience is empty":     claim("aud", []string{}),
		"the subject is another":    claim("sub", "bob"),
		"alg is none":               func(tok *oidcauthtest.Token) { tok.Unsign("none") },
		"another key signed it":     func(tok *oidcauthtest.Token) { tok.Key = foreign() },
		"an embedded key signed it": func(tok *oidcauthtest.Token) { tok.SignWith(foreign()); tok.Header.Set("jwk", foreign().JWK()) },
		"HS256 with the secret": func(tok *oidcauthtest.Token) {
			tok.Key = oidcauthtest.HMACKey([]byte("app-secret"))
			tok.Header.Set("alg", "HS256")
		},
		"one bit is flipped":         func(tok *oidcauthtest.Token) { tok.FlipSignature() },
		"it is the login's ID token": rewritten(func(string) string { return idToken }),
		"it carries a nonce":         claim("nonce", "x"),
		"it is a logout token":       claim("events", map[string]any{logoutEvent: map[string]any{}}),
		"it is an access token":      func(tok *oidcauthtest.Token) { tok.Header.Set("typ", "at+jwt") },
		"it has expired":             claim("exp", ago(time.Hour)),
		"it is encrypted to nobody":  rewritten(func(string) string { return b64JSON(`{"alg":"RSA-OAEP-256","enc":"A256GCM"}`) + ".AA.AA.AA.AA" }),
		"there is a crit header":     func(tok *oidcauthtest.Token) { tok.Header.Set("crit", []string{"x"}) },
		"it is a million dots":       rewritten(func(string) string { return strings.Repeat(".", 1_000_000) }),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			w.provider.Configure(func(s *oidcauthtest.Settings) { s.SignedUserInfo = true })
			w.control()
			w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { idToken = a.Text("id_token") })
			w.provider.BendUserInfo(bend)
			requireNoLogin(t, w, w.browser.Get(app+"/me"))
			w.provider.BendUserInfo(nil)
			w.control()
		})
	}
}

// What the provider says about the login itself comes from the ID token alone; what was signed is not replaced.
func TestUserinfoNeverOverridesWhatWasSigned(t *testing.T) {
	for _, signed := range []bool{false, true} {
		w := newWorld(t, noPAR)
		w.provider.Configure(func(s *oidcauthtest.Settings) { s.SignedUserInfo = signed })
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("acr", "bronze") })
		w.provider.BendUserInfo(func(tok *oidcauthtest.Token) {
			for name, value := range map[string]any{
				"acr": "gold", "amr": []string{"hwk"}, "sid": "other", "auth_time": 1, "session_expiry": 1,
				"name": "Mallory", "roles": []string{"admin"}, "Roles": []string{"admin"}, "extra": "kept",
			} {
				tok.Claims.Set(name, value)
			}
			if !signed {
				tok.Claims.Set("iss", "https://evil.example")
				tok.Claims.Set("aud", "evil")
				tok.Claims.Set("azp", "evil")
				tok.Claims.Set("exp", 1)
				tok.Claims.Set("nonce", "x")
			}
		})
		w.signIn()
		u := w.user()
		require.Equal(t, w.provider.Issuer(), u.Issuer)
		require.Equal(t, "bronze", u.ACR)
		require.Equal(t, []string{"pwd"}, u.AMR)
		require.NotEqual(t, "other", u.SessionID)
		require.WithinDuration(t, time.Now(), u.AuthTime, time.Minute)
		require.Equal(t, "Alice Adams", u.Name)
		require.Equal(t, []string{"user"}, u.Roles)
		require.Contains(t, string(u.Claims), `"extra":"kept"`)
		require.NotContains(t, string(u.Claims), "session_expiry", "a protocol claim is not taken where nothing was signed, either")
		require.Equal(t, http.StatusForbidden, w.browser.Get(app+"/admin").Status)
	}
}

// With userinfo off nothing is asked, and nothing of it is believed.
func TestUserinfoThatIsOffIsNotAsked(t *testing.T) {
	w := newWorld(t, noPAR, func(c *oidcauth.Config) { c.UserInfo = oidcauth.UserInfoOff })
	w.signIn()
	require.Zero(t, w.provider.Count(oidcauthtest.UserInfo))
}

// A claim that is read by a dotted path is signed too: userinfo can't slip another in front of it.
func TestUserinfoDoesNotShadowASignedPath(t *testing.T) {
	for name, row := range map[string]struct {
		signed, told map[string]any
	}{
		"an exact name before a signed path": {
			map[string]any{"realm_access": map[string]any{"roles": []string{"user"}}}, map[string]any{"realm_access.roles": []string{"admin"}},
		},
		"a shorter path before a signed one": {
			map[string]any{"realm_access.x": map[string]any{"roles": []string{"user"}}},
			map[string]any{"realm_access": map[string]any{"x": map[string]any{"roles": []string{"admin"}}, "roles": []string{"admin"}}},
		},
		"a whole object in place of a signed one": {
			map[string]any{"realm_access": map[string]any{"roles": []string{"user"}}}, map[string]any{"realm_access": map[string]any{"roles": []string{"admin"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, claimName := range []string{"realm_access.roles", "realm_access.x.roles"} {
				w := newWorld(t, noPAR, func(c *oidcauth.Config) { c.RolesClaim = claimName })
				w.mux.Handle("/claim", w.auth.Require(oidcauth.Claim(claimName, "admin"))(http.HandlerFunc(writeUser)))
				w.provider.BendIDToken(func(tok *oidcauthtest.Token) {
					for k, v := range row.signed {
						tok.Claims.Set(k, v)
					}
				})
				w.provider.BendUserInfo(func(tok *oidcauthtest.Token) {
					for k, v := range row.told {
						tok.Claims.Set(k, v)
					}
				})
				w.signIn()
				require.NotContains(t, w.user().Roles, "admin")
				require.Equal(t, http.StatusForbidden, w.browser.Get(app+"/admin").Status)
				require.Equal(t, http.StatusForbidden, w.browser.Get(app+"/claim").Status)
			}
		})
	}
}

// That an address was verified is said of the address beside it.
func TestAVerifiedMarkStaysWithItsAddress(t *testing.T) {
	for name, row := range map[string]struct {
		signed, told map[string]any
		email        string
		verified     bool
	}{
		"another address is verified": {
			map[string]any{"email": "admin@example.test"}, map[string]any{"email": "mallory@evil.example", "email_verified": true}, "admin@example.test", false,
		},
		"the same address is verified": {
			map[string]any{"email": "a@example.test"}, map[string]any{"email": "a@example.test", "email_verified": true}, "a@example.test", true,
		},
		"userinfo has both": {map[string]any{}, map[string]any{"email": "a@example.test", "email_verified": true}, "a@example.test", true},
		"the signed mark is about another address": {
			map[string]any{"email_verified": true}, map[string]any{"email": "mallory@evil.example", "email_verified": false}, "", true,
		},
		"each has a half":   {map[string]any{"email": "a@example.test"}, map[string]any{"email_verified": true}, "a@example.test", true},
		"the mark is words": {map[string]any{}, map[string]any{"email": "a@example.test", "email_verified": "True"}, "a@example.test", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			bend := func(values map[string]any) func(*oidcauthtest.Token) {
				return func(tok *oidcauthtest.Token) {
					tok.Claims.Delete("email", "email_verified")
					for k, v := range values {
						tok.Claims.Set(k, v)
					}
				}
			}
			w.provider.BendIDToken(bend(row.signed))
			w.provider.BendUserInfo(bend(row.told))
			w.signIn()
			require.Equal(t, row.email, w.user().Email)
			require.Equal(t, row.verified, w.user().EmailVerified)
		})
	}
}
