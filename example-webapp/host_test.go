package main_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHostNames(t *testing.T) {
	a := startApp(t)
	own := mustParse(t, a.base).Host
	tests := []struct {
		name, host string
		status     int
	}{
		{"BASE_URL's", own, 200},
		{"BASE_URL's in other letters", "LOCALHOST:" + mustParse(t, a.base).Port(), 200},
		{"localhost without the port", "localhost", 200},
		{"a loopback address", "127.0.0.1:9", 200},
		{"another address of the machine", "192.0.2.7:8080", 200},
		{"an IPv6 address", "[::1]:8080", 200},
		{"an IPv6 address without a port", "[2001:db8::1]", 200},
		{"a name that begins like ours", own + ".evil.example", 421},
		{"a name that ends like ours", "evil.example.localhost", 421},
		{"a foreign name with our port", "evil.example:" + mustParse(t, a.base).Port(), 421},
		{"a name that looks like an address", "127.0.0.1.evil.example", 421},
		{"an address in another writing", "0x7f.1", 421},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodGet, a.base+"/", nil)
			require.NoError(t, err)
			req.Host = tt.host
			b := newBrowser(t)
			b.show(req, nil)
			require.Equal(t, tt.status, b.page.status, b.page.body)
			require.NotContains(t, b.page.body, "evil")
		})
	}
}

func TestNoAddressIsMadeOfTheRequests(t *testing.T) {
	a := startApp(t, "OIDC_PAR", "off")
	for _, header := range []string{"Host", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "Forwarded", "X-Original-URL", "X-Rewrite-URL"} {
		t.Run(header, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodGet, a.base+"/profile", nil)
			require.NoError(t, err)
			req.Header.Set("Accept", "text/html")
			req.Header.Set(header, "192.0.2.7")
			if header == "Host" {
				req.Host = "192.0.2.7"
			}
			b := newBrowser(t)
			b.show(req, nil)
			require.Equal(t, http.StatusSeeOther, b.page.status, b.page.body)
			target, err := url.Parse(b.page.header.Get("Location"))
			require.NoError(t, err)
			require.Equal(t, a.base+"/auth/callback", target.Query().Get("redirect_uri"))
			require.NotContains(t, target.String(), "192.0.2.7")
			require.Contains(t, b.page.header.Get("Set-Cookie"), "__Host-")
			require.Contains(t, b.page.header.Get("Set-Cookie"), "Secure")
		})
	}
}

func TestIdentityHeadersMeanNothing(t *testing.T) {
	a := startApp(t)
	for _, header := range []string{"X-User", "X-Forwarded-User", "X_Forwarded_User", "X-Auth-Request-User", "Remote-User", "Authorization"} {
		req, err := http.NewRequest(http.MethodGet, a.base+"/api/me", nil)
		require.NoError(t, err)
		req.Header.Set(header, "Bearer alice")
		b := newBrowser(t)
		b.show(req, nil)
		require.Equal(t, http.StatusUnauthorized, b.page.status, header)
	}
}
