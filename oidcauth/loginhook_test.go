package oidcauth_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// withEachMode runs test for each place where sessions can be.
func withEachMode(t *testing.T, test func(t *testing.T, mode func(*oidcauth.Config))) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) { test(t, mode) })
	}
}

// note is what the application keeps in the sessions of a hookWorld.
const note session.Field[string] = "note"

// A hookWorld is a world whose Hooks.Login can be changed.
type hookWorld struct {
	*world
	hook func(ctx context.Context, auth *oidcauth.Authenticator, u *oidcauth.User) error
}

func newHookWorld(t *testing.T, configure ...func(*oidcauth.Config)) *hookWorld {
	h := new(hookWorld)
	h.world = newTokenWorld(t, append(configure, func(c *oidcauth.Config) {
		c.Hooks.Login = func(ctx context.Context, u *oidcauth.User) error {
			if h.hook == nil {
				return nil
			}
			return h.hook(ctx, h.auth, u)
		}
	})...)
	addNoteRoutes(h.mux, h.auth)
	return h
}

// addNoteRoutes lets the browser write and read the note.
func addNoteRoutes(mux *http.ServeMux, auth *oidcauth.Authenticator) {
	mux.Handle("/note", auth.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			_ = note.Set(r.Context(), r.URL.RawQuery)
		}
		text, _ := note.Get(r.Context())
		_, _ = io.WriteString(w, text)
	})))
	mux.Handle("/deadline", auth.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, session.From(r.Context()).Deadline().Format(time.RFC3339))
	})))
}

// sitsDown makes somebody else sit before the provider.
func (w *world) sitsDown(subject string) {
	w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) { a.User = &oidcauthtest.User{Subject: subject} })
}

// signInAs signs subject in, whoever was signed in before, and returns the page that the browser ends on.
func (w *world) signInAs(subject string) *oidcauthtest.Page {
	w.sitsDown(subject)
	return w.browser.Get(app + "/auth/login?return_to=/me")
}

// revokedTokens returns the tokens that were revoked.
func (w *world) revokedTokens() (tokens []string) {
	for _, r := range w.provider.Requests(oidcauthtest.Revocation) {
		tokens = append(tokens, r.Form.Get("token"))
	}
	return tokens
}

// requireUntouched asserts that alice's session is what it was: her fields, her tokens, her cookie.
func (w *world) requireUntouched(token string) {
	w.Helper()
	u := w.user()
	require.NotNil(w, u, "alice was signed out")
	require.Equal(w, "alice", u.Subject)
	require.Equal(w, "alice's", w.browser.Get(app+"/note").Body)
	require.Equal(w, token, w.token("").Token)
	require.NotContains(w, w.revokedTokens(), token)
	require.NotEqual(w, token, w.token("?force").Token, "the refresh token is good")
}

func TestTheHookSeesWhoIsSigningIn(t *testing.T) {
	withEachMode(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newHookWorld(t, mode)
		var inHook, key string
		w.hook = func(ctx context.Context, auth *oidcauth.Authenticator, u *oidcauth.User) error {
			require.Equal(t, u.Subject, oidcauth.UserFrom(ctx).Subject)
			require.Same(t, session.From(ctx), session.From(ctx).Manager().From(ctx))
			require.NotEqual(t, key, session.From(ctx).ID(), "each login has a session of its own")
			key = session.From(ctx).ID()
			token, err := auth.TokenSource(ctx).Token()
			require.NoError(t, err)
			require.Empty(t, token.RefreshToken)
			inHook = token.AccessToken
			_, ok := auth.TokenExpiry(ctx)
			require.True(t, ok)
			_, ok = note.Get(ctx)
			require.False(t, ok, "nothing of anybody else's")
			return nil
		}
		w.signInAs("alice")
		require.Equal(t, inHook, w.token("").Token)
		w.browser.Get(app + "/note?alice's")
		require.Equal(t, http.StatusOK, w.signInAs("bob").Status)
		require.Equal(t, "bob", w.user().Subject)
		require.Equal(t, inHook, w.token("").Token)
		require.Zero(t, w.refreshes())
	})
}

func TestTheHookCallsAPIsAsWhoIsSigningIn(t *testing.T) {
	for name, dpop := range map[string]bool{"with a Bearer token": false, "with a DPoP token": true} {
		t.Run(name, func(t *testing.T) {
			withEachMode(t, func(t *testing.T, mode func(*oidcauth.Config)) {
				w := newHookWorld(t, mode, func(c *oidcauth.Config) { c.Advanced.DPoP = dpop })
				if dpop {
					w.demandDPoP(true)
				}
				var seen string
				w.hook = func(ctx context.Context, auth *oidcauth.Authenticator, _ *oidcauth.User) error {
					req, _ := http.NewRequestWithContext(ctx, http.MethodGet, oidcauthtest.DefaultIssuer+"/api", nil)
					client := &http.Client{Transport: auth.Transport(w.network)}
					res, err := client.Do(req)
					require.NoError(t, err)
					defer res.Body.Close()
					body, _ := io.ReadAll(res.Body)
					require.Equal(t, http.StatusOK, res.StatusCode, string(body))
					seen = string(body)
					return nil
				}
				w.signInAs("alice")
				require.Contains(t, seen, "alice")
				w.signInAs("bob")
				require.Contains(t, seen, "bob")
			})
		})
	}
}

func TestAVisitorsFieldsAreThereInTheHook(t *testing.T) {
	withEachMode(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newHookWorld(t, mode)
		var seen string
		w.hook = func(ctx context.Context, _ *oidcauth.Authenticator, _ *oidcauth.User) error {
			seen, _ = note.Get(ctx)
			return note.Set(ctx, seen+", and pears")
		}
		w.browser.Get(app + "/note?apples")
		w.signInAs("alice")
		require.Equal(t, "apples", seen)
		require.Equal(t, "apples, and pears", w.browser.Get(app+"/note").Body)
	})
}

func TestWhatTheHookDoesToTheSessionTakesEffect(t *testing.T) {
	withEachMode(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		synctest.Test(t, func(t *testing.T) {
			w := newHookWorld(t, mode)
			w.signInAs("alice")
			w.browser.Get(app + "/note?alice's")
			w.hook = func(ctx context.Context, _ *oidcauth.Authenticator, u *oidcauth.User) error {
				s := session.From(ctx)
				require.NoError(t, s.Load())
				require.True(t, s.Pending())
				return cmp.Or(note.Set(ctx, u.Subject+"'s"), s.SetToken("upstream", "secret"), s.Tag("interns"), s.Limit(time.Now().Add(time.Minute)), s.Save(ctx))
			}
			require.Equal(t, http.StatusOK, w.signInAs("bob").Status)
			require.Equal(t, "bob's", w.browser.Get(app+"/note").Body)
			require.Equal(t, time.Now().Add(time.Minute).UTC().Format(time.RFC3339), parsedTime(t, w.browser.Get(app+"/deadline").Body))
			if w.auth.Sessions().Config().Store != nil {
				require.NoError(t, w.auth.Sessions().Revoke(t.Context(), "interns"))
				require.Nil(t, w.user(), "the hook's tag ends the session")
				w.signInAs("bob")
			}
			time.Sleep(59 * time.Second)
			require.Equal(t, "bob", w.user().Subject)
			time.Sleep(2 * time.Second)
			require.Nil(t, w.user(), "the hook's limit ends the session")
		})
	})
}

func parsedTime(t *testing.T, text string) string {
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return at.UTC().Format(time.RFC3339)
}

func TestARefusedLoginLeavesNoTrace(t *testing.T) {
	refused := errors.New("not her")
	for name, end := range map[string]func(ctx context.Context) error{
		"the hook says no":                 func(context.Context) error { return refused },
		"the hook ends the session":        func(ctx context.Context) error { return session.From(ctx).Destroy(ctx) },
		"the hook's limit is past":         func(ctx context.Context) error { return session.From(ctx).Limit(time.Now().Add(-time.Second)) },
		"the hook makes it too large":      func(ctx context.Context) error { return note.Set(ctx, incompressible(1<<20)) },
		"the hook saves and then says no":  func(ctx context.Context) error { return cmp.Or(session.From(ctx).Save(ctx), refused) },
		"the hook renews and then says no": func(ctx context.Context) error { return cmp.Or(renewRefused(ctx), refused) },
	} {
		t.Run(name, func(t *testing.T) {
			withEachMode(t, func(t *testing.T, mode func(*oidcauth.Config)) {
				for posted, configure := range map[string]func(*oidcauth.Config){"query": func(*oidcauth.Config) {}, "form_post": formPost} {
					t.Run(posted, func(t *testing.T) {
						w := newHookWorld(t, mode, configure)
						w.signInAs("alice")
						w.browser.Get(app + "/note?alice's")
						token := w.token("").Token
						var kept context.Context
						var new string
						w.hook = func(ctx context.Context, auth *oidcauth.Authenticator, u *oidcauth.User) error {
							kept = ctx
							issued, err := auth.TokenSource(ctx).Token()
							require.NoError(t, err)
							new = issued.AccessToken
							require.NoError(t, note.Set(ctx, u.Subject+"'s"))
							return end(ctx)
						}
						page := w.signInAs("carol")
						require.GreaterOrEqual(t, page.Status, 400, page.Body)
						require.Contains(t, w.revokedTokens(), new, "nobody will have the new tokens")
						require.Nil(t, oidcauth.UserFrom(kept), "a context that was kept leads to nobody")
						require.Error(t, note.Set(kept, "late"))
						w.requireUntouched(token)
					})
				}
			})
		})
	}
}

// renewRefused is nil when a session to come can't be renewed.
func renewRefused(ctx context.Context) error {
	if session.From(ctx).Renew() == nil {
		return errors.New("the session to come was renewed")
	}
	return nil
}

func TestTheSameUsersSessionOutlivesARefusedLogin(t *testing.T) {
	withEachMode(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		for posted, configure := range map[string]func(*oidcauth.Config){"query": func(*oidcauth.Config) {}, "form_post": formPost} {
			t.Run(posted, func(t *testing.T) {
				w := newHookWorld(t, mode, configure)
				w.signInAs("alice")
				w.browser.Get(app + "/note?alice's")
				token := w.token("").Token
				w.hook = func(ctx context.Context, _ *oidcauth.Authenticator, _ *oidcauth.User) error {
					return cmp.Or(note.Set(ctx, "new"), errors.New("no"))
				}
				require.Equal(t, http.StatusForbidden, w.signInAs("alice").Status)
				require.Empty(t, w.revokedTokens(), "at many providers that would end the tokens that she goes on with")
				w.requireUntouched(token)
			})
		}
	})
}

func TestAStoreThatFailsDuringALoginChangesAllOrNothing(t *testing.T) {
	for name, serverSide := range map[string]bool{"in the cookie": false, "in the Store": true} {
		for posted, configure := range map[string]func(*oidcauth.Config){"query": func(*oidcauth.Config) {}, "form_post": formPost} {
			t.Run(name+", "+posted, func(t *testing.T) {
				for calls := 0; ; calls++ {
					require.Less(t, calls, 40)
					if failsAfter(t, calls, configure, func(c *oidcauth.Config) { c.Session.ServerSide = serverSide }) {
						break // the login needs no more calls than that
					}
				}
			})
		}
	}
}

// failsAfter makes the store fail after so many calls during bob's login in alice's browser, and reports whether he got in.
func failsAfter(t *testing.T, calls int, configure ...func(*oidcauth.Config)) bool {
	store := &moodyStore{Store: session.NewMemoryStore()}
	w := newHookWorld(t, append(configure, func(c *oidcauth.Config) { c.Session.Store = store })...)
	w.signInAs("alice")
	w.browser.Get(app + "/note?alice's")
	token := w.token("").Token
	w.sitsDown("bob")
	tab := w.browser.NewTab()
	tab.PauseAt(app + "/auth/callback")
	callback := tab.Get(app + "/auth/login?return_to=/note").Paused
	require.NotNil(t, callback)
	tab.PauseAt(app + "/note")
	store.failAfter(calls)
	page := tab.Go(callback)
	spare := store.left.Load()
	store.failAfter(-1)
	if page.Paused != nil {
		require.Equal(t, "bob", w.user().Subject, "after %d calls", calls)
		require.Empty(t, w.browser.Get(app+"/note").Body)
		return spare > 0
	}
	require.GreaterOrEqual(t, page.Status, 400)
	w.requireUntouched(token)
	return false
}

func TestNothingIsRefreshedInTheHook(t *testing.T) {
	withEachMode(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		synctest.Test(t, func(t *testing.T) {
			w := newHookWorld(t, mode)
			w.provider.Configure(func(s *oidcauthtest.Settings) { s.AccessTokenLifetime = 30 * time.Second })
			w.hook = func(ctx context.Context, auth *oidcauth.Authenticator, _ *oidcauth.User) error {
				_, err := auth.TokenSource(ctx).Token()
				require.NoError(t, err)
				for _, option := range []oidcauth.TokenOption{
					oidcauth.ForceRefresh(), oidcauth.Resource("https://other.example"), oidcauth.Scopes("profile"),
				} {
					_, err = auth.TokenSource(ctx, option).Token()
					require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
				}
				time.Sleep(31 * time.Second)
				_, err = auth.TokenSource(ctx).Token()
				require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
				return nil
			}
			require.Equal(t, http.StatusOK, w.signInAs("alice").Status)
			require.Zero(t, w.refreshes())
			w.token("")
			require.Equal(t, 1, w.refreshes(), "after the login it is")
		})
	})
}

func TestTheLoginsOwnResourceIsThereInTheHook(t *testing.T) {
	w := newHookWorld(t, func(c *oidcauth.Config) {
		c.Login.Resource = []string{"https://api.example"}
		c.UserInfo = oidcauth.UserInfoOff
	})
	asked := false
	w.hook = func(ctx context.Context, auth *oidcauth.Authenticator, _ *oidcauth.User) error {
		asked = true
		_, err := auth.TokenSource(ctx, oidcauth.Resource("https://api.example")).Token()
		return err
	}
	require.Equal(t, http.StatusOK, w.signInAs("alice").Status)
	require.True(t, asked)
}

func TestTheHookOfOneProviderSeesNothingOfAnothersSession(t *testing.T) {
	withEachMode(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newHookWorld(t, mode)
		other := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://other.test"})
		other.Register(oidcauthtest.Client{ID: "b", Secret: "b-secret", RedirectURIs: []string{app + "/auth/b/callback"}})
		other.BendAuthorization(func(a *oidcauthtest.Authorization) { a.User = &oidcauthtest.User{Subject: "bob"} })
		w.network.Handle(other.Issuer(), other)
		var b *oidcauth.Authenticator
		var refuse error
		var inHook string
		b = newAuthenticator(t, w.world, func(c *oidcauth.Config) {
			c.Issuer, c.ClientID, c.ClientSecret = other.Issuer(), "b", "b-secret"
			c.RedirectURL, c.Sessions, c.Session = app+"/auth/b/callback", w.auth.Sessions(), session.Config{}
			c.Hooks.Login = func(ctx context.Context, u *oidcauth.User) error {
				require.Equal(t, other.Issuer(), oidcauth.UserFrom(ctx).Issuer)
				_, err := w.auth.TokenSource(ctx).Token()
				require.ErrorIs(t, err, oidcauth.ErrLoginRequired, "alice's tokens are not bob's")
				token, err := b.TokenSource(ctx).Token()
				require.NoError(t, err)
				inHook = token.AccessToken
				return cmp.Or(note.Set(ctx, "bob's"), refuse)
			}
		})
		w.mux.Handle("/auth/b/", b)
		w.signInAs("alice")
		w.browser.Get(app + "/note?alice's")
		token := w.token("").Token

		refuse = errors.New("not yet")
		require.Equal(t, http.StatusForbidden, w.browser.Get(app+"/auth/b/login").Status)
		require.NotZero(t, other.Count(oidcauthtest.Revocation))
		w.requireUntouched(token)

		refuse = nil
		w.browser.Get(app + "/auth/b/login")
		require.Equal(t, "bob", w.user().Subject)
		require.Equal(t, "bob's", w.browser.Get(app+"/note").Body)
		require.NotEmpty(t, inHook)
	})
}

func TestTheHookEndsAllOtherSessionsOfTheUser(t *testing.T) {
	w := newHookWorld(t)
	w.signInAs("alice")
	elsewhere := w.cookies()
	w.browser.ClearCookies()
	w.hook = func(ctx context.Context, auth *oidcauth.Authenticator, u *oidcauth.User) error {
		return auth.Sessions().Revoke(ctx, u.Tag())
	}
	w.signInAs("alice")
	require.Equal(t, "alice", w.user().Subject, "the login that does it goes on")
	require.Equal(t, "null\n", w.send(elsewhere, "/").Body.String())
}

func TestAHookThatPanicsLeavesNoTrace(t *testing.T) {
	w := newHookWorld(t)
	w.signInAs("alice")
	w.browser.Get(app + "/note?alice's")
	token := w.token("").Token
	w.hook = func(ctx context.Context, _ *oidcauth.Authenticator, _ *oidcauth.User) error {
		panic(strconv.FormatBool(note.Set(ctx, "carol's") == nil))
	}
	require.Error(t, w.signInAs("carol").Err)
	w.requireUntouched(token)
}
