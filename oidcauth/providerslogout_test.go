package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// allowLogouts lets acme and bolt end sessions through both channels.
func (w *town) allowLogouts() {
	w.Helper()
	for _, name := range []string{"acme", "bolt"} {
		c := w.config(name)
		c.BackChannelLogout, c.FrontChannelLogout = true, true
		require.NoError(w, w.providers.Replace(w.Context(), name, c))
	}
}

// backChannel posts a logout token to the endpoint of the provider called name.
func (w *town) backChannel(name, token string) *httptest.ResponseRecorder {
	form := url.Values{"logout_token": {token}}
	r := httptest.NewRequest(http.MethodPost, app+"/auth/"+name+"/backchannel-logout", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	return answer
}

// frameAt loads a route of the provider called name in a frame of a page of its own, as a stranger.
func (w *town) frameAt(name, route string) {
	w.Helper()
	tab := oidcauthtest.NewBrowser(w.network).NewTab()
	tab.Show(w.idps[name].Issuer()+"/logout", "")
	page := tab.Frame(app + "/auth/" + name + route)
	require.NoError(w, page.Err)
	require.Equal(w, http.StatusOK, page.Status)
}
