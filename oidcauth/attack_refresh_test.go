package oidcauth_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// What a refresh brings must not add up, with what the login knew, to something that nobody said.

// told sets claims, and takes away those that are nil.
func told(claims m) func(*oidcauthtest.Token) {
	return func(tok *oidcauthtest.Token) {
		for name, value := range claims {
			if value == nil {
				tok.Claims.Delete(name)
			} else {
				tok.Claims.Set(name, value)
			}
		}
	}
}

// Each row has a login by which the foreign address is not verified, and a refreshed ID token that is not about it.
func TestARefreshVerifiesNoForeignAddress(t *testing.T) {
	const own, foreign = "mallory@evil.test", "ceo@victim.test"
	for _, row := range []struct {
		name                       string
		idToken, userinfo, refresh m
	}{
		{"the mark is userinfo's, of the address before", m{"email": own, "email_verified": nil}, m{"email": own, "email_verified": true}, m{"email": foreign}},
		{"the mark is userinfo's alone", m{"email": own, "email_verified": nil}, m{"email": nil, "email_verified": true}, m{"email": foreign}},
		{"the address is userinfo's, the mark is of the next one", m{"email": nil, "email_verified": false}, m{"email": foreign, "email_verified": false}, m{"email_verified": true}},
		{"the address is userinfo's without a mark", m{"email": nil, "email_verified": nil}, m{"email": foreign, "email_verified": nil}, m{"email_verified": true}},
		{"the pair is userinfo's, the address comes later", m{"email": nil, "email_verified": nil}, m{"email": own, "email_verified": true}, m{"email": foreign}},
		{"the pair is userinfo's, the mark comes later", m{"email": nil, "email_verified": nil}, m{"email": foreign, "email_verified": false}, m{"email_verified": true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTokenWorld(t)
			w.provider.BendIDToken(told(row.idToken))
			w.provider.BendUserInfo(told(row.userinfo))
			w.signIn()
			w.provider.BendIDToken(func(tok *oidcauthtest.Token) {
				told(row.idToken)(tok)
				told(row.refresh)(tok)
			})
			for range 2 {
				w.token("?force")
				u := w.user()
				require.False(t, u.Email == foreign && u.EmailVerified, "a foreign address passes for verified: %s", u.Claims)
			}
		})
	}
}

func TestARefreshVerifiesNoForeignTelephone(t *testing.T) {
	w := newTokenWorld(t)
	w.provider.BendIDToken(told(m{"phone_number": "+1"}))
	w.provider.BendUserInfo(told(m{"phone_number": "+1", "phone_number_verified": true}))
	w.signIn()
	require.Contains(t, string(w.user().Claims), "phone_number_verified")
	w.provider.BendIDToken(told(m{"phone_number": "+2"}))
	w.token("?force")
	require.NotContains(t, string(w.user().Claims), "phone_number_verified")
}

// A control: as long as the ID token says the same, userinfo's half stays.
func TestARefreshLeavesWhatUserinfoVerified(t *testing.T) {
	w := newTokenWorld(t)
	w.provider.BendIDToken(told(m{"email": "a@b.test", "email_verified": nil}))
	w.provider.BendUserInfo(told(m{"email": "a@b.test", "email_verified": true, "nickname": "al"}))
	w.signIn()
	w.token("?force")
	require.True(t, w.user().EmailVerified)
	require.Contains(t, string(w.user().Claims), `"nickname":"al"`)
}

// The address is the hook's; what a later ID token says of verification is of another.
func TestARefreshVerifiesNoAddressOfTheHook(t *testing.T) {
	w := newTokenWorld(t, func(c *oidcauth.Config) {
		c.Hooks.Login = func(_ context.Context, u *oidcauth.User) error {
			u.Email = strings.ToLower(u.Email)
			return nil
		}
	})
	w.provider.BendIDToken(told(m{"email": "CEO@victim.test", "email_verified": false}))
	w.signIn()
	w.provider.BendIDToken(told(m{"email": "mallory@evil.test", "email_verified": true}))
	w.token("?force")
	require.Equal(t, "ceo@victim.test", w.user().Email)
	require.False(t, w.user().EmailVerified)
}

// A hook that keeps a role from everybody, and finds nothing to take away at the login.
func TestARefreshBringsNoRoleThatTheHookKeepsBack(t *testing.T) {
	w := newTokenWorld(t, func(c *oidcauth.Config) {
		c.Hooks.Login = func(_ context.Context, u *oidcauth.User) error {
			u.Roles = slices.DeleteFunc(u.Roles, func(role string) bool { return role == "admin" })
			return nil
		}
	})
	w.provider.BendIDToken(told(m{"roles": []string{"user", "clerk"}}))
	w.signIn()
	w.provider.BendIDToken(told(m{"roles": []string{"user", "admin"}}))
	for range 2 {
		w.token("?force")
		require.Equal(t, []string{"user"}, w.user().Roles, "a role that was taken away is gone, and no other came")
		require.Equal(t, http.StatusForbidden, w.send(w.cookies(), "/admin").Code)
	}
}

func TestARefreshRaisesNeitherACRNorAMR(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		guards := map[string]oidcauth.Requirement{
			"/acr": oidcauth.ACR("gold"), "/amr": oidcauth.AMR("hwk"), "/claim": oidcauth.Claim("acr", "gold"), "/list": oidcauth.Claim("amr", "hwk"),
		}
		for path, requirement := range guards {
			w.mux.Handle(path, w.auth.Require(requirement)(http.HandlerFunc(writeUser)))
		}
		w.provider.BendIDToken(told(m{"acr": "silver"}))
		w.signIn()
		time.Sleep(10 * time.Minute)
		// The person steps up at the provider elsewhere; whoever holds this session refreshes.
		w.provider.BendIDToken(told(m{"acr": "gold", "amr": []string{"hwk"}}))
		for range 2 {
			w.token("?force")
			require.Equal(t, "silver", w.user().ACR)
			for path := range guards {
				require.NotEqual(t, http.StatusOK, w.send(w.cookies(), path).Code, path)
			}
		}
	})
}

// Many providers leave acr and amr out when they refresh.
func TestARefreshLosesNeitherACRNorAMR(t *testing.T) {
	w := newTokenWorld(t)
	w.provider.BendIDToken(told(m{"acr": "gold", "amr": []string{"hwk"}}))
	w.signIn()
	w.provider.BendIDToken(told(m{"acr": nil, "amr": nil}))
	w.token("?force")
	require.Equal(t, "gold", w.user().ACR)
	require.Equal(t, []string{"hwk"}, w.user().AMR)
}

// A new sid in a refreshed ID token, which UserFrom then shows, and by which the provider may log out.
func TestALogoutByTheRefreshedSIDEndsTheSession(t *testing.T) {
	channels := map[string]func(w *world){
		"back-channel": func(w *world) { w.postLogoutToken(w.provider.LogoutToken("app", "alice", "new-sid")) },
		"front-channel": func(w *world) {
			w.raw(http.MethodGet, app+"/auth/frontchannel-logout?iss="+url.QueryEscape(w.provider.Issuer())+"&sid=new-sid")
		},
	}
	for name, logout := range channels {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t, func(c *oidcauth.Config) { c.BackChannelLogout, c.FrontChannelLogout = true, true })
				w.signIn()
				w.provider.BendIDToken(told(m{"sid": "new-sid"}))
				w.token("?force")
				require.Equal(t, "new-sid", w.user().SessionID)
				time.Sleep(time.Second)
				logout(w)
				require.Nil(t, w.user())
			})
		})
	}
}

// The logout by the new sid is faster than the refresh that tells it.
func TestARefreshToASIDThatIsLoggedOutEndsTheSession(t *testing.T) {
	w := newTokenWorld(t, func(c *oidcauth.Config) { c.BackChannelLogout = true })
	w.signIn()
	before := w.cookies()
	w.provider.BendIDToken(func(tok *oidcauthtest.Token) {
		tok.Claims.Set("sid", "new-sid")
		w.postLogoutToken(w.provider.LogoutToken("app", "alice", "new-sid"))
	})
	require.Equal(t, http.StatusUnauthorized, w.send(before, "/token?force").Code)
	require.Equal(t, http.StatusUnauthorized, w.send(before, "/me").Code)
}

func TestASessionIsKnownByFewSIDs(t *testing.T) {
	w := newTokenWorld(t)
	w.signIn()
	for i := range 12 {
		w.provider.BendIDToken(told(m{"sid": "sid-" + strconv.Itoa(i)}))
		w.token("?force")
	}
	require.Equal(t, "sid-7", w.user().SessionID, "the claims stay what they were")
}
