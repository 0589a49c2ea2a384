package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// listing has logins listed, and the address recorded.
func listing(c *oidcauth.Config) {
	c.ListSessions = c.Session.Store != nil || c.Sessions != nil
	if c.ListSessions {
		c.RecordAddress = func(r *http.Request) string { return r.Header.Get("X-Test-Address") }
	}
}

// serveLists serves the list of whoever is signed in, and the end of one of it, as an application
// does.
func serveLists(mux *http.ServeMux, auth *oidcauth.Authenticator) {
	mux.Handle("/sessions", auth.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all, err := auth.Sessions().List(r.Context(), oidcauth.UserFrom(r.Context()).Tag())
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		_ = json.NewEncoder(w).Encode(all)
	})))
	mux.Handle("/end", auth.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := auth.Sessions().End(r.Context(), oidcauth.UserFrom(r.Context()).Tag(), r.URL.Query().Get("id"))
		switch {
		case errors.Is(err, session.ErrNoSession):
			w.WriteHeader(http.StatusNotFound)
		case err != nil:
			w.WriteHeader(http.StatusTeapot)
		}
	})))
}

func listOf(t *testing.T, b *oidcauthtest.Browser) (all []session.Listed) {
	t.Helper()
	page := b.NewTab().Get(app + "/sessions")
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	require.NoError(t, json.Unmarshal([]byte(page.Body), &all))
	return all
}

func TestLoginsAreListed(t *testing.T) {
	inEachStoredMode(t, func(t *testing.T, w *world) {
		serveLists(w.mux, w.auth)
		other := oidcauthtest.NewBrowser(w.network)
		other.Header = http.Header{"User-Agent": {"Phone/1.0"}, "X-Test-Address": {"192.0.2.7"}}
		require.Equal(t, http.StatusOK, other.Get(app+"/me").Status)
		all := listOf(t, w.browser)
		require.Len(t, all, 2)
		require.Equal(t, session.Place{Provider: w.provider.Issuer(), UserAgent: "Phone/1.0", Address: "192.0.2.7"}, all[0].Place)
		require.True(t, all[1].Current && !all[0].Current)
		require.Equal(t, http.StatusTeapot, oidcauthtest.NewBrowser(w.network).Get(app+"/end?id="+all[0].ID).Status, "nobody has no list")
		require.Equal(t, http.StatusNotFound, w.browser.Get(app+"/end?id=x").Status)
		require.Equal(t, http.StatusOK, w.browser.Get(app+"/end?id="+all[0].ID).Status)
		require.Equal(t, "null\n", other.NewTab().Get(app+"/").Body)
		require.NotNil(t, w.user())
		require.Len(t, listOf(t, w.browser), 1)
		require.Equal(t, http.StatusOK, w.browser.Get(app+"/end?id="+all[1].ID).Status)
		require.False(t, w.hasSession(), "its own cookie is taken away")
	}, listing)
}

func TestListsFollowLogoutsAndLogins(t *testing.T) {
	inEachStoredMode(t, func(t *testing.T, w *world) {
		serveLists(w.mux, w.auth)
		other := oidcauthtest.NewBrowser(w.network)
		other.Get(app + "/me")
		require.Len(t, listOf(t, w.browser), 2)
		other.Get(app + "/auth/login?return_to=/me")
		require.Len(t, listOf(t, w.browser), 2, "a login that takes the place of another")
		other.Get(app + "/")
		other.Post("/auth/logout", nil)
		require.Len(t, listOf(t, w.browser), 1)
		other.Get(app + "/me")
		require.NoError(t, w.auth.Sessions().Revoke(t.Context(), w.user().Tag()))
		time.Sleep(time.Second)
		w.browser.Get(app + "/me")
		require.Len(t, listOf(t, w.browser), 1, "of before, none lives")
	}, listing)
}

func TestUsersOfAnotherProviderWithTheSameSubSeeAndEndNothing(t *testing.T) {
	for _, name := range []string{"cookie", "server-side"} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, modes[name], listing)
			p.other.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: "alice"} })
			serveLists(p.mux, p.auth)
			p.signIn()
			namesake := oidcauthtest.NewBrowser(p.network)
			namesake.Get(app + "/b/login?return_to=/sessions")
			mine, theirs := listOf(t, p.browser), listOf(t, namesake)
			require.Len(t, mine, 1)
			require.Len(t, theirs, 1)
			require.Equal(t, p.other.Issuer(), theirs[0].Place.Provider)
			require.NotEqual(t, mine[0].ID, theirs[0].ID)
			require.Equal(t, http.StatusNotFound, namesake.Get(app+"/end?id="+mine[0].ID).Status)
			require.NotNil(t, p.user())
			require.Len(t, listOf(t, p.browser), 1)
		})
	}
}

func TestLoginThatIsRefusedIsInNoList(t *testing.T) {
	inEachStoredMode(t, func(t *testing.T, w *world) {
		serveLists(w.mux, w.auth)
		other := oidcauthtest.NewBrowser(w.network)
		other.Header = http.Header{"User-Agent": {"Phone/1.0"}}
		require.Equal(t, http.StatusForbidden, other.Get(app+"/me").Status)
		require.Len(t, listOf(t, w.browser), 1)
	}, listing, func(c *oidcauth.Config) {
		let := 1
		c.Hooks.Login = func(context.Context, *oidcauth.User) error {
			if let--; let < 0 {
				return errors.New("no")
			}
			return nil
		}
	})
}

func TestListNamesASessionTheSameAfterItIsBound(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		if !w.config.ListSessions {
			return
		}
		serveLists(w.mux, w.auth)
		alg := w.browser.DeviceAlg
		w.browser.DeviceAlg = ""
		w.signIn()
		before := listOf(t, w.browser)
		require.Len(t, before, 1)
		require.False(t, before[0].Bound)
		w.browser.DeviceAlg = alg
		require.Equal(t, http.StatusOK, w.browser.Get(app+"/me").Status)
		require.Len(t, w.browser.DeviceSessions(), 1)
		after := listOf(t, w.browser)
		require.Len(t, after, 1)
		require.True(t, after[0].Bound && after[0].Current)
		require.Equal(t, before[0].ID, after[0].ID)
		require.Equal(t, before[0].Place, after[0].Place)
		other := oidcauthtest.NewBrowser(w.network)
		other.Get(app + "/me")
		require.Equal(t, http.StatusOK, other.Get(app+"/end?id="+before[0].ID).Status)
		require.Nil(t, w.user())
	}, listing)
}

func TestWithoutListSessionsNothingIsKept(t *testing.T) {
	w := newWorld(t)
	serveLists(w.mux, w.auth)
	w.signIn()
	require.Empty(t, listOf(t, w.browser))
}

// A flushedStore can lose all that it holds, as a Redis without persistence does.
type flushedStore struct{ session.Store }

func TestASessionThatItsListHasLostComesBackWithItsProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &flushedStore{session.NewMemoryStore()}
		w := newWorld(t, func(c *oidcauth.Config) { c.Session.Store, c.ListSessions = store, true })
		serveLists(w.mux, w.auth)
		w.browser.Header = http.Header{"User-Agent": {"Phone/1.0"}}
		w.signIn()
		before := listOf(t, w.browser)
		require.Len(t, before, 1)

		store.Store = session.NewMemoryStore()
		time.Sleep(6 * time.Minute) // a use is told to the list now and then
		require.NotNil(t, w.user())
		after := listOf(t, w.browser)
		require.Len(t, after, 1)
		require.Equal(t, session.Place{Provider: w.provider.Issuer(), UserAgent: "Phone/1.0"}, after[0].Place)
		require.Equal(t, before[0].ID, after[0].ID)
	})
}
