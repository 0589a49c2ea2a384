package oidcauth_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A flood is an application under logout messages from anybody, with what they cost.
type flood struct {
	*world
	store          *moodyStore
	fetches        int
	writes, reads  int64
	heap           uint64
	began          time.Time
	answersByCount map[int]int
}

func newFlood(t *testing.T) *flood {
	t.Helper()
	f := &flood{store: &moodyStore{Store: session.NewMemoryStore()}}
	f.world = newWorld(t, func(c *oidcauth.Config) {
		c.BackChannelLogout, c.FrontChannelLogout, c.SigningAlg = true, true, "ES256"
		c.Session.Store, c.Logger = f.store, slog.New(slog.DiscardHandler)
	})
	f.provider.Configure(func(s *oidcauthtest.Settings) { s.Alg = "ES256" })
	f.signIn()
	f.heap, f.writes, f.reads = heapInUse(), f.store.writes.Load(), f.store.reads.Load()
	f.fetches, f.began, f.answersByCount = f.provider.Count(oidcauthtest.JWKS), time.Now(), map[int]int{}
	return f
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// deliver hands a request to the application and counts its answer.
func (f *flood) deliver(r *http.Request) {
	answer := httptest.NewRecorder()
	f.mux.ServeHTTP(answer, r)
	f.answersByCount[answer.Code]++
}

func (f *flood) deliverToken(token string) {
	body := url.Values{"logout_token": {token}}.Encode()
	r := httptest.NewRequest(http.MethodPost, app+"/auth/backchannel-logout", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	f.deliver(r)
}

// cost returns what the flood did since it began, and logs it.
func (f *flood) cost(n int) (writes, reads int64, fetches int, heap int64) {
	f.Helper()
	took := time.Since(f.began)
	writes, reads = f.store.writes.Load()-f.writes, f.store.reads.Load()-f.reads
	fetches, heap = f.provider.Count(oidcauthtest.JWKS)-f.fetches, int64(heapInUse())-int64(f.heap)
	f.Logf("%d messages in %v: answers %v, %d rows written, %d reads, %d key fetches, heap %+d KiB",
		n, took.Round(time.Millisecond), f.answersByCount, writes, reads, fetches, heap>>10)
	return writes, reads, fetches, heap
}

func floodSize(n int) int {
	if testing.Short() {
		return n / 20
	}
	return n
}

func TestTenThousandLogoutTokensCostAFewRowsEach(t *testing.T) {
	f := newFlood(t)
	n := floodSize(10_000)
	for i := range n {
		f.deliverToken(f.provider.LogoutToken("app", fmt.Sprint("user ", i), fmt.Sprint("session ", i)))
	}
	writes, _, fetches, heap := f.cost(n)
	require.Equal(t, map[int]int{http.StatusOK: n}, f.answersByCount)
	require.LessOrEqual(t, writes, int64(4*n), "two marks, the number of logouts and the jti")
	require.Zero(t, fetches)
	require.Less(t, heap, int64(n)*4096)
	require.NotNil(t, f.user(), "nobody meant Alice")
}

func TestTenThousandForgedLogoutTokensCostNothing(t *testing.T) {
	forgeries := map[string]func(*oidcauthtest.Token){
		"by an unknown key": func(tok *oidcauthtest.Token) {
			tok.SignWith(oidcauthtest.ForeignKey("ES256"))
			tok.Header.Set("kid", rand.Text())
		},
		"by an unknown key under our id": func(tok *oidcauthtest.Token) { tok.Key = oidcauthtest.ForeignKey("ES256") },
		"for another client":             func(tok *oidcauthtest.Token) { tok.Claims.Set("aud", "other") },
	}
	for name, forge := range forgeries {
		t.Run(name, func(t *testing.T) {
			f := newFlood(t)
			n := floodSize(10_000)
			for range n {
				f.deliverToken(f.provider.LogoutToken("app", "alice", f.provider.Sessions()[0].ID, forge))
			}
			writes, _, fetches, heap := f.cost(n)
			require.Zero(t, f.answersByCount[http.StatusOK])
			require.Zero(t, writes)
			bucket := 5 + int(time.Since(f.began)/(10*time.Second)) + 1
			require.LessOrEqual(t, fetches, bucket, "five at once, then one in 10 s")
			require.Less(t, heap, int64(4<<20))
			require.NotNil(t, f.user())
			f.deliverToken(f.provider.LogoutToken("app", "alice", ""))
			require.Nil(t, f.user(), "the true token still counts")
		})
	}
}

func TestAHundredThousandRandomSIDsWriteNothing(t *testing.T) {
	f := newFlood(t)
	n := floodSize(100_000)
	iss := url.QueryEscape(f.provider.Issuer())
	for range n {
		f.deliver(httptest.NewRequest(http.MethodGet, app+"/auth/frontchannel-logout?iss="+iss+"&sid="+rand.Text(), nil))
	}
	writes, reads, fetches, heap := f.cost(n)
	require.Equal(t, map[int]int{http.StatusOK: n}, f.answersByCount)
	require.Zero(t, writes)
	require.Equal(t, int64(n), reads, "one look each")
	require.Zero(t, fetches)
	require.Less(t, heap, int64(4<<20))
	require.NotNil(t, f.user())
}
