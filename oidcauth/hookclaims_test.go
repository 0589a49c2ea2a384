package oidcauth_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// withHook makes Hooks.Login one that changes the user.
func withHook(change func(u *oidcauth.User)) func(*oidcauth.Config) {
	return func(c *oidcauth.Config) {
		c.Hooks.Login = func(_ context.Context, u *oidcauth.User) error {
			change(u)
			return nil
		}
	}
}

// editClaims changes the claims as an application does: by decoding and encoding them.
func editClaims(t *testing.T, edit func(m)) func(u *oidcauth.User) {
	return func(u *oidcauth.User) {
		claims := m{}
		require.NoError(t, json.Unmarshal(u.Claims, &claims))
		edit(claims)
		raw, err := json.Marshal(claims)
		require.NoError(t, err)
		u.Claims = raw
	}
}

// Each row has what ID token and userinfo say at the login and at each refresh, and what the hook makes of it.
func TestClaimsStayAsTheHookLeftThem(t *testing.T) {
	for _, row := range []struct {
		name              string
		idToken, userinfo m
		edit              func(m)
		refused, passed   oidcauth.Requirement
	}{
		{"a claim of the ID token that it changed", m{"dept": "board"}, nil, func(c m) { c["dept"] = "sales" }, oidcauth.Claim("dept", "board"), oidcauth.Claim("dept", "sales")},
		{"a claim of the ID token that it removed", m{"dept": "board"}, nil, func(c m) { delete(c, "dept") }, oidcauth.Claim("dept"), nil},
		{"a claim of userinfo that it changed", nil, m{"dept": "board"}, func(c m) { c["dept"] = "sales" }, oidcauth.Claim("dept", "board"), oidcauth.Claim("dept", "sales")},
		{"a claim of userinfo that it removed", nil, m{"dept": "board"}, func(c m) { delete(c, "dept") }, oidcauth.Claim("dept"), nil},
		{"a claim that it added", nil, nil, func(c m) { c["dept"] = "sales" }, oidcauth.Claim("dept", "board"), oidcauth.Claim("dept", "sales")},
		{"a member of a claim that it changed", m{"realm": m{"groups": []string{"board"}}}, nil, func(c m) { c["realm"] = m{"groups": []string{}} }, oidcauth.Claim("realm.groups", "board"), oidcauth.Claim("realm")},
		{"a claim of the protocol that it removed", m{"acr": "gold"}, nil, func(c m) { delete(c, "acr") }, oidcauth.Claim("acr"), oidcauth.ACR("gold")},
		{"roles that it removed", m{"roles": []string{"boss", "user"}}, nil, func(c m) { c["roles"] = []string{"user"} }, oidcauth.Role("boss"), oidcauth.Role("user")},
		{"a mark that it removed", m{"email": "a@b.test", "email_verified": true}, nil, func(c m) { delete(c, "email_verified") }, oidcauth.Claim("email_verified"), oidcauth.Claim("email", "a@b.test")},
		{"an address that it changed loses its mark", m{"email": "a@b.test", "email_verified": true}, nil, func(c m) { c["email"] = "ceo@b.test" }, oidcauth.Claim("email_verified"), oidcauth.Claim("email", "ceo@b.test")},
		{"an address that it removed loses its mark", m{"phone_number": "+1", "phone_number_verified": true}, nil, func(c m) { delete(c, "phone_number") }, oidcauth.Claim("phone_number_verified"), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTokenWorld(t, withHook(editClaims(t, row.edit)))
			w.provider.BendIDToken(told(row.idToken))
			w.provider.BendUserInfo(told(row.userinfo))
			w.mux.Handle("/refused", w.auth.Require(row.refused)(http.HandlerFunc(writeUser)))
			if row.passed != nil {
				w.mux.Handle("/passed", w.auth.Require(row.passed)(http.HandlerFunc(writeUser)))
			}
			w.signIn()
			for range 3 {
				require.Equal(t, http.StatusForbidden, w.send(w.cookies(), "/refused").Code, "%s", w.user().Claims)
				if row.passed != nil {
					require.Equal(t, http.StatusOK, w.send(w.cookies(), "/passed").Code, "%s", w.user().Claims)
				}
				require.Equal(t, "alice", w.user().Subject)
				w.token("?force")
			}
		})
	}
}

// The hook has changed one claim; of the others the provider keeps its say.
func TestClaimsThatTheHookLeftAloneFollowTheProvider(t *testing.T) {
	w := newTokenWorld(t, withHook(editClaims(t, func(c m) { c["dept"] = "sales" })))
	w.provider.BendIDToken(told(m{"level": m{"b": 1, "a": "<"}}))
	w.signIn()
	w.provider.BendIDToken(told(m{"level": m{"b": 2}, "name": "Alice Brown"}))
	w.token("?force")
	require.Contains(t, string(w.user().Claims), `"level":{"b":2}`)
	require.Equal(t, "Alice Brown", w.user().Name)
}

// A refresh brings the other half of a pair of which the hook changed one.
func TestARefreshMarksNoAddressInTheHooksClaims(t *testing.T) {
	for name, edit := range map[string]func(m){
		"the address is the hook's": func(c m) { c["email"] = "ceo@victim.test" },
		"the mark is the hook's":    func(c m) { c["email_verified"] = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTokenWorld(t, withHook(editClaims(t, edit)))
			w.provider.BendIDToken(told(m{"email": "own@evil.test", "email_verified": nil}))
			w.provider.BendUserInfo(told(m{"email": nil, "email_verified": nil}))
			w.signIn()
			before := w.user()
			w.provider.BendIDToken(told(m{"email": "foreign@victim.test", "email_verified": true}))
			w.token("?force")
			require.Equal(t, before.Email, w.user().Email)
			require.Equal(t, before.EmailVerified, w.user().EmailVerified)
			require.NotContains(t, string(w.user().Claims), "foreign@victim.test")
		})
	}
}

func TestClaimsOfTheHookThatAreNoObjectFailTheLogin(t *testing.T) {
	for name, claims := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "cut": `{"dept":"sales"`, "a name twice": `{"dept":"a","dept":"b"}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withHook(func(u *oidcauth.User) { u.Claims = []byte(claims) }))
			page := w.browser.Get(app + "/me")
			require.Equal(t, http.StatusInternalServerError, page.Status)
			require.Contains(t, w.log.String(), "Hooks.Login left invalid Claims")
			require.False(t, w.hasSession())
		})
	}
}

func TestAnEmptyObjectOfTheHookIsNoClaims(t *testing.T) {
	w := newTokenWorld(t, withHook(func(u *oidcauth.User) { u.Claims = []byte("{}") }))
	w.signIn()
	w.token("?force")
	require.Equal(t, "{}", string(w.user().Claims))
	require.Equal(t, "alice", w.user().Subject, "who it is only the provider says")
}

func TestAnEmailOfTheHookIsVerifiedByTheHookAlone(t *testing.T) {
	for _, row := range []struct {
		name     string
		provider bool
		hook     func(u *oidcauth.User)
		email    string
		verified bool
	}{
		{"a changed address loses the provider's mark", true, func(u *oidcauth.User) { u.Email = "ceo@victim.test" }, "ceo@victim.test", false},
		{"also where only its case changed", true, func(u *oidcauth.User) { u.Email = strings.ToUpper(u.Email) }, "A@B.TEST", false},
		{"the hook's own mark counts", false, func(u *oidcauth.User) { u.Email, u.EmailVerified = "ceo@victim.test", true }, "ceo@victim.test", true},
		{"the hook may verify the provider's address", false, func(u *oidcauth.User) { u.EmailVerified = true }, "a@b.test", true},
		{"the hook may doubt the provider's mark", true, func(u *oidcauth.User) { u.EmailVerified = false }, "a@b.test", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTokenWorld(t, withHook(row.hook))
			w.provider.BendIDToken(told(m{"email": "a@b.test", "email_verified": row.provider}))
			w.signIn()
			for _, next := range []m{nil, {"email": "other@evil.test"}, {"email_verified": !row.provider}} {
				require.Equal(t, row.email, w.user().Email)
				require.Equal(t, row.verified, w.user().EmailVerified)
				w.provider.BendIDToken(told(next))
				w.token("?force")
			}
			require.Equal(t, row.email, w.user().Email)
			require.Equal(t, row.verified, w.user().EmailVerified)
		})
	}
}

// A hook that takes out what nobody needs is how a session is kept small enough for its cookies.
func TestClaimsThatTheHookRemovesTakeNoRoom(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) { c.Session.Store = nil }, withHook(editClaims(t, func(c m) { delete(c, "portrait") })))
	portrait := make([]byte, 48<<10)
	_, _ = rand.Read(portrait)
	w.provider.BendUserInfo(told(m{"portrait": base64.StdEncoding.EncodeToString(portrait)}))
	w.signIn()
	require.NotContains(t, string(w.user().Claims), "portrait")
}
