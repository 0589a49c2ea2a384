package examples_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A service is a running tenants.
type service struct {
	*testing.T
	app, demo string // origins
	file      string
}

func newService(t *testing.T) *service {
	t.Helper()
	app, demo := freeAddress(t, "localhost"), freeAddress(t, "127.0.0.1")
	s := &service{T: t, app: "http://" + app, demo: "http://" + demo, file: filepath.Join(t.TempDir(), "tenants.json")}
	serve(t, "tenants", app, "DEMO_LISTEN="+demo, "TENANTS="+s.file, "SESSION_KEYS="+session.NewKey())
	return s
}

// browser is somebody's, who opens a path first.
func (s *service) browser(path string) *oidcauthtest.Browser {
	s.Helper()
	b := oidcauthtest.NewBrowser(nil)
	page := b.Get(s.app + path)
	require.NoError(s, page.Err)
	return b
}

// at is who somebody is, by the page of a name.
func (s *service) at(name string) *oidcauthtest.Browser {
	s.Helper()
	b := s.browser("/auth/" + name + "/login?return_to=/account")
	require.Equal(s, s.app+"/account", b.Page().URL, b.Page().Body)
	require.Contains(s, b.Page().Body, "<dd>"+name+"</dd>")
	return b
}

// administrator is one of the staff, on the administrator's page.
func (s *service) administrator() *oidcauthtest.Browser {
	s.Helper()
	b := s.browser("/auth/staff/login?return_to=/admin")
	require.Equal(s, http.StatusOK, b.Page().Status, b.Page().Body)
	require.Contains(s, b.Page().Body, "Sam Stafford")
	return b
}

// dune is what an administrator types for the provider that nobody has added.
func (s *service) dune() url.Values {
	return url.Values{
		"name": {"dune"}, "label": {"Dune"}, "domain": {"Dune.example"},
		"issuer": {s.demo + "/dune"}, "client_id": {"service"}, "client_secret": {"for-development-only"},
	}
}

// removal is what the button of a tenant sends.
func removal(name, sessions string) url.Values {
	return url.Values{"name": {name}, "sessions": {sessions}}
}

func TestPeopleChooseWhereToSignIn(t *testing.T) {
	s := newService(t)
	ann := s.browser("/account")
	require.Contains(t, ann.Page().Body, ">Acme<")
	require.NotContains(t, ann.Page().Body, "bolt", "who has no label is found by the domain alone")
	page := ann.Click("/auth/acme/login?return_to=%2Faccount")
	require.Equal(t, s.app+"/account", page.URL, page.Body)
	require.Contains(t, page.Body, "<strong>Ann Acker</strong> at <strong>Acme</strong>")

	bo := s.browser("/account")
	page = bo.Submit("email", url.Values{"email": {"bo@bolt.example"}})
	require.Contains(t, page.Body, "<strong>Bo Boltz</strong> at <strong>bolt</strong>")
}

func TestProvidersComeAndGoWhileTenantsServes(t *testing.T) {
	s := newService(t)
	ann, bo, sam := s.at("acme"), s.at("bolt"), s.administrator()

	page := sam.Submit("/admin/add", s.dune())
	require.Equal(t, s.app+"/admin?done=added", page.URL, page.Body)
	require.Contains(t, s.browser("/account").Page().Body, ">Dune<")
	di := s.at("dune")

	page = sam.Post("/admin/remove", removal("bolt", "end"))
	require.Equal(t, s.app+"/admin?done=ended", page.URL, page.Body)
	require.Equal(t, http.StatusUnauthorized, bo.Fetch("/account", oidcauthtest.FetchOptions{}).Status, "Bolt's people are signed out")
	require.Equal(t, http.StatusNotFound, bo.Get(s.app+"/auth/bolt/login").Status)

	page = sam.Post("/admin/remove", removal("dune", "keep"))
	require.Equal(t, s.app+"/admin?done=retired", page.URL, page.Body)
	require.Contains(t, di.Get(s.app+"/account").Body, "Di Dunham", "Dune's people stay signed in")
	require.Equal(t, http.StatusNotFound, s.browser("/auth/dune/login").Page().Status, "but nobody else gets in")
	require.Equal(t, http.StatusUnprocessableEntity, sam.Submit("/admin/add", s.dune()).Status, "whose sessions would be those of the new one")
	page = sam.Post("/admin/remove", removal("dune", "end"))
	require.Equal(t, s.app+"/admin?done=ended", page.URL, page.Body)
	require.Equal(t, http.StatusUnauthorized, di.Fetch("/account", oidcauthtest.FetchOptions{}).Status)

	require.Equal(t, http.StatusUnprocessableEntity, sam.Post("/admin/remove", removal("staff", "end")).Status, "the service's own provider is no tenant")
	require.Contains(t, ann.Get(s.app+"/account").Body, "Ann Acker", "nothing of it is for others")
}

func TestTenantsAreThereAfterARestart(t *testing.T) {
	app, demo := freeAddress(t, "localhost"), freeAddress(t, "127.0.0.1")
	s := &service{T: t, app: "http://" + app, demo: "http://" + demo, file: filepath.Join(t.TempDir(), "tenants.json")}
	env := []string{"DEMO_LISTEN=" + demo, "TENANTS=" + s.file, "SESSION_KEYS=" + session.NewKey()}
	var bo *oidcauthtest.Browser
	t.Run("the first run", func(t *testing.T) {
		serve(t, "tenants", app, env...)
		bo = s.at("bolt")
		sam := s.administrator()
		sam.Submit("/admin/add", s.dune())
		sam.Post("/admin/remove", removal("bolt", "keep"))
		sam.Post("/admin/remove", removal("acme", "end"))
	})
	info, err := os.Stat(s.file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it has secrets")

	serve(t, "tenants", app, env...)
	page := s.browser("/account").Page()
	require.Contains(t, page.Body, ">Dune<")
	require.NotContains(t, page.Body, "Acme")
	require.Contains(t, bo.Get(s.app+"/account").Body, "Bo Boltz", "the session lives on")
	require.Equal(t, http.StatusNotFound, s.browser("/auth/bolt/login").Page().Status)
}

func TestOnlyAdministratorsOfTheServiceChangeItsProviders(t *testing.T) {
	s := newService(t)
	ann := s.at("acme") // whose own provider calls her an administrator
	for name, who := range map[string]*oidcauthtest.Browser{"somebody else": s.browser("/"), "an administrator of a tenant's": ann} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, http.StatusUnauthorized, who.Fetch("/admin", oidcauthtest.FetchOptions{}).Status)
			require.Equal(t, http.StatusUnauthorized, who.Post("/admin/add", s.dune()).Status)
			require.Equal(t, http.StatusUnauthorized, who.Post("/admin/remove", removal("bolt", "end")).Status)
		})
	}
	t.Run("another site", func(t *testing.T) {
		sam := s.administrator()
		for path, form := range map[string]url.Values{"/admin/add": s.dune(), "/admin/remove": removal("bolt", "end")} {
			sam.Show("http://evil.localhost/", "<p>Win a prize!</p>")
			require.Equal(t, http.StatusForbidden, sam.Post(s.app+path, form).Status)
		}
	})
	s.at("bolt")
}

func TestWhatIsWrongWithAProviderIsSaidAndLosesNothing(t *testing.T) {
	s := newService(t)
	sam := s.administrator()
	for name, row := range map[string]struct{ field, value, told string }{
		"an address of our own network":     {"issuer", "https://10.0.0.7", "no public address"},
		"the metadata address of clouds":    {"issuer", "https://169.254.169.254/latest", "no public address"},
		"a name that is there":              {"name", "acme", "there already"},
		"a name that is a route":            {"name", "logout", "route"},
		"the client of somebody else":       {"issuer", s.demo + "/acme", "there as"},
		"a domain that is somebody else's":  {"domain", "BOLT.example", "bolt"},
		"a label that can't be seen":        {"label", "Du\u202ene", "can all be seen"},
		"a host that only begins like ours": {"issuer", s.demo + ".evil.example/dune", "Issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			form := s.dune()
			form.Set(row.field, row.value)
			page := sam.Post(s.app+"/admin/add", form)
			require.Equal(t, http.StatusUnprocessableEntity, page.Status)
			require.Regexp(t, `role="alert">[^<]*`+row.told, page.Body)
			require.Contains(t, page.Body, `value="service"`, "what was typed is still there")
			require.NotContains(t, page.Body, "for-development-only", "but for the secret")
		})
	}
	require.Equal(t, s.app+"/admin?done=added", sam.Post(s.app+"/admin/add", s.dune()).URL, "control")
}
