package oidcauth_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

func TestATokenHasToReachFarEnough(t *testing.T) {
	w := newOrdersWorld(t, func(c *oidcauth.ResourceConfig) { c.Audience = []string{ordersAPI, "https://admin.example.test"} })
	now := time.Now()
	for name, row := range map[string]struct {
		require   []oidcauth.Requirement
		bends     []tokenBend
		status    int
		code      string
		challenge string
	}{
		"a scope that is there":            {[]oidcauth.Requirement{oidcauth.HasScope("read")}, nil, 200, "", ""},
		"all scopes":                       {[]oidcauth.Requirement{oidcauth.HasScope("read", "write")}, nil, 200, "", ""},
		"a scope that is not":              {[]oidcauth.Requirement{oidcauth.HasScope("read", "admin")}, nil, 403, "insufficient_scope", `Bearer error="insufficient_scope", scope="read admin"`},
		"a scope that begins alike":        {[]oidcauth.Requirement{oidcauth.HasScope("rea")}, nil, 403, "insufficient_scope", `scope="rea"`},
		"this audience":                    {[]oidcauth.Requirement{oidcauth.HasAudience(ordersAPI)}, nil, 200, "", ""},
		"another that the API has":         {[]oidcauth.Requirement{oidcauth.HasAudience("https://admin.example.test")}, nil, 403, "forbidden", ""},
		"a role that is there":             {[]oidcauth.Requirement{oidcauth.Role("clerk")}, []tokenBend{claim("roles", []string{"clerk"})}, 200, "", ""},
		"a role that is not":               {[]oidcauth.Requirement{oidcauth.Role("admin")}, []tokenBend{claim("roles", []string{"clerk"})}, 403, "forbidden", ""},
		"a claim":                          {[]oidcauth.Requirement{oidcauth.Claim("tenant", "7")}, []tokenBend{claim("tenant", 7)}, 200, "", ""},
		"a class of login":                 {[]oidcauth.Requirement{oidcauth.ACR("gold")}, []tokenBend{claim("acr", "gold")}, 200, "", ""},
		"a better one":                     {[]oidcauth.Requirement{oidcauth.ACR("gold", "platinum")}, []tokenBend{claim("acr", "silver")}, 401, "insufficient_user_authentication", `acr_values="gold platinum"`},
		"a login that is fresh":            {[]oidcauth.Requirement{oidcauth.MaxAge(time.Minute)}, []tokenBend{claim("auth_time", now.Unix())}, 200, "", ""},
		"a login that is old":              {[]oidcauth.Requirement{oidcauth.MaxAge(time.Minute)}, []tokenBend{claim("auth_time", now.Add(-time.Hour).Unix())}, 401, "insufficient_user_authentication", `max_age="60"`},
		"a login of which nothing is said": {[]oidcauth.Requirement{oidcauth.MaxAge(time.Minute)}, nil, 401, "insufficient_user_authentication", `max_age="60"`},
		"one of the application's own":     {[]oidcauth.Requirement{func(u *oidcauth.User) error { return errors.New(u.Subject) }}, nil, 403, "forbidden", ""},
		"a nil one":                        {[]oidcauth.Requirement{nil}, nil, 403, "forbidden", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := w.resource.Require(row.require...)(http.HandlerFunc(writeCaller))
			answer := askOf(h, http.MethodGet, "/orders", "Authorization", "Bearer "+w.token(row.bends...))
			if row.status == http.StatusOK {
				require.Equal(t, http.StatusOK, answer.Code, answer.Body)
				return
			}
			requireTokenRefused(t, answer, row.status, row.code)
			require.Contains(t, strings.Join(answer.Header().Values("WWW-Authenticate"), "; "), row.challenge)
		})
	}
}

// A session has no scope and no audience: what they are required for is for tokens alone.
func TestASessionMeetsNoRequirementOfTokens(t *testing.T) {
	u := &oidcauth.User{Subject: "alice", Claims: json.RawMessage(`{"scope":"read","aud":"x"}`)}
	for _, r := range []oidcauth.Requirement{oidcauth.HasScope("read"), oidcauth.HasAudience("x")} {
		require.Error(t, r(u))
		require.Error(t, r(nil))
	}
	require.Panics(t, func() { oidcauth.HasScope(`a" b`) })
}

func TestRequirementsOfNothingAreMistakes(t *testing.T) {
	require.Panics(t, func() { oidcauth.HasScope() })
	require.Panics(t, func() { oidcauth.HasAudience() })
}
