//go:build providers

package main_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// npmNeighbour keeps everything in memory: whoever was signed in before its restart has to do so again.
var npmNeighbour = neighbour{
	name: "oidc-provider", version: "9.13.3, as package-lock.json has it", start: startNPMNeighbour,
	oddities: map[string]string{"refresh after a restart": "401"},
}

func startNPMNeighbour(t *testing.T, base string) *visited {
	t.Helper()
	port := freePort(t)
	issuer := "http://127.0.0.1:" + port
	config, err := json.Marshal(map[string]any{"host": "127.0.0.1", "port": json.Number(port), "clients": []any{map[string]any{
		"client_id": "app", "client_secret": "a secret", "redirect_uris": []string{base + "/auth/callback"},
		"post_logout_redirect_uris": []string{base + "/auth/signed-out"}, "backchannel_logout_uri": base + "/auth/backchannel-logout",
		"backchannel_logout_session_required": true,
	}}})
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join("e2e", "node_modules", "oidc-provider")); err != nil {
		t.Skip("npm's packages are missing: run npm ci in example-webapp/e2e")
	}
	p := &background{t: t, up: issuer + "/.well-known/openid-configuration", make: func() *exec.Cmd {
		c := exec.Command("node", "provider.mjs", string(config))
		c.Dir = "e2e"
		_, err := c.StdinPipe() // it ends with its parent
		require.NoError(t, err)
		return c
	}}
	p.run()
	control := func(method, path, body string) {
		ask(t, method, issuer+"/control/"+path, "application/json", body)
	}
	return &visited{
		issuer: issuer, id: "app", secret: "a secret", env: []string{"OIDC_PROMPT", "consent"},
		signIn: func(b *browser) {
			for range 3 {
				switch {
				case b.page.url.Port() != port:
					return
				case strings.Contains(b.page.body, "/login"):
					b.submit("/login", url.Values{"login": {"alice"}, "password": {"alice"}})
				case strings.Contains(b.page.body, "/consent"):
					b.submit("/consent", nil)
				}
			}
		},
		signOut: func(b *browser) {
			values := hidden(b.page.body)
			values.Set("logout", "yes")
			b.submit("/session/end/confirm", values)
		},
		rotate:  func() { control(http.MethodPost, "rotate-keys", "") },
		restart: p.again,
		disable: func() { control(http.MethodPost, "disable", `{"sub":"alice"}`) },
		logOut:  func() { control(http.MethodPost, "backchannel-logout", `{"client_id":"app","sub":"alice"}`) },
	}
}

// betterAuthNeighbour has no logout from behind and no switch for users: who is deleted is gone.
var betterAuthNeighbour = neighbour{
	name: "better-auth", version: "1.7.25 with @better-auth/oauth-provider 1.7.5", start: startBetterAuth,
	oddities: map[string]string{"logout from behind": absent},
}

func startBetterAuth(t *testing.T, base string) *visited {
	t.Helper()
	folder := packages(t, "better-auth-1.7.25", "sh", "-c", "npm init -y && npm install --no-audit --no-fund --legacy-peer-deps "+
		"better-auth@1.7.25 @better-auth/oauth-provider@1.7.5 better-sqlite3")
	script, err := os.ReadFile(filepath.Join("e2e", "neighbours", "better-auth.mjs"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "better-auth.mjs"), script, 0o600)) // beside its packages
	port, database := freePort(t), filepath.Join(t.TempDir(), "database")
	origin := "http://127.0.0.1:" + port
	p := &background{t: t, up: origin + "/control/client", make: func() *exec.Cmd {
		c := exec.Command("node", "better-auth.mjs", port, database, base)
		c.Dir = folder
		return c
	}}
	p.run()
	var client struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	require.NoError(t, json.Unmarshal([]byte(ask(t, http.MethodGet, origin+"/control/client", "", "")), &client))
	return &visited{
		issuer: origin + "/api/auth", id: client.ID, secret: client.Secret,
		signIn: func(b *browser) {
			req, err := http.NewRequest(http.MethodPost, origin+"/api/auth/sign-in/email", strings.NewReader(`{"email":"alice@example.test","password":"password123"}`))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Origin", origin)
			back := b.page.url.String()
			b.show(req, nil)
			require.Equal(t, http.StatusOK, b.page.status, b.page.body)
			b.open(strings.Replace(back, "/sign-in?", "/api/auth/oauth2/authorize?", 1))
		},
		rotate:  func() { ask(t, http.MethodPost, origin+"/control/rotate", "", "") },
		restart: p.again,
		disable: func() { ask(t, http.MethodPost, origin+"/control/disable", "", "") },
	}
}
