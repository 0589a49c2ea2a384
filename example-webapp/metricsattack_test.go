package main_test

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever may send requests may not make time series: an operator's memory would be in strangers'
// hands, and so would be what the figures name.
func TestStrangersMakeNoTimeSeries(t *testing.T) {
	port := freePort(t)
	a := startApp(t, "ADMIN_ADDR", ":"+port, "SESSION_STORE", "memory")
	admin := "http://127.0.0.1:" + port
	bob := a.signedIn("bob")
	require.Equal(t, http.StatusForbidden, bob.open(a.base+"/admin").status)
	require.Equal(t, http.StatusOK, bob.fetch(http.MethodPost, a.base+"/api/refresh").status)

	a.attack(admin)
	before := seriesOf(t, admin)
	for range 20 {
		a.attack(admin)
	}
	require.Equal(t, before, seriesOf(t, admin))
	require.Contains(t, before, `signet_operation_duration_seconds_count{error_type="login_failed",signet_operation="callback",signet_outcome="refused"}`, "the attacks arrive")
	for _, name := range before {
		require.Regexp(t, regexp.MustCompile(`^signet_[a-z_]+\{[a-z_]+="[A-Za-z_]+"(,[a-z_]+="[A-Za-z_]+")*\}$`), name)
	}
}

// attack sends what a stranger may choose, and no two times the same: paths, methods, queries, and
// what a provider answers to a login.
func (a *webapp) attack(admin string) {
	a.t.Helper()
	evil, stranger := "evil"+rand.Text(), newBrowser(a.t)
	for _, address := range []string{
		a.base + "/auth/" + evil, a.base + "/profile/" + evil, a.base + "/proxy/" + evil, a.base + "/auth/login?return_to=/" + evil,
		a.base + "/auth/callback?state=" + evil + "&code=" + evil, a.base + "/auth/callback?error=" + evil, a.base + "/auth/frontchannel-logout?iss=" + evil + "&sid=" + evil,
		admin + "/" + evil, admin + "/metrics?" + evil,
	} {
		stranger.fetch(http.MethodGet, address)
		stranger.fetch(strings.ToUpper(evil), address)
	}
	asked := stranger.open(a.base + "/auth/login").url.Query()
	answer := url.Values{"error": {evil}, "error_description": {evil}, "state": {asked.Get("state")}, "iss": {a.issuer()}}
	require.Equal(a.t, http.StatusBadRequest, stranger.open(a.base+"/auth/callback?"+answer.Encode()).status)
	req, err := http.NewRequest(http.MethodPost, a.base+"/auth/backchannel-logout", strings.NewReader("logout_token="+evil))
	require.NoError(a.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	stranger.show(req, nil)
	require.Equal(a.t, http.StatusBadRequest, stranger.page.status)
}

// seriesOf are the names of the library's time series with their labels, without the buckets, of
// which each histogram has the same few.
func seriesOf(t *testing.T, admin string) []string {
	t.Helper()
	p := newBrowser(t).fetch(http.MethodGet, admin+"/metrics")
	require.Equal(t, http.StatusOK, p.status)
	var names []string
	for line := range strings.Lines(p.body) {
		if name, _, found := strings.Cut(line, "} "); found && strings.HasPrefix(name, "signet_") && !strings.Contains(name, "_bucket{") {
			names = append(names, name+"}")
		}
	}
	slices.Sort(names)
	return names
}
