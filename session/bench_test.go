package session_test

import (
	"bufio"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/gorilla/securecookie"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/session"
)

// Ratios count, not times: compare the rows of one run, medians of several (-count 10).

// benchmarkKeys are n keys, newest first.
func benchmarkKeys(n int) (keys []string) {
	for range n {
		keys = append(keys, session.NewKey())
	}
	return keys
}

// signedIn returns a request of a browser whose session holds set and a small value.
func signedIn(b *testing.B, c session.Config, set tokenSet) (*session.Manager, *http.Request) {
	b.Helper()
	m := newManager(b, c)
	browser := newBrowser(b, m)
	browser.with(func(s *session.Session) {
		require.NoError(b, s.Set("user", []byte(`{"sub":"9ecea40c-107c-408a-ae24-ce5798c1fe61"}`)))
		set.keep(b, s)
	})
	r := httptest.NewRequest("GET", "https://shop.example/", nil)
	r.Header.Set("Cookie", "theme=dark; "+browser.header()+"; lang=en")
	return m, r
}

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func stock(b *testing.B, payload []byte) (codec *securecookie.SecureCookie, value string) {
	hash, block := make([]byte, 32), make([]byte, 32)
	rand.Read(hash)
	rand.Read(block)
	codec = securecookie.New(hash, block).MaxAge(0).MaxLength(0).SetSerializer(securecookie.NopEncoder{})
	value, err := codec.Encode("session", append([]byte{}, payload...))
	require.NoError(b, err)
	return codec, value
}

// benchmarkLoad serves requests whose handler asks for the user's value, as a guard does.
func benchmarkLoad(b *testing.B, m *session.Manager, r *http.Request) {
	h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if s.Load() != nil {
			b.Fatal("signed out")
		}
		inside.OfSession(s).Memo(func(s inside.View) any { v, _ := s.Get("user"); return v })
	}))
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

func BenchmarkSight(b *testing.B) {
	for name, set := range map[string]tokenSet{"S": setS(1), "L": setL(1)} {
		payload := make([]byte, 1088) // what S is sealed from
		if name == "L" {
			payload = make([]byte, 2496)
		}
		b.Run(name+"/stock securecookie", func(b *testing.B) {
			codec, value := stock(b, payload)
			b.ReportAllocs()
			for b.Loop() {
				var plain []byte
				if codec.Decode("session", value, &plain) != nil {
					b.Fatal("not decoded")
				}
			}
		})
		b.Run(name+"/handler alone", func(b *testing.B) {
			m := newManager(b, session.Config{})
			h := m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r, w := httptest.NewRequest("GET", "https://shop.example/", nil), discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
		b.Run(name+"/first sight", func(b *testing.B) {
			m, r := signedIn(b, session.Config{MemoryBytes: -1}, set)
			benchmarkLoad(b, m, r)
		})
		b.Run(name+"/repeated sight", func(b *testing.B) {
			m, r := signedIn(b, session.Config{}, set)
			benchmarkLoad(b, m, r)
		})
		b.Run(name+"/repeated sight, marks in a MemoryStore", func(b *testing.B) {
			m, r := signedIn(b, session.Config{Store: session.NewMemoryStore()}, set)
			benchmarkLoad(b, m, r)
		})
		b.Run(name+"/first sight and a token", func(b *testing.B) {
			m, r := signedIn(b, session.Config{MemoryBytes: -1}, set)
			h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if token, _ := session.From(r.Context()).Token("access_token"); token != set.Access {
					b.Fatal("no token")
				}
			}))
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}

func BenchmarkKeysInRotation(b *testing.B) {
	old := session.NewKey()
	for _, n := range []int{1, 4} {
		b.Run([]string{1: "one key", 4: "oldest of four keys"}[n], func(b *testing.B) {
			m, r := signedIn(b, session.Config{Keys: []string{old}, MemoryBytes: -1}, setS(1))
			require.NoError(b, m.SetKeys(append(benchmarkKeys(n-1), old)))
			h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "public") // so that reading alone is measured, without sealing anew
				if session.From(r.Context()).Load() != nil {
					b.Fatal("signed out")
				}
			}))
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}

func BenchmarkSave(b *testing.B) {
	for name, c := range configs() {
		b.Run(name, func(b *testing.B) {
			set := setS(1)
			m, r := signedIn(b, c, set)
			n := byte(0)
			h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				n++
				session.From(r.Context()).Set("n", []byte{n})
			}))
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkRequest measures whole requests through a real server, with a client that costs next to
// nothing.
func BenchmarkRequest(b *testing.B) {
	set := setS(1)
	page := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello\n") }
	b.Run("bare handler", func(b *testing.B) { benchmarkServer(b, http.HandlerFunc(page), "") })
	b.Run("ours", func(b *testing.B) {
		m, r := signedIn(b, session.Config{}, set)
		benchmarkServer(b, m.Handler(userPage(page)), r.Header.Get("Cookie"))
	})
	b.Run("ours without memory", func(b *testing.B) {
		m, r := signedIn(b, session.Config{MemoryBytes: -1}, set)
		benchmarkServer(b, m.Handler(userPage(page)), r.Header.Get("Cookie"))
	})
	b.Run("securecookie with gob", func(b *testing.B) {
		codec, _ := stock(b, nil)
		codec.SetSerializer(securecookie.GobEncoder{})
		value, err := codec.Encode("session", gobSession{map[string]string{"user": "x"}, set.ID, set.Access, set.Refresh})
		require.NoError(b, err)
		var chunks []string
		for i := 0; i*3900 < len(value); i++ {
			chunks = append(chunks, "session"+string(rune('0'+i))+"="+value[i*3900:min(len(value), (i+1)*3900)])
		}
		benchmarkServer(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var text strings.Builder
			for i := range chunks {
				c, _ := r.Cookie("session" + string(rune('0'+i)))
				text.WriteString(c.Value)
			}
			var s gobSession
			if codec.Decode("session", text.String(), &s) != nil {
				panic("not decoded")
			}
			page(w, r)
		}), strings.Join(chunks, "; "))
	})
}

type gobSession struct {
	Values              map[string]string
	ID, Access, Refresh string
}

// userPage answers only signed-in users.
func userPage(page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if inside.OfSession(s).Memo(func(s inside.View) any { v, _ := s.Get("user"); return v }) == nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		page(w, r)
	}
}

func benchmarkServer(b *testing.B, h http.Handler, cookie string) {
	server := httptest.NewServer(h)
	b.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	request := "GET / HTTP/1.1\r\nHost: shop.example\r\n"
	if cookie != "" {
		request += "Cookie: " + cookie + "\r\n"
	}
	request += "\r\n"
	answer := bufio.NewReader(conn)
	exchange := func() {
		io.WriteString(conn, request)
		length := 0
		for line := ""; line != "\r\n"; {
			line, err = answer.ReadString('\n')
			if err != nil || strings.HasPrefix(line, "HTTP/1.1 4") {
				b.Fatal(line, err)
			}
			if rest, ok := strings.CutPrefix(line, "Content-Length: "); ok {
				for _, c := range strings.TrimSpace(rest) {
					length = length*10 + int(c-'0')
				}
			}
		}
		answer.Discard(length)
	}
	exchange()
	b.ReportAllocs()
	for b.Loop() {
		exchange()
	}
}

// BenchmarkManySessions tells what memory a process takes when very many sessions take turns, most
// of them not among the decoded ones any more. Run it with -benchtime 1000000x.
func BenchmarkManySessions(b *testing.B) {
	const sessions = 100_000
	for name, c := range map[string]session.Config{"cookie": {}, "cookie, marks in a MemoryStore": {Store: session.NewMemoryStore()}} {
		b.Run(name, func(b *testing.B) {
			m := newManager(b, c)
			cookies := cookiesOf(b, m, sessions)
			h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if session.From(r.Context()).Load() != nil {
					b.Error("signed out")
				}
			}))
			before, most := heapBytes(), uint64(0)
			for i := 0; b.Loop(); i++ {
				r := httptest.NewRequest("GET", "https://shop.example/", nil)
				r.Header.Set("Cookie", cookies[i*7919%sessions])
				h.ServeHTTP(discard{http.Header{}}, r)
				if i%50_000 == 0 {
					most = max(most, heapBytes())
				}
			}
			most = max(most, heapBytes())
			b.ReportMetric(float64(most-min(before, most))/(1<<20), "MiB-heap-growth")
		})
	}
}

// cookiesOf begins n sessions with tokens and returns their Cookie headers.
func cookiesOf(b *testing.B, m *session.Manager, n int) (cookies []string) {
	set := setS(1)
	h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		set.keep(b, session.From(r.Context()))
	}))
	for range n {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "https://shop.example/", nil))
		c := w.Result().Cookies()[0]
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	return cookies
}

// heapBytes is what is in use after a collection.
func heapBytes() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkListed is what a list of the user's sessions costs the requests of one.
func BenchmarkListed(b *testing.B) {
	for _, mode := range []struct {
		name       string
		serverSide bool
	}{{"cookie and store", false}, {"server side", true}} {
		for _, listed := range []bool{false, true} {
			b.Run(mode.name+map[bool]string{false: ", in no list", true: ", listed"}[listed], func(b *testing.B) {
				m := newManager(b, session.Config{Store: session.NewMemoryStore(), ServerSide: mode.serverSide})
				browser := newBrowser(b, m)
				browser.with(func(s *session.Session) {
					require.NoError(b, s.Set("user", []byte("alice")))
					require.NoError(b, s.Tag("alice"))
					if listed {
						require.NoError(b, s.Enlist("alice", session.Place{UserAgent: "Phone/1.0"}))
					}
				})
				r := httptest.NewRequest("GET", "https://shop.example/", nil)
				r.Header.Set("Cookie", browser.header())
				benchmarkLoad(b, m, r)
			})
		}
	}
}
