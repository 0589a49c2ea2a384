//go:build providers

package main_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A neighbour is a provider that nobody here wrote, at a fixed version.
type neighbour struct {
	name, version string

	// start runs it for an app at base, or skips the test with the reason.
	start func(t *testing.T, base string) *visited

	// oddities are the steps whose outcome is not the usual one.
	oddities map[string]string
}

// visited is a neighbour that runs.
type visited struct {
	issuer, id, secret string
	env                []string // of the app, beyond these

	// signIn goes on from the page that the provider shows, until the browser is back.
	signIn func(b *browser)

	// signOut goes on from the page that the provider shows after the app's own; nil where it shows none.
	signOut func(b *browser)

	// What else can be done to it; nil where it has no such thing.
	rotate, restart, disable, logOut func()
}

// usual is what comes of each step at a provider without oddities.
var usual = map[string]string{
	"login":                        "200 /profile",
	"30 refreshes at once":         "200 x30",
	"a refresh afterwards":         "200",
	"API call":                     "200",
	"step-up after two minutes":    "200 /stepup, asked again",
	"sign-out":                     "200 /auth/signed-out, then 401",
	"login after sign-out":         "200 /profile",
	"logout from behind":           "401",
	"refresh with new keys":        "200",
	"login with new keys":          "200 /profile",
	"refresh after a restart":      "200",
	"login after a restart":        "200 /profile",
	"refresh of a disabled user":   "401",
	"a page after that, as before": "401",
}

// absent is the outcome of a step that a provider does not have.
const absent = "has none"

// TestNeighbours takes the example as a process through one journey at providers of the registries. A row that differs from what
// is written down here fails: either we have changed, or they have.
func TestNeighbours(t *testing.T) {
	for _, n := range []neighbour{npmNeighbour, keycloakNeighbour, betterAuthNeighbour, djangoNeighbour, springNeighbour} {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			j := newJourney(t, &n)
			j.travel()
			fmt.Printf("\n%s %s\n| step | outcome |\n|---|---|\n%s\n", n.name, n.version, strings.Join(j.rows, "\n"))
		})
	}
}

// stale is when a login is too old for /stepup, which wants one of the last minute, by whatever clock: they may differ by a minute.
const stale = 125 * time.Second

// A journey is that of one browser, mostly, at one provider.
type journey struct {
	*visited
	t    *testing.T
	n    *neighbour
	base string
	b    *browser
	rows []string
}

func newJourney(t *testing.T, n *neighbour) *journey {
	t.Helper()
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	j := &journey{t: t, n: n, base: base, b: newBrowser(t), visited: n.start(t, base)}
	p := newProcess(t, "ADDR", "127.0.0.1:"+port, "BASE_URL", base, "COOKIE_INSECURE", "true", "SESSION_STORE", "memory",
		"OIDC_ISSUER", j.issuer, "OIDC_CLIENT_ID", j.id, "OIDC_CLIENT_SECRET", j.secret, "OIDC_TIMEOUT", "60s")
	p.base = base
	p.set(j.env...)
	t.Cleanup(func() { p.complain(t) })
	p.launch(t)
	return j
}

// step writes down what came of a step, and fails where something else was expected.
func (j *journey) step(name, got string) {
	j.t.Helper()
	want, known := j.n.oddities[name]
	mark := " (its own way)"
	if !known {
		want, mark = usual[name], ""
	}
	if got != want {
		mark = " **changed**"
		j.t.Errorf("%s %s: %s: expected %q, got %q", j.n.name, j.n.version, name, want, got)
	}
	j.rows = append(j.rows, "| "+name+" | "+got+mark+" |")
}

func (j *journey) travel() {
	j.step("login", j.login("/profile"))
	since := time.Now()
	j.step("30 refreshes at once", j.refreshes(30))
	j.step("a refresh afterwards", j.refresh())
	call := j.b.fetch(http.MethodGet, j.base+"/api/call")
	outcome := fmt.Sprint(call.status)
	if call.status == http.StatusOK {
		outcome = fmt.Sprint(call.object(j.t)["status"])
	}
	j.step("API call", outcome)
	<-time.After(time.Until(since.Add(stale)))
	j.stepUp()
	j.signOut()
	j.step("login after sign-out", j.login("/profile"))
	j.ended()
	j.newKeys()
	j.restarted()
	j.disabled()
}

// login opens a page and signs in as far as the provider asks for it.
func (j *journey) login(path string) string {
	j.t.Helper()
	p := j.b.open(j.base + path)
	if !strings.HasPrefix(p.url.String(), j.base) {
		j.signIn(j.b)
	}
	return where(j.b.page)
}

func where(p page) string { return fmt.Sprint(p.status, " ", p.url.Path) }

func (j *journey) refresh() string {
	j.t.Helper()
	return fmt.Sprint(j.b.fetch(http.MethodPost, j.base+"/api/refresh").status)
}

// refreshes asks for so many refreshes at once, and says how often each status came.
func (j *journey) refreshes(n int) string {
	j.t.Helper()
	statuses := make([]int, n)
	require.NoError(j.t, together(n, func(i int) error {
		resp, err := j.b.client.Post(j.base+"/api/refresh", "", nil)
		if err == nil {
			statuses[i] = resp.StatusCode
			resp.Body.Close()
		}
		return err
	}))
	slices.Sort(statuses)
	counts := map[int]int{}
	for _, s := range statuses {
		counts[s]++
	}
	var parts []string
	for _, s := range slices.Compact(statuses) {
		parts = append(parts, fmt.Sprintf("%d x%d", s, counts[s]))
	}
	return strings.Join(parts, ", ")
}

func (j *journey) me() int { return j.b.fetch(http.MethodGet, j.base+"/api/me").status }

func (j *journey) stepUp() {
	j.t.Helper()
	asked := "not asked"
	if p := j.b.open(j.base + "/stepup"); !strings.HasPrefix(p.url.String(), j.base) {
		asked = "asked again"
		j.signIn(j.b)
	}
	j.step("step-up after two minutes", where(j.b.page)+", "+asked)
}

func (j *journey) signOut() {
	j.t.Helper()
	j.b.open(j.base + "/auth/logout")
	p := j.b.submit("/auth/logout", hidden(j.b.page.body))
	if !strings.HasPrefix(p.url.String(), j.base) && j.visited.signOut != nil {
		j.visited.signOut(j.b)
	}
	end := j.b.page
	j.step("sign-out", fmt.Sprintf("%s, then %d", where(end), j.me()))
}

func (j *journey) ended() {
	j.t.Helper()
	if j.logOut == nil {
		j.step("logout from behind", absent)
		return
	}
	j.logOut()
	status := 0
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && status != http.StatusUnauthorized; <-time.After(50 * time.Millisecond) {
		status = j.me()
	}
	j.step("logout from behind", fmt.Sprint(status))
	// A login in the very second of a logout is taken for the one that has ended, and in the provider's own session for five more.
	<-time.After(1100 * time.Millisecond)
	j.b = newBrowser(j.t)
	j.login("/profile")
}

func (j *journey) newKeys() {
	j.t.Helper()
	if j.rotate == nil {
		j.step("refresh with new keys", absent)
		j.step("login with new keys", absent)
		return
	}
	j.rotate()
	j.step("refresh with new keys", j.refresh())
	j.b = newBrowser(j.t)
	j.step("login with new keys", j.login("/profile"))
}

func (j *journey) restarted() {
	j.t.Helper()
	if j.restart == nil {
		j.step("refresh after a restart", absent)
		j.step("login after a restart", absent)
		return
	}
	j.restart()
	j.step("refresh after a restart", j.refresh())
	j.b = newBrowser(j.t)
	j.step("login after a restart", j.login("/profile"))
}

func (j *journey) disabled() {
	j.t.Helper()
	if j.disable == nil {
		j.step("refresh of a disabled user", absent)
		j.step("a page after that, as before", absent)
		return
	}
	j.disable()
	j.step("refresh of a disabled user", j.refresh())
	j.step("a page after that, as before", fmt.Sprint(j.me()))
}
