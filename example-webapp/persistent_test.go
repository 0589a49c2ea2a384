package main_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// cookieNotes keep what servers set.
type cookieNotes struct{ set []*http.Cookie }

func (n *cookieNotes) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		n.set = append(n.set, resp.Cookies()...)
	}
	return resp, err
}

func TestCookiesEndWithTheBrowserWhereThatIsConfigured(t *testing.T) {
	for _, store := range []string{"cookie", "memory"} {
		for value, persistent := range map[string]bool{"": true, "true": true, "false": false} {
			t.Run(store+", "+value, func(t *testing.T) {
				a := startApp(t, "SESSION_STORE", store, "SESSION_PERSISTENT", value)
				b := newBrowser(t)
				noted := new(cookieNotes)
				b.client.Transport = noted
				b.open(a.base + "/profile")
				b.signIn("alice", devUsers()["alice"])
				found := false
				for _, c := range noted.set {
					if c.Name == "__Host-session" && c.MaxAge >= 0 {
						found = true
						require.Equal(t, persistent, c.MaxAge > 0, c.Raw)
					}
				}
				require.True(t, found)
				b.requireHere(a, true)
			})
		}
	}
}
