package main_test

import (
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGallery(t *testing.T) {
	a := startApp(t)
	b := a.signedIn("alice")
	cookies := b.cookies(a.base)
	before := a.waitFor("msg=login")
	list := b.open(a.base + "/errors")
	require.Equal(t, http.StatusOK, list.status)
	links := regexp.MustCompile(`(?s)class="status">(\d+)<.*?href="(/errors/\w+)">([^<]+)<.*?<p>([^<]+)</p>`).FindAllStringSubmatch(list.body, -1)
	seen := make(map[string]bool)
	for _, m := range links {
		status, path, title := m[1], m[2], m[3]
		t.Run(path, func(t *testing.T) {
			require.False(t, seen[path], "each kind once")
			seen[path] = true
			p := b.open(a.base + path)
			require.Equal(t, status, strconv.Itoa(p.status), "the page has its real status")
			require.Contains(t, p.body, "<h1>"+title+"</h1>")
			require.Regexp(t, `class="lead">[^<]{10,}`, p.body, "it says what to do")
			requireProtected(t, p)
			p = b.fetch(http.MethodGet, a.base+path)
			require.Equal(t, path, "/errors/"+p.object(t)["error"].(string))
		})
	}
	for _, kind := range []string{
		"not_found", "method_not_allowed", "cross_origin", "misdirected_request", "login_required", "insufficient_user_authentication",
		"store_unavailable", "time_out", "no_answer", "no_transaction", "invalid_request", "login_expired", "access_denied",
		"login_failed", "provider_error", "invalid_response", "provider_timeout", "provider_unavailable", "forbidden",
	} {
		require.True(t, seen["/errors/"+kind], "%s is missing", kind)
	}
	require.Equal(t, before, a.output.String(), "nothing is logged")
	require.Equal(t, cookies, b.cookies(a.base), "nothing is changed")
	require.Equal(t, http.StatusOK, b.fetch(http.MethodGet, a.base+"/api/me").status)
	require.Equal(t, http.StatusNotFound, b.open(a.base+"/errors/nothing").status)
}

func TestAnErrorPageSaysWhoIsSignedIn(t *testing.T) {
	a := startApp(t)
	b := newBrowser(t)
	for _, path := range []string{"/no-such-page", "/auth/no-such-page", "/errors/forbidden"} {
		p := b.open(a.base + path)
		require.NotContains(t, p.body, "Signed in as", path)
		require.NotContains(t, p.body, `href="/auth/logout"`, path)
	}
	b = a.signedIn("alice")
	cookies := b.cookies(a.base)
	for _, path := range []string{"/no-such-page", "/auth/no-such-page", "/errors/forbidden"} {
		p := b.open(a.base + path)
		require.Contains(t, p.body, `Signed in as </span>Alice Adams`, path)
		require.Contains(t, p.body, `<a class="button quiet" href="/auth/logout">Sign out</a>`, path)
		requireProtected(t, p)
	}
	require.Equal(t, cookies, b.cookies(a.base), "an error is no use of the session")
}
