package oidcauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/oidcauth"
)

func TestAStepUpChallengeIsRead(t *testing.T) {
	for _, c := range []struct {
		name   string
		params string
		want   oidcauth.StepUpError
	}{
		{"alone", ``, oidcauth.StepUpError{}},
		{"acr_values", `, acr_values="gold silver"`, oidcauth.StepUpError{ACRValues: []string{"gold", "silver"}}},
		{"max_age", `, max_age=300`, oidcauth.StepUpError{MaxAge: 5 * time.Minute}},
		{"max_age in quotes", `, max_age="0"`, oidcauth.StepUpError{MaxAge: -1}},
		{"scope", `, scope="pay transfer"`, oidcauth.StepUpError{Scope: "pay transfer"}},
		{"all", `, max_age="5", acr_values="a", scope="s"`, oidcauth.StepUpError{ACRValues: []string{"a"}, MaxAge: 5 * time.Second, Scope: "s"}},
		{"a negative max_age", `, max_age="-5"`, oidcauth.StepUpError{}},
		{"an absurd max_age", `, max_age="4294967295"`, oidcauth.StepUpError{MaxAge: 365 * 24 * time.Hour}},
		{"a scope that is none", `, scope="pay \"x\" ok"`, oidcauth.StepUpError{Scope: "pay ok"}},
		{"many acr_values", `, acr_values="` + strings.Repeat("a ", 100) + `"`, oidcauth.StepUpError{ACRValues: strings.Fields(strings.Repeat("a ", 20))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{"Www-Authenticate": {`Bearer error="insufficient_user_authentication"` + c.params}}
			got := oidcauth.StepUpOf(h)
			require.NotNil(t, got)
			require.Equal(t, c.want, *got)
		})
	}
	require.Nil(t, oidcauth.StepUpOf(http.Header{"Www-Authenticate": {`Bearer error="invalid_token", acr_values="gold"`}}))
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Bearer realm="x", error="insufficient_user_authentication", max_age=5, Basic abc==, DPoP algs="ES256"`)
	f.Add(`Negotiate YWJj==,,, = ,"`)
	f.Fuzz(func(t *testing.T, value string) {
		h := http.Header{"Www-Authenticate": {value, value}}
		oauth.BlamesToken(h)
		e := oidcauth.StepUpOf(h)
		if e == nil {
			return
		}
		require.LessOrEqual(t, len(e.ACRValues), 20)
		require.LessOrEqual(t, e.MaxAge, 365*24*time.Hour)
		require.NotContains(t, e.Scope, `"`)
		require.NotEmpty(t, e.Error())
	})
}

// The login that they lead to keeps them in a cookie.
func TestAnAPIAsksForNoMoreContextsThanACookieHolds(t *testing.T) {
	challenge := func(acr ...string) http.Header {
		return http.Header{"Www-Authenticate": {`Bearer error="insufficient_user_authentication", acr_values="` + strings.Join(acr, " ") + `"`}}
	}
	long := strings.Repeat("x", 600)
	require.Equal(t, []string{long}, oidcauth.StepUpOf(challenge(long, long, "gold")).ACRValues)
	require.Empty(t, oidcauth.StepUpOf(challenge(long+long)).ACRValues)
	require.Len(t, oidcauth.StepUpOf(challenge(strings.Fields(strings.Repeat("a ", 30))...)).ACRValues, 20)
}
