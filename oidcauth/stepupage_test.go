package oidcauth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// The age is encoded as in LoginOptions: zero names none, a negative one asks for a login now.
func TestTheAgeOfAStepUp(t *testing.T) {
	for _, row := range []struct {
		name      string
		ages      []time.Duration
		challenge string // the end of the header
		parameter []string
	}{
		{"zero names none", []time.Duration{0}, `is required"`, nil},
		{"a negative one is a login now", []time.Duration{-1}, `max_age="0"`, []string{"0"}},
		{"a positive one is so many seconds", []time.Duration{time.Minute}, `max_age="60"`, []string{"60"}},
		{"of two the lesser counts", []time.Duration{time.Hour, time.Minute, 2 * time.Minute}, `max_age="60"`, []string{"60"}},
		{"now comes before any age", []time.Duration{time.Minute, -1, time.Hour}, `max_age="0"`, []string{"0"}},
		{"none leaves the other's", []time.Duration{0, time.Minute, 0}, `max_age="60"`, []string{"60"}},
		{"none leaves now", []time.Duration{0, -1, 0}, `max_age="0"`, []string{"0"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var all []oidcauth.Requirement
				for _, age := range row.ages {
					all = append(all, func(*oidcauth.User) error { return &oidcauth.StepUpError{MaxAge: age} })
				}
				w := newStepUpWorld(t, all...)
				fetched := w.browser.NewTab().Fetch(app+"/guarded", oidcauthtest.FetchOptions{})
				require.Equal(t, http.StatusUnauthorized, fetched.Status)
				require.Regexp(t, row.challenge+"$", fetched.Header.Get("WWW-Authenticate"))
				w.browser.Get(app + "/guarded")
				require.Equal(t, row.parameter, w.authenticationRequest()["max_age"])
			})
		})
	}
}
