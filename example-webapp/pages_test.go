package main_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/signet-go/signet/example-webapp"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func TestTimesOnPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tests := []struct {
			from time.Duration
			want string
		}{
			{59 * time.Second, "59 s"}, {-59 * time.Second, "59 s"}, {time.Minute, "1 min"}, {119 * time.Second, "1 min"},
			{time.Hour, "1 h 0 min"}, {12*time.Hour + 90*time.Second, "12 h 1 min"},
		}
		for _, tt := range tests {
			require.Equal(t, tt.want, main.Span(time.Now().Add(tt.from)), "%s", tt.from)
		}
		require.True(t, main.Past(time.Now()), "what expires now is expired")
		require.False(t, main.Past(time.Now().Add(1)))
		east := time.Date(2026, 7, 1, 1, 0, 0, 0, time.FixedZone("", 2*60*60))
		require.Equal(t, "2026-06-30T23:00:00Z", main.Stamp(east))
	})
}

func TestClaimRows(t *testing.T) {
	tests := []struct {
		name, object string
		want         []string
	}{
		{"in the order of the token", `{"b":"2","a":"1"}`, []string{"b", "2", "a", "1"}},
		{"objects and lists as JSON", `{"l":["x",1],"o":{"k":null}}`, []string{"l", `["x",1]`, "o", `{"k":null}`}},
		{"numbers to their last digit", `{"n":12345678901234567890,"f":1.10}`, []string{"n", "12345678901234567890", "f", "1.10"}},
		{"null and booleans", `{"a":null,"b":true}`, []string{"a", "", "b", "true"}},
		{"no claims", `{}`, nil},
		{"not an object", `["a"]`, nil},
		{"nothing", ``, nil},
		{"broken in the middle", `{"a":"1","b":`, []string{"a", "1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, main.ClaimRows(tt.object)) })
	}
}

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
