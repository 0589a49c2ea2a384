package oidcauth_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// outlives reports whether the browser's session cookie outlives the browser.
func (w *world) outlives() bool {
	w.Helper()
	c := w.browser.Cookie(app+"/", "__Host-session")
	require.NotNil(w, c)
	return !c.Expires.IsZero()
}

// serveLogins serves a login for each persistence.
func (w *world) serveLogins() {
	for path, p := range map[string]session.Persistence{"/login/forget": session.Transient, "/login/remember": session.Persistent, "/login/plain": 0, "/login/wrong": 9} {
		w.mux.Handle(path, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.auth.Login(rw, r, oidcauth.LoginOptions{ReturnTo: "/me", Persistence: p})
		}))
	}
}

func TestLoginsAreRememberedAsTheyAskFor(t *testing.T) {
	for name, mode := range modes {
		for cookies, sameSite := range map[string]func(*oidcauth.Config){"lax": func(*oidcauth.Config) {}, "strict": strict} {
			t.Run(name+", "+cookies, func(t *testing.T) {
				w := newTokenWorld(t, mode, sameSite)
				w.serveLogins()
				for _, step := range []struct {
					path     string
					outlives bool
				}{
					{"/login/plain", true},
					{"/login/forget", false},
					{"/login/plain", false}, // the same user: as the session had it
					{"/auth/login?return_to=/me", false},
					{"/login/remember", true},
					{"/login/plain", true},
					{"/login/forget", false},
				} {
					require.Equal(t, http.StatusOK, w.browser.Get(app+step.path).Status, step.path)
					require.Equal(t, step.outlives, w.outlives(), step.path)
				}
				w.sitsDown("bob")
				w.browser.Get(app + "/login/plain")
				require.Equal(t, "bob", w.user().Subject)
				require.True(t, w.outlives(), "of somebody else nothing is taken over")
				require.Equal(t, http.StatusInternalServerError, w.browser.Get(app+"/login/wrong").Status)
			})
		}
	}
}

func TestHooksHaveTheLastWordOnRemembering(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			w := newTokenWorld(t, mode, func(c *oidcauth.Config) {
				c.Hooks.Login = func(ctx context.Context, _ *oidcauth.User) error {
					return session.From(ctx).SetPersistence(session.Transient)
				}
			})
			w.serveLogins()
			for _, path := range []string{"/login/plain", "/login/remember"} {
				w.browser.Get(app + path)
				require.False(t, w.outlives())
			}
		})
	}
}

func TestFreshLoginThatIsDemandedIsRememberedAsTheFirstTryAsked(t *testing.T) {
	inEachStoredMode(t, func(t *testing.T, w *world) {
		w.serveLogins()
		w.revokeFresh()
		w.browser.Get(app + "/login/forget")
		require.Equal(t, []string{"", "", "0"}, w.maxAges(), "sent once more")
		require.False(t, w.outlives())
	})
}
