package oidcauth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// endSessionRequest signs the session of these cookies out, and returns the parameters for the provider.
func (w *world) endSessionRequest(cookies string) map[string][]string {
	w.Helper()
	return mustParsed(w.T, w.postLogout(cookies).Header().Get("Location")).Query()
}

func TestTheHintIsLeftOutOnceItsKeyHasLeftTheSet(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		first := w.cookies()
		time.Sleep(time.Second)
		w.browser.ClearCookies()
		w.provider.RotateKey()
		w.signIn() // which fetches the set, in which the first key is no more
		second := w.cookies()
		gone, stays := w.endSessionRequest(first), w.endSessionRequest(second)
		require.NotContains(t, gone, "id_token_hint")
		require.Equal(t, []string{"app"}, gone["client_id"], "it says who asks all the same")
		require.NotEmpty(t, gone["state"])
		require.Contains(t, stays, "id_token_hint")
	})
}

func TestTheHintStaysWhileItsKeyMayBeGood(t *testing.T) {
	for name, row := range map[string]func(w *world){
		"no new set was fetched": func(w *world) { w.provider.RotateKey() },
		"the old key is published still": func(w *world) {
			old := w.provider.Key().JWK()
			w.provider.RotateKey()
			w.provider.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object { return append(keys, old) })
		},
		"the set has keys without a kid": func(w *world) {
			w.provider.RotateKey()
			w.provider.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object { keys[0].Delete("kid"); return keys })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn()
			cookies := w.cookies()
			row(w)
			if name != "no new set was fetched" {
				w.browser.ClearCookies()
				w.signIn()
			}
			require.Contains(t, w.endSessionRequest(cookies), "id_token_hint")
		})
	}
}
