package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/session"
)

// deployed are the replicas of deploy/compose.yaml, each with its environment.
func deployed(t *testing.T) map[string]map[string]string {
	t.Helper()
	var compose struct {
		Services map[string]struct {
			Image       string            `yaml:"image"`
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
	}
	text, err := os.ReadFile("deploy/compose.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &compose))
	replicas := map[string]map[string]string{}
	for name, service := range compose.Services {
		if service.Image == "signet-example" {
			replicas[name] = service.Environment
		}
	}
	require.Len(t, replicas, 2)
	return replicas
}

func TestTheComposedReplicasAreConfigured(t *testing.T) {
	nginx, err := os.ReadFile("deploy/nginx.conf")
	require.NoError(t, err)
	text, err := os.ReadFile("deploy/README.md")
	require.NoError(t, err)
	readme := string(text)
	require.Contains(t, readme, "export SESSION_KEYS=", "every command of docker compose wants it, not the first alone")
	for name, environment := range deployed(t) {
		require.Contains(t, environment["SESSION_KEYS"], "${SESSION_KEYS:?", "everybody makes keys of their own")
		environment["SESSION_KEYS"] = session.NewKey()
		c, err := settings.Parse(func(variable string) string { return environment[variable] })
		require.NoError(t, err, name)
		require.False(t, c.Embedded)
		require.Contains(t, string(nginx), "server "+environment["ADDR"]+" ", "the proxy knows %s", name)
		require.Contains(t, readme, "http://"+environment["ADDR"]+"/readyz", "an operator is told how to ask %s", name)
		require.Contains(t, readme, "http://"+c.AdminAddr+"/metrics", "an operator is told where the figures of %s are", name)
	}
}

func TestTheImportedRealmKnowsTheComposedApplication(t *testing.T) {
	var realm struct {
		Realm   string
		Clients []struct {
			ClientID, Secret string
			RedirectURIs     []string
			Attributes       map[string]string
		}
	}
	text, err := os.ReadFile("deploy/realm.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &realm))
	require.Len(t, realm.Clients, 1)
	client := realm.Clients[0]
	for _, environment := range deployed(t) {
		require.True(t, strings.HasSuffix(environment["OIDC_ISSUER"], "/realms/"+realm.Realm))
		require.Equal(t, environment["OIDC_CLIENT_ID"], client.ClientID)
		require.Equal(t, environment["OIDC_CLIENT_SECRET"], client.Secret)
		require.Equal(t, []string{environment["BASE_URL"] + "/auth/callback"}, client.RedirectURIs)
		require.Equal(t, environment["BASE_URL"]+"/auth/signed-out", client.Attributes["post.logout.redirect.uris"])
		require.Equal(t, environment["BASE_URL"]+"/auth/backchannel-logout", client.Attributes["backchannel.logout.url"])
	}
}

// The proxy's own file, at ports of this test's: a replica that is gone costs nobody a request.
func TestTheProxyGoesOnWithoutAReplica(t *testing.T) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		skip(t, "nginx is not installed")
	}
	replica := func() *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(r.Host)) }))
	}
	first, second := replica(), replica()
	defer second.Close()
	front, keycloak := freePort(t), freePort(t)
	text, err := os.ReadFile("deploy/nginx.conf")
	require.NoError(t, err)
	dir := t.TempDir()
	config := strings.NewReplacer(
		"127.0.0.1:8082", strings.TrimPrefix(first.URL, "http://"), "127.0.0.1:8083", strings.TrimPrefix(second.URL, "http://"),
		"listen 8080", "listen 127.0.0.1:"+front, "listen 8081", "listen 127.0.0.1:"+keycloak, "/dev/stderr", "stderr",
		"http {", "http { client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;",
	).Replace(string(text))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600))
	nginx := exec.Command(path, "-c", filepath.Join(dir, "nginx.conf"), "-p", dir, "-g", "daemon off; pid pid;")
	said := &output{}
	nginx.Stdout, nginx.Stderr = said, said
	require.NoError(t, nginx.Start())
	t.Cleanup(func() {
		_ = nginx.Process.Signal(os.Interrupt)
		_ = nginx.Wait()
	})
	get := func() int {
		req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+front+"/profile", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Cookie", "__Host-session="+strings.Repeat("a", 14<<10)) // as large as sessions get
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	require.Eventually(t, func() bool { return get() == http.StatusOK }, patience, 10*time.Millisecond, "nginx did not start:\n%s", said)
	first.Close()
	for range 20 {
		require.Equal(t, http.StatusOK, get())
	}

	// A rolling update: the next replica goes as soon as the last one is back.
	again, err := net.Listen("tcp", strings.TrimPrefix(first.URL, "http://"))
	require.NoError(t, err)
	third := &httptest.Server{Listener: again, Config: &http.Server{Handler: first.Config.Handler}}
	third.Start()
	defer third.Close()
	second.Close()
	for range 20 {
		require.Equal(t, http.StatusOK, get())
	}
}

// Only the variables of the Kubernetes manifest that are no secrets can be tried here; secrets are named, not written.
func TestTheKubernetesManifestIsConfigured(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Skip("the documentation is not here")
	}
	block := regexp.MustCompile("(?s)## Kubernetes.*?```yaml\n(.*?)```").FindSubmatch(page)
	require.NotNil(t, block)
	decoder := yaml.NewDecoder(strings.NewReader(string(block[1])))
	var deployment struct {
		Kind string
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Ports []struct {
							ContainerPort int `yaml:"containerPort"`
						}
						Env []struct {
							Name, Value string
							ValueFrom   struct {
								SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
							} `yaml:"valueFrom"`
						}
					}
				}
			}
		}
	}
	require.NoError(t, decoder.Decode(&deployment))
	require.Equal(t, "Deployment", deployment.Kind)
	require.Len(t, deployment.Spec.Template.Spec.Containers, 1)
	environment := map[string]string{}
	var secret []string
	for _, variable := range deployment.Spec.Template.Spec.Containers[0].Env {
		environment[variable.Name] = variable.Value
		if variable.ValueFrom.SecretKeyRef.Key != "" {
			secret = append(secret, variable.Name)
			environment[variable.Name] = map[string]string{"SESSION_KEYS": session.NewKey(), "REDIS_URL": "redis://127.0.0.1:6379"}[variable.Name]
		}
	}
	slices.Sort(secret)
	require.Equal(t, []string{"OIDC_CLIENT_SECRET", "REDIS_URL", "SESSION_KEYS"}, secret)
	environment["OIDC_CLIENT_SECRET"] = "a-secret"
	c, err := settings.Parse(func(variable string) string { return environment[variable] })
	require.NoError(t, err)
	var ports []string
	for _, port := range deployment.Spec.Template.Spec.Containers[0].Ports {
		ports = append(ports, fmt.Sprintf("0.0.0.0:%d", port.ContainerPort))
	}
	require.Equal(t, []string{environment["ADDR"], c.AdminAddr}, ports)
}

// What the README says of the image's size is most of all the binary's.
func TestTheImageIsAsLargeAsItsPageSays(t *testing.T) {
	if testing.Short() {
		t.Skip("links the example once more")
	}
	text, err := os.ReadFile("deploy/README.md")
	require.NoError(t, err)
	said := regexp.MustCompile(`(?:some|about) (\d+) MB`).FindSubmatch(text)
	require.NotNil(t, said)
	megabytes, err := strconv.Atoi(string(said[1]))
	require.NoError(t, err)
	binary := filepath.Join(t.TempDir(), "example-webapp")
	out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	info, err := os.Stat(binary)
	require.NoError(t, err)
	require.InEpsilon(t, megabytes, float64(info.Size())/1e6, 0.15)
}
