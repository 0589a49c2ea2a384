package oidcauth_test

import (
	"net/http"
	"testing"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// BenchmarkSight measures what a guard and its handler need of a request's user, without a server: at
// first sight, which finds nothing decoded, and at every later one.
func BenchmarkSight(b *testing.B) {
	guard := func(http.ResponseWriter, *http.Request) {}
	fields := func(_ http.ResponseWriter, r *http.Request) {
		if u := oidcauth.UserFrom(r.Context()); u == nil || u.Subject == "" || u.Name == "" {
			b.Fatal("nobody is signed in")
		}
	}
	for _, row := range []struct {
		name        string
		memoryBytes int
		handler     http.HandlerFunc
	}{
		{"first sight, guard alone", -1, guard},
		{"first sight, guard and user", -1, fields},
		{"in memory, guard alone", 0, guard},
		{"in memory, guard and user", 0, fields},
	} {
		b.Run(row.name, func(b *testing.B) {
			provider := oidcauthtest.NewProvider(oidcauthtest.Settings{})
			auth := benchAuthOf(b, provider, provider, session.Config{MemoryBytes: row.memoryBytes})
			request := navigation(app + "/me")
			request.Header.Set("Cookie", signedInCookie(b, provider, auth))
			page := auth.RequireLogin(row.handler)
			answer := unseen{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(answer.header)
				page.ServeHTTP(answer, request)
			}
		})
	}
}

// unseen is an answer that nobody reads.
type unseen struct{ header http.Header }

func (u unseen) Header() http.Header         { return u.header }
func (u unseen) Write(p []byte) (int, error) { return len(p), nil }
func (u unseen) WriteHeader(int)             {}
