package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func TestClaimsAreShownAsText(t *testing.T) {
	a, p := startAt(t)
	p.BendIDToken(func(token *oidcauthtest.Token) {
		token.Claims.Set("name", `<script>alert(1)</script>`)
		token.Claims.Set("email", `"><img src=x onerror=alert(1)>`)
		token.Claims.Set("roles", []string{`<b>admin</b>`})
		token.Claims.Set(`<i>claim</i>`, `</table><h1>gone</h1>`)
		token.Claims.Set("link", "javascript:alert(1)")
	})
	p.Configure(func(s *oidcauthtest.Settings) { s.User.Claims = nil })
	b := signedInAt(t, a)
	for _, path := range []string{"/", "/profile", "/api-calls", "/stepup"} {
		t.Run(path, func(t *testing.T) {
			body := b.Get(a.base + path).Body
			require.Contains(t, body, "&lt;script&gt;alert(1)")
			for _, markup := range []string{"<script>", "<img src=x", "<b>admin", "<i>claim", "<h1>gone", `href="javascript`} {
				require.NotContains(t, body, markup)
			}
		})
	}
}

func TestOnlyTheProfileRunsAScript(t *testing.T) {
	a := startApp(t)
	b := a.signedIn("alice")
	for _, path := range []string{"/", "/profile", "/admin", "/stepup", "/api-calls", "/errors", "/errors/forbidden", "/nothing", "/auth/logout"} {
		p := b.open(a.base + path)
		scripts := strings.Count(p.body, "<script")
		if path == "/profile" {
			require.Equal(t, 1, scripts)
			require.Contains(t, p.header.Get("Content-Security-Policy"), "script-src 'self'")
			continue
		}
		require.Zero(t, scripts, path)
		require.NotContains(t, p.header.Get("Content-Security-Policy"), "script-src", path)
	}
}
