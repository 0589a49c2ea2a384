package main_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// fleetAPI is the resource that the access tokens of a fleet are for, so that they are JWTs which the demo API verifies
	// by itself and whose subject it tells.
	fleetAPI = "urn:example:fleet"

	// shortLife is how long those tokens live, by the provider's clock.
	shortLife = 5 * time.Second

	// leastGap is less than the shortest time between two refreshes for one user that are of two expiries: a fifth of the life is
	// the margin before the end in which a token is renewed, and what the provider says of the life may be a second short.
	leastGap = shortLife / 2
)

// A fleet is the example in several processes behind one name, at npm's oidc-provider with rotating refresh tokens, where the
// second use of one ends all that came from the login.
type fleet struct {
	*npmProvider
	processes []*process
	transport *http.Transport
	forgotten time.Time // when the provider last began to write requests down
}

// startFleet starts so many processes. life is the access tokens', of users and machines; pairs are the environment beyond what
// the provider needs.
func startFleet(t *testing.T, size int, life time.Duration, pairs ...string) *fleet {
	t.Helper()
	f := &fleet{forgotten: time.Now(), transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	t.Cleanup(f.transport.CloseIdleConnections)
	for range size {
		f.processes = append(f.processes, newProcess(t))
	}
	front := f.processes[0].base
	f.npmProvider = startNPMProvider(t, map[string]any{
		"host": "127.0.0.1", "accounts": fleetAccounts(), "refreshAlways": true, "defaultResource": fleetAPI,
		"resources": map[string]any{fleetAPI: map[string]any{"scope": "read"}},
		"ttl":       map[string]any{"AccessToken": life.Seconds(), "ClientCredentials": life.Seconds()},
		"clients": []any{map[string]any{
			"client_id": "app", "client_secret": "a secret of the fleet", "redirect_uris": []string{front + "/auth/callback"},
		}},
	})
	for _, p := range f.processes {
		// Each has its own demo API, so that the first one does not work for all.
		p.set("BASE_URL", front, "API_URL", p.base+"/demo/api", "OIDC_ISSUER", f.Issuer, "OIDC_CLIENT_ID", "app",
			"OIDC_CLIENT_SECRET", "a secret of the fleet", "OIDC_RESOURCE", fleetAPI, "OIDC_USERINFO", "false", "OIDC_PAR", "off",
			"OIDC_TIMEOUT", "30s", "REDIS_TIMEOUT", "10s", // the machine may be busy
			"SESSION_KEYS", "YSBzZXNzaW9uIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU=")
		port := freePort(t)
		p.admin = "http://127.0.0.1:" + port
		p.set("ADMIN_ADDR", "127.0.0.1:"+port)
		p.set(pairs...)
		t.Cleanup(func() { p.complain(t) }) // when it has ended: what launch registers comes first
		p.launch(t)
	}
	return f
}

// fleetAccounts are the people that the fleet's provider knows: user-0, user-1 and so on.
func fleetAccounts() map[string]any {
	accounts := map[string]any{}
	for i := range 200 {
		accounts[userName(i)] = map[string]any{"name": fmt.Sprintf("User %d", i)}
	}
	return accounts
}

func userName(i int) string { return fmt.Sprintf("user-%d", i) }

// base is the address of the process that the i-th request goes to.
func (f *fleet) base(i int) string { return f.processes[i%len(f.processes)].base }

// A tokenCall is what the provider wrote down about one request to its token endpoint.
type tokenCall struct {
	Route string `json:"route"`
	Grant string `json:"grant_type"`
	User  string `json:"sub"`
	Error string `json:"error"`
	Port  int    `json:"port"` // of the client
}

// tokenCalls returns the requests with this grant that the provider has carried out since they were last forgotten.
func (p *npmProvider) tokenCalls(grant string) []tokenCall {
	p.t.Helper()
	var answer struct {
		Requests []tokenCall `json:"requests"`
	}
	p.control(http.MethodGet, "requests", nil, &answer)
	return slices.DeleteFunc(answer.Requests, func(c tokenCall) bool { return c.Route != "token" || c.Grant != grant })
}

// refreshes returns the refreshes by user. None may have failed, and no two may be of one expiry: there are no more of them than
// tokens can have expired since. How long one was on its way says nothing.
func (f *fleet) refreshes() map[string][]tokenCall {
	f.t.Helper()
	byUser := map[string][]tokenCall{}
	for _, c := range f.tokenCalls("refresh_token") {
		require.Empty(f.t, c.Error, "a refresh of %s failed", c.User)
		byUser[c.User] = append(byUser[c.User], c)
	}
	most := 1 + int(time.Since(f.forgotten)/leastGap)
	for user, calls := range byUser {
		require.LessOrEqual(f.t, len(calls), most, "%s got two tokens for one expiry", user)
	}
	return byUser
}

// forget makes the provider forget the requests that it has written down.
func (f *fleet) forget() {
	f.t.Helper()
	f.forgotten = time.Now()
	f.control(http.MethodDelete, "requests", nil, nil)
}

// A fault is what e2e/provider/control.mjs does to requests.
type fault map[string]any

// bend replaces the faults of the provider's token endpoint; none heals it, and lets go what was held.
func (p *npmProvider) bend(faults ...fault) {
	p.t.Helper()
	list := make([]fault, 0, len(faults))
	for _, one := range faults {
		one = maps.Clone(one)
		one["path"] = "/token"
		list = append(list, one)
	}
	p.control(http.MethodPut, "faults", list, nil)
}

// hits is how many requests have met the first fault.
func (p *npmProvider) hits() int {
	p.t.Helper()
	var faults []struct {
		Hits int `json:"hits"`
	}
	p.control(http.MethodGet, "faults", nil, &faults)
	require.NotEmpty(p.t, faults)
	return faults[0].Hits
}

// awaitHit waits until a request has met the first fault.
func (p *npmProvider) awaitHit() {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return p.hits() > 0 }, patience, 5*time.Millisecond, "nothing reached the provider")
}
