package oidcauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

func TestProvidersThatNobodyNeedsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		require.Zero(t, oidcauth.Built(w.providers), "they are built when they are needed")
		w.signIn("acme")
		w.signIn("bolt")
		require.Equal(t, 2, oidcauth.Built(w.providers))
		discovered := w.idps["acme"].Count(oidcauthtest.Discovery)
		for range 4 {
			time.Sleep(10 * time.Minute)
			require.Equal(t, http.StatusOK, w.get("/bolt/").Status)
		}
		require.Equal(t, 1, oidcauth.Built(w.providers), "the other one is in use")
		w.signIn("acme")
		require.Equal(t, discovered+1, w.idps["acme"].Count(oidcauthtest.Discovery), "what it knew has gone with it")
	})
}

// TestProvidersThatNobodyNeedsTakeNoMemory: a thousand tenants whose users were here once cost no more than before.
func TestProvidersThatNobodyNeedsTakeNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1_000
		w := newTown(t)
		w.signIn("bolt")
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("tenant-%d", i)
			issuer := "https://" + names[i] + ".test"
			w.network.Handle(issuer, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(rw, `{"issuer":%[1]q,"authorization_endpoint":"%[1]s/a","token_endpoint":"%[1]s/t","jwks_uri":"%[1]s/k","padding":%[2]q}`,
					issuer, strings.Repeat("x", 2_000))
			}))
			require.NoError(t, w.providers.Add(names[i], oidcauth.Config{Issuer: issuer, ClientID: "app", ClientSecret: "s"}))
		}
		before := heap()
		for _, name := range names {
			auth, err := w.providers.Get(name)
			require.NoError(t, err)
			require.NoError(t, auth.Discover(t.Context()))
		}
		used := heap()
		time.Sleep(31 * time.Minute)
		for range n / 4 {
			time.Sleep(10 * time.Millisecond)
			require.Equal(t, http.StatusOK, w.get("/bolt/").Status)
		}
		after := heap()
		t.Logf("bytes for each: %d while they are used, %d afterwards", (used-before)/n, (after-before)/n)
		require.Equal(t, 1, oidcauth.Built(w.providers))
		require.Less(t, after-before, (used-before)/4, "some of it is the record that the network of the test keeps")
		runtime.KeepAlive(w)
	})
}

// heap is what is alive.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestProvidersChangeUnderLoad is for the race detector: people sign in at one provider while others come and go, and none
// of them is ever refused.
func TestProvidersChangeUnderLoad(t *testing.T) {
	w := newTown(t)
	var changing, visiting sync.WaitGroup
	stop := make(chan struct{})
	for n := range 2 {
		name := fmt.Sprintf("guest-%d", n)
		w.openAt(name, "https://"+name+".test")
		c := w.config(name)
		changing.Go(func() {
			for range 60 {
				_ = w.providers.Add(name, c)
				_ = w.providers.List()
				_ = w.providers.Replace(t.Context(), name, c)
				if _, err := w.providers.Get(name); err != nil {
					t.Error(err)
				}
				_ = w.providers.Retire(name)
				_ = w.providers.Remove(t.Context(), name)
			}
		})
		visiting.Go(func() {
			b := oidcauthtest.NewBrowser(w.network)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if status := b.NewTab().Get(app + "/acme/").Status; status != http.StatusOK {
					t.Errorf("a user of acme got %d", status)
				}
				b.NewTab().Get(app + "/auth/" + name + "/login")
				b.ClearCookies()
			}
		})
	}
	changing.Wait()
	close(stop)
	visiting.Wait()
	require.Len(t, w.providers.List(), 2)
}

// thousands are n providers, with what options says, and a browser that is signed in at one.
func thousands(b *testing.B, n int, options func(name string) []oidcauth.ProviderOption) (p *oidcauth.Providers, cookies []*http.Cookie) {
	b.Helper()
	network := oidcauthtest.NewNetwork()
	idp := oidcauthtest.NewProvider(oidcauthtest.Settings{Clients: []oidcauthtest.Client{{ID: "app", Secret: "s", RedirectURIs: []string{app + "/auth/t0/callback"}}}})
	network.Handle(idp.Issuer(), idp)
	p, err := oidcauth.NewProviders(oidcauth.ProvidersConfig{
		URL: app + "/auth/", Session: session.Config{Keys: []string{testKey}}, HTTPClient: network.Client(),
	})
	require.NoError(b, err)
	require.NoError(b, p.Add("t0", oidcauth.Config{Issuer: idp.Issuer(), ClientID: "app", ClientSecret: "s"}, options("t0")...))
	for i := 1; i < n; i++ {
		name := fmt.Sprintf("t%d", i)
		c := oidcauth.Config{Issuer: "https://" + name + ".test", ClientID: "app", ClientSecret: "s"}
		require.NoError(b, p.Add(name, c, options(name)...))
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", p)
	mux.Handle("/", p.Require("t0")(http.HandlerFunc(writeUser)))
	network.Handle(app, mux)
	browser := oidcauthtest.NewBrowser(network)
	require.Equal(b, http.StatusOK, browser.NewTab().Get(app+"/").Status)
	return p, browser.Cookies(app + "/")
}

func notOffered(string) []oidcauth.ProviderOption { return nil }

// BenchmarkProvidersRequest is one request of a signed-in user, by the number of providers.
func BenchmarkProvidersRequest(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("of %d", n), func(b *testing.B) {
			p, cookies := thousands(b, n, notOffered)
			h := p.RequireAny()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r := httptest.NewRequest(http.MethodGet, app+"/", nil)
			for _, c := range cookies {
				r.AddCookie(c)
			}
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

// BenchmarkProvidersMemory is what each of 10,000 providers takes: while nobody needs it, and once it is built.
func BenchmarkProvidersMemory(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		before := heap()
		p, _ := thousands(b, n, notOffered)
		idle := heap()
		for _, info := range p.List() {
			_, err := p.Get(info.Name)
			require.NoError(b, err)
		}
		built := heap()
		b.ReportMetric(float64(idle-before)/n, "B/idle")
		b.ReportMetric(float64(built-before)/n, "B/built")
		runtime.KeepAlive(p)
	}
}
