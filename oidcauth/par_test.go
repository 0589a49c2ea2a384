package oidcauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func withClaims(c *oidcauth.Config) { c.Login.Claims = json.RawMessage(`{"id_token":{"email":null}}`) }

func withDetails(c *oidcauth.Config) {
	c.Login.Extra = url.Values{"authorization_details": {`[{"type":"payment"}]`}}
}

func modeOfPAR(mode oidcauth.PARMode) func(*oidcauth.Config) {
	return func(c *oidcauth.Config) { c.PAR = mode }
}

func unpublished(d *oidcauthtest.Object) { d.Delete("pushed_authorization_request_endpoint") }

func TestWhichRequestsArePushed(t *testing.T) {
	required := func(d *oidcauthtest.Object) { d.Set("require_pushed_authorization_requests", true) }
	for name, c := range map[string]struct {
		metadata  func(*oidcauthtest.Object)
		configure []func(*oidcauth.Config)
		pushed    bool
	}{
		"by default a published endpoint alone is no reason":     {nil, nil, false},
		"by default what the metadata require is pushed":         {required, nil, true},
		"by default claims are pushed":                           {nil, []func(*oidcauth.Config){withClaims}, true},
		"by default authorization_details are pushed":            {nil, []func(*oidcauth.Config){withDetails}, true},
		"by default an acr as a wish is not":                     {nil, []func(*oidcauth.Config){func(c *oidcauth.Config) { c.Login.ACRValues = []string{"gold"} }}, false},
		"claims go plain where there is nowhere to push them to": {unpublished, []func(*oidcauth.Config){withClaims}, false},
		"on pushes wherever the endpoint is published":           {nil, []func(*oidcauth.Config){modeOfPAR(oidcauth.PAROn)}, true},
		"on sends plain where it is not":                         {unpublished, []func(*oidcauth.Config){modeOfPAR(oidcauth.PAROn)}, false},
		"off never pushes, claims neither":                       {nil, []func(*oidcauth.Config){withClaims, noPAR}, false},
		"require pushes":                                         {nil, []func(*oidcauth.Config){modeOfPAR(oidcauth.PARRequire)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.configure...)
			w.provider.BendMetadata(c.metadata)
			w.signIn()
			want := 0
			if c.pushed {
				want = 1
			}
			require.Equal(t, want, w.provider.Count(oidcauthtest.PAR))
			require.Equal(t, c.pushed, w.provider.Last(oidcauthtest.Authorize).Form.Has("request_uri"))
		})
	}
}

// A demand that nobody can meet is a failure, never a plain request.
func TestARequiredPushWithoutAnEndpointFailsTheLogin(t *testing.T) {
	for name, c := range map[string]struct {
		metadata  func(*oidcauthtest.Object)
		configure func(*oidcauth.Config)
	}{
		"the configuration requires it": {unpublished, modeOfPAR(oidcauth.PARRequire)},
		"the metadata require it": {func(d *oidcauthtest.Object) {
			unpublished(d)
			d.Set("require_pushed_authorization_requests", true)
		}, modeOfPAR(oidcauth.PARAuto)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.configure)
			w.provider.BendMetadata(c.metadata)
			require.Equal(t, http.StatusBadGateway, w.browser.Get(app+"/me").Status)
			require.Zero(t, w.provider.Count(oidcauthtest.Authorize))
			require.Contains(t, w.log.String(), "par_unavailable")
		})
	}
}

// Whatever made the request be pushed: a push that fails never falls back to a plain request.
func TestAFailedPushFailsTheLoginInEachMode(t *testing.T) {
	for name, configure := range map[string]func(*oidcauth.Config){
		"on": pushing, "require": modeOfPAR(oidcauth.PARRequire), "auto with claims": withClaims,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, configure)
			w.provider.Intercept(oidcauthtest.PAR, oidcauthtest.Reply(http.StatusServiceUnavailable, "text/plain", "down"))
			require.GreaterOrEqual(t, w.browser.Get(app+"/me").Status, 500)
			require.Zero(t, w.provider.Count(oidcauthtest.Authorize))
		})
	}
}

func TestAShortLifeOfPushedRequestsIsSaidOnce(t *testing.T) {
	const message = `msg="pushed requests end before logins do"`
	for name, c := range map[string]struct {
		expiresIn string
		said      int
	}{
		"shorter than a login may take": {"60", 1},
		"as a string":                   {`"60"`, 1},
		"over already":                  {"0", 0},
		"as long as a login may take":   {strconv.Itoa(15 * 60), 0},
		"longer":                        {"3600", 0},
		"absent":                        {"null", 0},
		"nonsense":                      {`"soon"`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, pushing)
			w.provider.Intercept(oidcauthtest.PAR, oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) {
				a.Body = []byte(strings.Replace(string(a.Body), `"expires_in":60`, `"expires_in":`+c.expiresIn, 1))
			}))
			w.signIn()
			w.browser = oidcauthtest.NewBrowser(w.network)
			w.signIn()
			require.Equal(t, 2, w.provider.Count(oidcauthtest.PAR), "nothing is decided by it")
			require.Equal(t, c.said, strings.Count(w.log.String(), message))
		})
	}
}

func TestALoginTimeoutWithinTheLifeOfPushedRequestsIsFine(t *testing.T) {
	w := newWorld(t, pushing, func(c *oidcauth.Config) { c.LoginTimeout = time.Minute })
	w.signIn()
	require.NotContains(t, w.log.String(), "pushed requests end")
}
