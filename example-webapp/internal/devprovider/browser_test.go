package devprovider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// A browser is at the provider, which it reaches by real sockets, and sees nothing of the app but
// the response that a redirect brought there.
type browser struct {
	*oidcauthtest.Browser

	t       *testing.T
	page    *oidcauthtest.Page
	brought url.Values
}

func newBrowser(t *testing.T) *browser {
	b, network := &browser{t: t}, oidcauthtest.NewNetwork()
	network.Fallback = http.DefaultTransport
	network.Handle(nowhere, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { b.brought = r.URL.Query() }))
	b.Browser = oidcauthtest.NewBrowser(network)
	return b
}

// open is an address typed into the address bar.
func (b *browser) open(address string) *oidcauthtest.Page {
	b.page = b.Get(address)
	return b.page
}

// submit fills in the form on the page whose action holds the given text, and sends it.
func (b *browser) submit(action string, values url.Values) *oidcauthtest.Page {
	b.t.Helper()
	for _, form := range b.page.Forms() {
		if strings.Contains(form.Action, action) {
			if b.Page() != b.page {
				b.Show(b.page.URL, b.page.Body) // the page that a test went back to
			}
			b.page = b.Post(form.Action, values)
			return b.page
		}
	}
	require.Failf(b.t, "no such form", "want a form to %q on\n%s", action, b.page.Body)
	return nil
}

// signIn sends the provider's sign-in form.
func (b *browser) signIn(username, password string) *oidcauthtest.Page {
	b.t.Helper()
	return b.submit("/authorize/", url.Values{"username": {username}, "password": {password}, "action": {"sign-in"}})
}
