package oidcauth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func TestARefreshTokenWithSpacesIsKeptAndSentAsItCame(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		var came string
		w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) {
			came = a.Text("refresh_token") + " and more"
			a.Set("refresh_token", came)
		})
		w.token("?force")
		want := came
		w.send(w.cookies(), "/token?force") // which the provider does not know any more
		require.Equal(t, want, w.provider.Last(oidcauthtest.TokenEndpoint).Form.Get("refresh_token"))
	})
}
