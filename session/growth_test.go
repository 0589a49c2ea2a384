package session_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/session"
)

// due returns a manager for which the idle limit of r's session is due, as long as r comes with its
// old cookie.
func due(b *testing.B, set tokenSet) (*session.Manager, *http.Request) {
	keys := benchmarkKeys(1)
	_, r := signedIn(b, session.Config{Keys: keys, IdleTimeout: time.Hour}, set)
	m := newManager(b, session.Config{Keys: keys, IdleTimeout: 2 * time.Hour})
	w := httptest.NewRecorder()
	m.Handler(userPage(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	require.Len(b, setCookies(w), 1)
	return m, r
}

// BenchmarkIdleLimit compares whole requests that come with an old cookie: parallel ones of a page,
// or those of a client that keeps no cookies.
func BenchmarkIdleLimit(b *testing.B) {
	set := setS(1)
	page := userPage(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello\n") })
	b.Run("not due", func(b *testing.B) {
		m, r := signedIn(b, session.Config{}, set)
		benchmarkServer(b, m.Handler(page), r.Header.Get("Cookie"))
	})
	b.Run("due", func(b *testing.B) {
		m, r := due(b, set)
		benchmarkServer(b, m.Handler(page), r.Header.Get("Cookie"))
	})
	// What writing the response's header alone takes of it.
	b.Run("not due, and as long a header of the handler's", func(b *testing.B) {
		m, r := signedIn(b, session.Config{}, set)
		line := strings.Repeat("x", 1500)
		benchmarkServer(b, m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Other", line)
			page(w, r)
		})), r.Header.Get("Cookie"))
	})
}

// BenchmarkSessionsInStore tells what more sessions cost: memory for each in a MemoryStore, and a
// request of one of them. A million take 2 GB and a minute: leave them out with -short.
func BenchmarkSessionsInStore(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			if n > 100_000 && testing.Short() {
				b.Skip("takes 2 GB")
			}
			before := heapBytes()
			m := newManager(b, session.Config{ServerSide: true, Store: &session.MemoryStore{MaxBytes: 4 << 30}, MemoryBytes: -1})
			cookies := cookiesOf(b, m, n)
			held := heapBytes() - before
			h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if session.From(r.Context()).Load() != nil {
					b.Error("signed out")
				}
			}))
			r, w := httptest.NewRequest(http.MethodGet, "https://shop.example/", nil), discard{http.Header{}}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i += 7919
				r.Header.Set("Cookie", cookies[i%n])
				clear(w.header)
				h.ServeHTTP(w, r)
			}
			b.ReportMetric(float64(held)/float64(n)-float64(len(cookies[0])+16), "B/session")
		})
	}
}

// BenchmarkClaims tells what more claims in the ID token cost: bytes of cookies, and a first sight
// with and without them.
func BenchmarkClaims(b *testing.B) {
	for _, kB := range []int{1, 2, 5, 10, 20} {
		set := tokenSet{ID: tokenWith(kB << 10), Access: setS(1).Access, Refresh: setS(1).Refresh}
		for name, use := range map[string]func(s *session.Session) bool{
			"user":   func(s *session.Session) bool { _, ok := s.Get("user"); return ok },
			"claims": func(s *session.Session) bool { _, ok := inner(s).Claims("id_token"); return ok },
		} {
			b.Run(fmt.Sprintf("%d kB/%s", kB, name), func(b *testing.B) {
				m, r := signedIn(b, session.Config{MemoryBytes: -1, MaxChunks: 9}, set)
				h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if !use(session.From(r.Context())) {
						b.Fatal("signed out")
					}
				}))
				w := discard{http.Header{}}
				b.ReportAllocs()
				for b.Loop() {
					clear(w.header)
					h.ServeHTTP(w, r)
				}
				b.ReportMetric(float64(len(r.Header.Get("Cookie"))), "cookie-B")
			})
		}
	}
}

// tokenWith is an ID token whose claims are groups, as directories give them.
func tokenWith(size int) string {
	var claims strings.Builder
	claims.WriteString(`{"iss":"https://login.example.com","sub":"alice","groups":[`)
	for i := 0; claims.Len() < size-60; i++ {
		fmt.Fprintf(&claims, `"CN=team-%d,OU=%x,DC=example,DC=com",`, i*7919%1000, uint32(i)*2654435761)
	}
	claims.WriteString(`"all"]}`)
	parts := strings.Split(setS(1).ID, ".")
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(claims.String())) + "." + parts[2]
}
