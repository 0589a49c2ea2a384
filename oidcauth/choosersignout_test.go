package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// inEachOffering is inEachTown with acme and bolt offered, at providers that know their users still when those have signed
// out here.
func inEachOffering(t *testing.T, f func(t *testing.T, w *town), configure ...func(*oidcauth.ProvidersConfig)) {
	t.Helper()
	for name, mode := range townModes {
		t.Run(name, func(t *testing.T) {
			w := offering(t, append(configure, mode)...)
			for _, idp := range w.idps {
				idp.BendMetadata(func(o *oidcauthtest.Object) { o.Delete("end_session_endpoint") })
			}
			f(t, w)
		})
	}
}

// signOut signs out by the form of a page of the application's.
func (w *town) signOut(route string) {
	w.Helper()
	tab := w.browser.NewTab()
	tab.Get(app + "/")
	require.NoError(w, tab.Post(app+route, nil).Err)
	require.Nil(w, w.user())
}

// loseSession takes the session from the browser, as its end does.
func (w *town) loseSession() {
	w.browser.DeleteCookie(app, "__Host-session")
	require.Nil(w, w.user())
}

func TestNobodyWhoHasSignedOutIsSignedInAgainUnasked(t *testing.T) {
	for _, route := range []string{"/auth/logout", "/auth/bolt/logout"} {
		t.Run(route, func(t *testing.T) {
			inEachOffering(t, func(t *testing.T, w *town) {
				w.signIn("bolt")
				w.signOut(route)
				page := w.get("/any")
				require.Equal(t, http.StatusOK, page.Status)
				require.Contains(t, page.Body, chooserLink("acme", "/any"))
				require.Less(t, strings.Index(page.Body, chooserLink("bolt", "/any")), strings.Index(page.Body, chooserLink("acme", "/any")), "still the first")
				require.Nil(t, w.user())

				w.get("/auth/bolt/login")
				require.Equal(t, "bolt", w.user().Provider, "who asks for it is signed in")
				w.loseSession()
				require.Equal(t, http.StatusOK, w.get("/any").Status)
				require.Equal(t, "bolt", w.user().Provider, "and comes back there again")
			})
		})
	}
}

func TestASessionThatTheUserDidNotEndComesBackByItself(t *testing.T) {
	for name, end := range map[string]func(w *town){
		"it was lost": func(w *town) { w.loseSession() },
		"its provider was replaced by another": func(w *town) {
			w.openAt("bolt", "https://new.bolt.test")
			require.NoError(w, w.providers.Replace(w.Context(), "bolt", w.config("bolt")))
			require.Nil(w, w.user())
		},
		"its provider was away for a while": func(w *town) {
			require.NoError(w, w.providers.Remove(w.Context(), "bolt"))
			require.Nil(w, w.user())
			require.Contains(w, w.get("/any").Body, chooserLink("acme", "/any"), "where it is gone, another is chosen")
			require.NoError(w, w.providers.Add("bolt", w.config("bolt")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inEachOffering(t, func(t *testing.T, w *town) {
				w.signIn("bolt")
				end(w)
				require.Equal(t, http.StatusOK, w.get("/any").Status)
				require.Equal(t, "bolt", w.user().Provider)
			})
		})
	}
}

// TestWhoeverSignsOutOfASessionThatIsOverChoosesToo: a page that has stood for a night has a button to sign out still.
func TestWhoeverSignsOutOfASessionThatIsOverChoosesToo(t *testing.T) {
	inEachOffering(t, func(t *testing.T, w *town) {
		w.signIn("bolt")
		w.loseSession()
		w.signOut("/auth/logout")
		require.Contains(t, w.get("/any").Body, chooserLink("acme", "/any"))
		require.Nil(t, w.user())
	})
}

func TestSigningOutRemembersNoMoreThanWasThere(t *testing.T) {
	w := offering(t)
	for _, value := range []string{"", "../x", "bolt.signed-out", strings.Repeat("a", 64)} {
		r := httptest.NewRequest(http.MethodPost, app+"/auth/logout", nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if value != "" {
			r.Header.Set("Cookie", "__Host-session-provider="+value)
		}
		answer := httptest.NewRecorder()
		w.mux.ServeHTTP(answer, r)
		require.NotContains(t, strings.Join(answer.Header().Values("Set-Cookie"), "\n"), "-provider=", value)
	}
}

// TestTheProviderOfLastTimeIsShownWhereItIsNotOffered: else whoever has signed out there would find no way back.
func TestTheProviderOfLastTimeIsShownWhereItIsNotOffered(t *testing.T) {
	w := offering(t)
	w.mux.Handle("/cove/", w.providers.Require("cove")(http.HandlerFunc(writeUser)))
	w.signIn("cove")
	w.signOut("/auth/logout")
	page := w.get("/any")
	require.Contains(t, page.Body, chooserLink("cove", "/any"))
	require.Contains(t, page.Body, chooserLink("bolt", "/any"))
	require.NoError(t, w.providers.Remove(t.Context(), "cove"))
	require.NotContains(t, w.get("/any").Body, "cove", "while it is there")
}

// TestAGuardOfOneProviderAsksNobodyToChoose: nor does the application's own choice. There the provider says whether it asks.
func TestAGuardOfOneProviderAsksNobodyToChoose(t *testing.T) {
	inEachOffering(t, func(t *testing.T, w *town) {
		w.signIn("bolt")
		w.signOut("/auth/logout")
		require.Equal(t, app+"/bolt/", w.get("/bolt/").URL)
		require.Equal(t, "bolt", w.user().Provider)
	})
}
