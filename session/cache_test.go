package session_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/session"
)

// heap is what is in use after a collection.
func heap() int {
	runtime.GC()
	runtime.GC() // what pools held
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

func TestMemoryOfDecodedSessionsKeepsItsBound(t *testing.T) {
	const bound, sessions = 1 << 20, 1000
	m := newManager(t, session.Config{MemoryBytes: bound})
	set := setS(1)
	cookies := make([]string, sessions)
	for i := range cookies {
		b := newBrowser(t, m)
		b.with(func(s *session.Session) {
			require.NoError(t, s.Set("n", fmt.Append(nil, i)))
			set.keep(t, s)
		})
		cookies[i] = b.header()
	}
	visit := func(i int) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", cookies[i])
		m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			n := inside.OfSession(s).Memo(func(s inside.View) any { v, _ := s.Get("n"); return string(v) })
			require.Equal(t, fmt.Sprint(i), n, "never another's")
			token, _ := s.Token("access_token")
			require.Equal(t, set.Access, token)
		})).ServeHTTP(httptest.NewRecorder(), r)
	}
	before := heap()
	for i := range 2 * sessions {
		visit(i % sessions)
	}
	require.Less(t, heap()-before, bound*5/4)
	runtime.KeepAlive(m)
	runtime.KeepAlive(cookies)
}

func TestHitInMemoryChecksTheLimitsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, newManager(t, session.Config{}))
		b.set("v", "1")
		thief := b.clone()
		for range 3 {
			time.Sleep(30 * time.Minute)
			require.NoError(t, b.load())
		}
		require.ErrorIs(t, thief.load(), session.ErrNoSession, "its own cookie was idle for an hour and a half")
	})
}

func TestHitInMemoryComparesEveryByte(t *testing.T) {
	m := newManager(t, session.Config{})
	b := large(t, m, 5000)
	require.NoError(t, b.load()) // it is remembered now
	for _, name := range []string{cookieName, cookieName + ".1"} {
		value := b.cookies[name]
		for _, i := range []int{0, 1, len(value) / 2, len(value) - 1} {
			altered := []byte(value)
			altered[i] ^= 1
			thief := b.clone()
			thief.cookies[name] = string(altered)
			require.ErrorIs(t, thief.load(), session.ErrNoSession, "%s, byte %d", name, i)
		}
	}
	require.NoError(t, b.load())
}

func TestMemoryCanBeSwitchedOff(t *testing.T) {
	b := newBrowser(t, newManager(t, session.Config{MemoryBytes: -1}))
	b.set("v", "1")
	builds := 0
	for range 3 {
		b.with(func(s *session.Session) {
			inside.OfSession(s).Memo(func(inside.View) any { builds++; return nil })
		})
	}
	require.Equal(t, 3, builds)
}
