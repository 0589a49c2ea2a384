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

const keycloakVersion = "26.7.3"

var keycloakNeighbour = neighbour{name: "Keycloak", version: keycloakVersion, start: startKeycloak}

// A keycloak is Keycloak with a database in files, as its administrator sees it.
type keycloak struct {
	background
	base string
}

func startKeycloak(t *testing.T, base string) *visited {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("Java is not installed")
	}
	zip := "keycloak-quarkus-dist-" + keycloakVersion + ".zip"
	folder := packages(t, "keycloak-"+keycloakVersion, "sh", "-c",
		"mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact=org.keycloak:keycloak-quarkus-dist:"+keycloakVersion+
			":zip -DoutputDirectory=. && unzip -q "+zip+" && rm "+zip)
	home := t.TempDir() // it writes into its own folder
	require.NoError(t, os.CopyFS(home, os.DirFS(filepath.Join(folder, "keycloak-"+keycloakVersion))))
	port := freePort(t)
	k := &keycloak{base: "http://127.0.0.1:" + port}
	k.background = background{t: t, up: k.base + "/realms/master", make: func() *exec.Cmd {
		c := exec.Command("java", "-version")
		if path, err := exec.LookPath("sh"); err == nil {
			c = exec.Command(path, "-c", "exec bin/kc.sh start-dev --http-host=127.0.0.1 --http-port="+port+" --cache=local")
		}
		c.Dir = home
		c.Env = append(os.Environ(), "JAVA_OPTS=-Xmx512m", "KC_BOOTSTRAP_ADMIN_USERNAME=admin", "KC_BOOTSTRAP_ADMIN_PASSWORD=admin", "KC_RUN_IN_CONTAINER=true")
		return c
	}}
	k.run()
	k.admin(http.MethodPost, "", map[string]any{
		"realm": "r", "enabled": true, "sslRequired": "none", "revokeRefreshToken": true, "refreshTokenMaxReuse": 0,
		"users": []any{map[string]any{
			"username": "alice", "enabled": true, "email": "alice@example.test", "emailVerified": true, "firstName": "Alice", "lastName": "Adams",
			"credentials": []any{map[string]any{"type": "password", "value": "pw"}},
		}},
		"clients": []any{map[string]any{
			"clientId": "app", "secret": "a secret", "redirectUris": []string{base + "/auth/callback"},
			"attributes": map[string]string{
				"post.logout.redirect.uris": base + "/auth/signed-out", "backchannel.logout.url": base + "/auth/backchannel-logout",
				"backchannel.logout.session.required": "true",
			},
		}},
	})
	return &visited{
		issuer: k.base + "/realms/r", id: "app", secret: "a secret", env: []string{"OIDC_SCOPES", "openid profile email"},
		signIn:  k.signIn,
		rotate:  k.rotate,
		restart: k.again,
		disable: func() { k.admin(http.MethodPut, "/r/users/"+k.alice(), map[string]any{"enabled": false}) },
		logOut:  func() { k.admin(http.MethodPost, "/r/users/"+k.alice()+"/logout", nil) },
	}
}

func (k *keycloak) signIn(b *browser) {
	k.t.Helper()
	values := url.Values{"password": {"pw"}}
	if strings.Contains(b.page.body, `name="username"`) {
		values.Set("username", "alice")
	}
	b.submit("/login-actions/authenticate", values)
}

// admin is a call of the administration's, with a token of its own.
func (k *keycloak) admin(method, path string, body any) string {
	k.t.Helper()
	var token struct {
		Access string `json:"access_token"`
	}
	answer := ask(k.t, http.MethodPost, k.base+"/realms/master/protocol/openid-connect/token", "application/x-www-form-urlencoded",
		form("grant_type", "password", "client_id", "admin-cli", "username", "admin", "password", "admin"))
	require.NoError(k.t, json.Unmarshal([]byte(answer), &token))
	raw := []byte{}
	if body != nil {
		var err error
		raw, err = json.Marshal(body)
		require.NoError(k.t, err)
	}
	return ask(k.t, method, k.base+"/admin/realms"+path, "application/json", string(raw), "Authorization", "Bearer "+token.Access)
}

func (k *keycloak) alice() string {
	k.t.Helper()
	var found []struct {
		ID string `json:"id"`
	}
	require.NoError(k.t, json.Unmarshal([]byte(k.admin(http.MethodGet, "/r/users?username=alice&exact=true", nil)), &found))
	require.Len(k.t, found, 1)
	return found[0].ID
}

// rotate makes a key that is preferred to the one before.
func (k *keycloak) rotate() {
	k.t.Helper()
	k.admin(http.MethodPost, "/r/components", map[string]any{
		"name": "new", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
		"config": map[string]any{"priority": []string{"200"}, "enabled": []string{"true"}, "active": []string{"true"}, "algorithm": []string{"RS256"}},
	})
}
