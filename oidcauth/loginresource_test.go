package oidcauth_test

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func TestTheResourceOfALoginIsAskedForUntilItsEnd(t *testing.T) {
	const configured, own = "https://configured.example.test", "https://own.example.test"
	for name, row := range map[string]struct {
		option, want []string
	}{
		"the configuration's without an option":    {nil, []string{configured}},
		"the option's in place of the configured":  {[]string{own}, []string{own}},
		"none where the option is an empty list":   {[]string{}, nil},
		"several of the option's, in their order":  {[]string{own, configured}, []string{own, configured}},
		"the option's that is the configured, too": {[]string{configured}, []string{configured}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t, func(c *oidcauth.Config) { c.Login.Resource = []string{configured} })
				w.mux.HandleFunc("/sign-in", func(rw http.ResponseWriter, r *http.Request) {
					w.auth.Login(rw, r, oidcauth.LoginOptions{Resource: row.option})
				})
				require.Equal(t, http.StatusOK, w.browser.Get(app+"/sign-in").Status)
				require.Equal(t, row.want, w.authenticationRequest()["resource"])
				require.Equal(t, row.want, w.provider.Last(oidcauthtest.TokenEndpoint).Form["resource"])

				time.Sleep(11 * time.Minute)
				w.token("")
				require.Equal(t, 1, w.refreshes())
				require.Equal(t, row.want, w.provider.Last(oidcauthtest.TokenEndpoint).Form["resource"])
				w.token("?" + url.Values{"resource": row.want}.Encode())
				require.Equal(t, 1, w.refreshes(), "the login's own token was at hand")
			})
		})
	}
}
