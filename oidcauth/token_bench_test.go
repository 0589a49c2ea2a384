package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// BenchmarkFreshToken compares a request of a signed-in user that asks for no token with one whose token is fresh.
func BenchmarkFreshToken(b *testing.B) {
	auth, provider := exampleAuth(func(c *oidcauth.Config) {
		c.Scopes = []string{"offline_access"}
		c.Machines = map[string]oidcauth.MachineConfig{"reports": {}}
	})
	user := auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { oidcauth.UserFrom(r.Context()) }))
	token := auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		oidcauth.UserFrom(r.Context())
		if _, err := auth.TokenSource(r.Context()).Token(); err != nil {
			b.Error(err)
		}
	}))
	browser, page, err := oidcauthtest.SignIn(provider, user, "/")
	require.NoError(b, err)
	r := httptest.NewRequest(http.MethodGet, page.URL, nil)
	for _, c := range browser.Cookies(page.URL) {
		r.AddCookie(c)
	}
	run := func(name string, h http.Handler) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(nowhere{}, r)
			}
		})
	}
	run("user", user)
	run("user and token", token)
	b.Run("machine token", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := auth.Machine("reports").TokenSource(b.Context()).Token(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// nowhere is a ResponseWriter that costs nothing.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}
