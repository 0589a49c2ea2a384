//go:build providers

package main_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// springNeighbour keeps keys, clients, logins and tokens in memory. It takes no notice of max_age, and looks after the user only where
// somebody signs in.
var springNeighbour = neighbour{
	name: "Spring Authorization Server", version: "7.0.6 with Spring Boot 4.0.7", start: startSpring,
	oddities: map[string]string{
		"API call":                     "401", // its access tokens are for the client, and say nothing that an ID token could not
		"step-up after two minutes":    "403 /auth/callback, not asked",
		"logout from behind":           absent,
		"refresh after a restart":      "401",
		"refresh of a disabled user":   "200",
		"a page after that, as before": "200",
	},
}

func startSpring(t *testing.T, base string) *visited {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("Java is not installed")
	}
	source, err := filepath.Abs(filepath.Join("e2e", "neighbours", "spring"))
	require.NoError(t, err)
	folder := packages(t, "spring-boot-4.0.7", "sh", "-c", `cp -r "$0"/. . && mvn -q -B package`, source)
	jar := filepath.Join(folder, "target", "spring.jar")
	port := freePort(t)
	origin := "http://127.0.0.1:" + port
	p := &background{t: t, up: origin + "/login", make: func() *exec.Cmd {
		return exec.Command("java", "-Xmx256m", "-jar", jar, "--server.address=127.0.0.1", "--server.port="+port, "--issuer="+origin, "--app="+base)
	}}
	p.run()
	control := func(name string) func() {
		return func() { ask(t, http.MethodPost, origin+"/control/"+name, "", "") }
	}
	return &visited{
		issuer: origin, id: "app", secret: "a secret", env: []string{"OIDC_SCOPES", "openid profile email"},
		signIn: func(b *browser) {
			values := hidden(b.page.body)
			values.Set("username", "alice")
			values.Set("password", "pw")
			b.submit("/login", values)
		},
		rotate: control("rotate"), restart: p.again, disable: control("disable"),
	}
}
