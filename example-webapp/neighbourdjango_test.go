//go:build providers

package main_test

import (
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const djangoToolkitVersion = "3.4.1"

// djangoNeighbour takes no notice of max_age, and of is_active only where somebody signs in.
var djangoNeighbour = neighbour{
	name: "django-oauth-toolkit", version: djangoToolkitVersion + " with Django 5.2.19", start: startDjango,
	oddities: map[string]string{
		"API call":                     "501", // it has introspection, but its metadata don't say where
		"step-up after two minutes":    "403 /auth/callback, not asked",
		"logout from behind":           absent,
		"refresh of a disabled user":   "200",
		"a page after that, as before": "200",
	},
}

func startDjango(t *testing.T, base string) *visited {
	t.Helper()
	folder := packages(t, "django-oauth-toolkit-"+djangoToolkitVersion, "sh", "-c",
		"python3 -m venv . && bin/pip install -q Django==5.2.19 oauthlib==4.0.1 django-oauth-toolkit=="+djangoToolkitVersion)
	script, err := filepath.Abs(filepath.Join("e2e", "neighbours", "django-oauth-toolkit.py"))
	require.NoError(t, err)
	port, data := freePort(t), t.TempDir()
	origin := "http://127.0.0.1:" + port
	p := &background{t: t, up: origin + "/login", make: func() *exec.Cmd {
		return exec.Command(filepath.Join(folder, "bin", "python"), script, port, data, base)
	}}
	p.run()
	control := func(name string) func() {
		return func() { ask(t, http.MethodPost, origin+"/control/"+name, "", "") }
	}
	return &visited{
		issuer: origin + "/o", id: "app", secret: "a secret", env: []string{"OIDC_SCOPES", "openid profile email"},
		signIn: func(b *browser) {
			values := hidden(b.page.body)
			values.Set("username", "alice")
			values.Set("password", "pw")
			b.submitHere(values)
		},
		rotate: control("rotate"), restart: p.again, disable: control("disable"),
	}
}

// submitHere sends the form of a page that names no other address for it.
func (b *browser) submitHere(values url.Values) {
	b.t.Helper()
	b.navigate(http.MethodPost, b.page.url.String(), values, b.page.url.Scheme+"://"+b.page.url.Host)
}
