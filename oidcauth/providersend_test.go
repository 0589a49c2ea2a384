package oidcauth_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// later lets a bubble's clock pass the millisecond in which something was removed.
func later() { time.Sleep(2 * time.Millisecond) }

func TestRemoveEndsTheSessionsOfThatProvider(t *testing.T) {
	inEachTown(t, func(t *testing.T, w *town) {
		w.signIn("acme")
		other := oidcauthtest.NewBrowser(w.network)
		require.Equal(t, http.StatusOK, other.NewTab().Get(app+"/bolt/").Status)
		require.NoError(t, w.providers.Remove(t.Context(), "acme"))
		require.Nil(t, w.user())
		require.Equal(t, http.StatusNotFound, w.get("/acme/").Status)
		require.Equal(t, http.StatusOK, other.NewTab().Get(app+"/bolt/").Status, "another's sessions live on")
		require.ErrorIs(t, w.providers.Remove(t.Context(), "acme"), oidcauth.ErrUnknownProvider)

		require.NoError(t, w.providers.Add("acme", w.config("acme")))
		require.Nil(t, w.user(), "what has ended does not come back")
		later()
		w.signIn("acme")
	})
}

func TestRetireLetsSessionsLiveOnWithoutTokens(t *testing.T) {
	inEachTown(t, func(t *testing.T, w *town) {
		var failed error
		w.mux.Handle("/token", w.providers.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, failed = w.providers.TokenSource(r.Context()).Token()
		})))
		w.signIn("acme")
		w.get("/token")
		require.NoError(t, failed)
		require.NoError(t, w.providers.Retire("acme"))
		require.Equal(t, "acme", w.user().Provider)
		require.Equal(t, http.StatusOK, w.get("/acme/").Status, "guards take its users")
		require.Equal(t, http.StatusOK, w.get("/any").Status)
		w.get("/token")
		require.ErrorIs(t, failed, oidcauth.ErrLoginRequired)
		require.ErrorIs(t, failed, oidcauth.ErrUnknownProvider)
		require.Equal(t, http.StatusNotFound, w.get("/auth/acme/login").Status)

		calls := w.idps["acme"].Count(oidcauthtest.Any)
		tab := w.browser.NewTab()
		tab.Get(app + "/")
		require.NoError(t, tab.Post(app+"/auth/acme/logout", nil).Err)
		require.Nil(t, w.user())
		require.Equal(t, calls, w.idps["acme"].Count(oidcauthtest.Any), "what was taken away is called no more")
		require.Contains(t, w.log.String(), "msg=logout provider=acme")
		require.Equal(t, http.StatusNotFound, w.get("/acme/").Status)
	})
}

func TestRemoveEndsWhatWasRetired(t *testing.T) {
	w := newTown(t)
	w.signIn("acme")
	require.NoError(t, w.providers.Retire("acme"))
	require.ErrorIs(t, w.providers.Retire("acme"), oidcauth.ErrUnknownProvider)
	require.NotNil(t, w.user())
	require.NoError(t, w.providers.Remove(t.Context(), "acme"))
	require.Nil(t, w.user())
}

func TestReplaceOfTheSecretKeepsSessionsAndFinishedLogins(t *testing.T) {
	inEachTown(t, func(t *testing.T, w *town) {
		tab := w.browser.NewTab()
		tab.PauseAt(app + "/auth/acme/callback")
		callback := tab.Get(app + "/acme/").Paused
		require.NotNil(t, callback)
		replay := w.browser.Cookies(callback.URL)
		require.Equal(t, http.StatusOK, tab.Go(callback).Status)
		require.NoError(t, w.providers.Replace(t.Context(), "acme", w.config("acme")))
		require.Equal(t, "acme", w.user().Provider)

		redeemed := w.idps["acme"].Count(oidcauthtest.TokenEndpoint)
		other := oidcauthtest.NewBrowser(w.network)
		for _, c := range replay {
			c.Path, c.Secure, c.HttpOnly = "/", true, true
			other.SetCookie(app+"/", c)
		}
		page := other.NewTab().Get(callback.URL)
		require.Equal(t, http.StatusBadRequest, page.Status)
		require.Equal(t, redeemed, w.idps["acme"].Count(oidcauthtest.TokenEndpoint), "no code is sent twice")
		require.Contains(t, w.log.String(), "used before")
	})
}

func TestReplaceByAnotherProviderEndsTheSessionsOfTheOneBefore(t *testing.T) {
	inEachTown(t, func(t *testing.T, w *town) {
		w.signIn("acme")
		before := w.config("acme")
		w.openAt("acme", "https://new.acme.test")
		require.NoError(t, w.providers.Replace(t.Context(), "acme", w.config("acme")))
		require.Nil(t, w.user())
		w.signIn("acme")
		require.Equal(t, "https://new.acme.test", w.user().Issuer)
		later()
		require.NoError(t, w.providers.Replace(t.Context(), "acme", before))
		require.Nil(t, w.user())
		require.ErrorIs(t, w.providers.Replace(t.Context(), "nobody", oidcauth.Config{Issuer: "https://x.test", ClientID: "x"}), oidcauth.ErrUnknownProvider)
		require.ErrorContains(t, w.providers.Replace(t.Context(), "bolt", before), `"acme"`)
	})
}

// TestACallbackWhoseProviderWasReplacedBeginsAnew: the old provider's code is not sent to the new.
func TestACallbackWhoseProviderWasReplacedBeginsAnew(t *testing.T) {
	inEachTown(t, func(t *testing.T, w *town) {
		old := w.idps["acme"]
		tab := w.browser.NewTab()
		tab.PauseAt(app + "/auth/acme/callback")
		callback := tab.Get(app + "/acme/page").Paused
		require.NotNil(t, callback)
		idp := w.openAt("acme", "https://new.acme.test")
		require.NoError(t, w.providers.Replace(t.Context(), "acme", w.config("acme")))
		tab.PauseAt("https://nowhere.test/")
		page := tab.Go(callback)
		require.NoError(t, page.Err)
		require.Equal(t, http.StatusOK, page.Status, page.Body)
		require.Equal(t, app+"/acme/page", page.URL)
		require.Equal(t, "https://new.acme.test", w.user().Issuer)
		require.Zero(t, old.Count(oidcauthtest.TokenEndpoint))
		require.Equal(t, 1, idp.Count(oidcauthtest.TokenEndpoint))
	})
}

// TestACallbackUnderWay is about providers that change while the code is being redeemed.
func TestACallbackUnderWay(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(w *town) error
		status int
		issuer string // of who is signed in in the end
	}{
		{"is refused when its provider is removed", func(w *town) error { return w.providers.Remove(w.Context(), "acme") }, http.StatusNotFound, ""},
		{"is refused when its provider is retired", func(w *town) error { return w.providers.Retire("acme") }, http.StatusNotFound, ""},
		{"begins anew when its provider is replaced by another", func(w *town) error {
			w.openAt("acme", "https://new.acme.test")
			return w.providers.Replace(w.Context(), "acme", w.config("acme"))
		}, http.StatusOK, "https://new.acme.test"},
		{"goes on when its provider got another secret", func(w *town) error {
			return w.providers.Replace(w.Context(), "acme", w.config("acme"))
		}, http.StatusOK, "https://acme.provider.test"},
		{"goes on when another provider is removed", func(w *town) error { return w.providers.Remove(w.Context(), "bolt") }, http.StatusOK, "https://acme.provider.test"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inEachTown(t, func(t *testing.T, w *town) {
				w.idps["acme"].BendTokens(func(*oidcauthtest.TokenAnswer) {
					require.NoError(t, row.change(w))
					later()
				})
				page := w.get("/acme/")
				require.Equal(t, row.status, page.Status, page.Body)
				user := w.user()
				if row.issuer == "" {
					require.Nil(t, user)
					require.Contains(t, w.log.String(), "code=unknown_provider")
					return
				}
				require.Equal(t, row.issuer, user.Issuer)
			})
		})
	}
}

// TestACallbackWhoseProviderIsRemovedAtTheLastMoment: when all has been checked, and before the session has begun.
func TestACallbackWhoseProviderIsRemovedAtTheLastMoment(t *testing.T) {
	inEachTown(t, func(t *testing.T, w *town) {
		c := w.config("acme")
		c.ClientSecret = "acme-secret"
		c.Hooks.Login = func(ctx context.Context, _ *oidcauth.User) error { return w.providers.Remove(ctx, "acme") }
		require.NoError(t, w.providers.Replace(t.Context(), "acme", c))
		require.Equal(t, http.StatusNotFound, w.get("/acme/").Status)
		require.Nil(t, w.user())
		require.NotContains(t, w.log.String(), "msg=login provider=acme")
	})
}

func TestACallbackOfAProviderThatIsGoneIsRefusedAndMayComeBack(t *testing.T) {
	inEachTown(t, func(t *testing.T, w *town) {
		tab := w.browser.NewTab()
		tab.PauseAt(app + "/auth/acme/callback")
		callback := tab.Get(app + "/acme/").Paused
		require.NoError(t, w.providers.Remove(t.Context(), "acme"))
		require.Equal(t, http.StatusNotFound, w.browser.NewTab().Get(callback.URL).Status)
		require.NoError(t, w.providers.Add("acme", w.config("acme")))
		later()
		require.Equal(t, http.StatusOK, tab.Go(callback).Status, "nothing of it was spent")
	})
}

func TestAStoreThatIsDownLeavesSessionsToBeEndedAgain(t *testing.T) {
	store := &moodyStore{Store: session.NewMemoryStore()}
	w := newTown(t, func(c *oidcauth.ProvidersConfig) { c.Session.Store = store })
	w.signIn("acme")
	before := w.config("acme")
	store.failAfter(0)
	after := before
	after.ClientID = "other"
	require.ErrorIs(t, w.providers.Replace(t.Context(), "acme", after), session.ErrUnavailable)
	require.Equal(t, "acme-client", w.providers.List()[0].ClientID, "nothing has changed")
	require.ErrorIs(t, w.providers.Remove(t.Context(), "acme"), session.ErrUnavailable)
	require.Len(t, w.providers.List(), 1, "it is gone all the same")
	store.failAfter(-1)
	require.Nil(t, w.user())
	require.NoError(t, w.providers.Remove(t.Context(), "acme"), "once more, for the Store")

	replica := w.replica(func(c *oidcauth.ProvidersConfig) { c.Session.Store = store })
	require.NoError(t, replica.Add("acme", before))
	w.network.Handle(app, townMux(replica))
	require.Nil(t, w.user(), "the mark reaches a process that never heard of the removal")
}

// A pairOfReplicas shares keys and, unless it is nil, a Store.
func pairOfReplicas(t *testing.T, mode func(*oidcauth.ProvidersConfig)) (w *town, other *oidcauth.Providers, to func(*oidcauth.Providers)) {
	t.Helper()
	store := session.NewMemoryStore()
	shared := func(c *oidcauth.ProvidersConfig) { c.Session.Store = store; mode(c) }
	w = newTown(t, shared)
	other = w.replica(shared)
	for _, name := range []string{"acme", "bolt"} {
		require.NoError(t, other.Add(name, w.config(name)))
	}
	muxes := map[*oidcauth.Providers]http.Handler{w.providers: w.mux, other: townMux(other)}
	return w, other, func(p *oidcauth.Providers) { w.network.Handle(app, muxes[p]) }
}

func TestReplicasThatLearnOfARemovalAtDifferentTimes(t *testing.T) {
	for name, mode := range townModes {
		t.Run(name, func(t *testing.T) {
			w, late, to := pairOfReplicas(t, mode)
			w.signIn("acme")
			require.NoError(t, w.providers.Remove(t.Context(), "acme"))
			to(late)
			if strings.Contains(name, "cookie") && !strings.Contains(name, "store") {
				require.NotNil(t, w.user(), "without a Store each process ends what it knows of")
			} else {
				require.Nil(t, w.user(), "the mark in the Store reaches those who don't know yet")
			}
			w.signIn("acme") // where it is still known
			to(w.providers)
			require.Nil(t, w.user(), "and is nobody where it is not")
			to(late)
			require.NotNil(t, w.user(), "which touched nothing")
			require.NoError(t, late.Remove(t.Context(), "acme"))
			require.Nil(t, w.user())
		})
	}
}

func TestReplicasThatLearnOfAReplacementAtDifferentTimes(t *testing.T) {
	for name, mode := range townModes {
		t.Run(name, func(t *testing.T) {
			w, late, to := pairOfReplicas(t, mode)
			w.signIn("acme")
			old := w.idps["acme"]
			idp := w.openAt("acme", "https://new.acme.test")
			require.NoError(t, w.providers.Replace(t.Context(), "acme", w.config("acme")))
			w.signIn("acme")
			require.Equal(t, "https://new.acme.test", w.user().Issuer)
			to(late)
			require.Nil(t, w.user(), "the old one's process takes nobody of the new one's")
			to(w.providers)
			require.NotNil(t, w.user())
			require.NoError(t, late.Replace(t.Context(), "acme", w.config("acme")))
			require.NotNil(t, w.user(), "who is late ends the sessions of the old one alone")
			to(late)
			require.NotNil(t, w.user())
			require.NotZero(t, idp.Count(oidcauthtest.TokenEndpoint))
			require.Equal(t, 1, old.Count(oidcauthtest.TokenEndpoint))
		})
	}
}

// TestReplicasThatGoOnDisagreeingEndInAPage: each callback meets the other replica.
func TestReplicasThatGoOnDisagreeingEndInAPage(t *testing.T) {
	w, late, _ := pairOfReplicas(t, func(*oidcauth.ProvidersConfig) {})
	w.openAt("acme", "https://new.acme.test")
	require.NoError(t, w.providers.Replace(t.Context(), "acme", w.config("acme")))
	muxes, n := []http.Handler{w.mux, townMux(late)}, 0
	w.network.Handle(app, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		muxes[n%2].ServeHTTP(rw, r)
		n++
	}))
	page := w.browser.NewTab().Get(app + "/acme/")
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Contains(t, w.log.String(), "code=login_loop")
}
