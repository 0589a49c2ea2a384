package session_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

func TestEveryWayToBeginAResponseSavesFirst(t *testing.T) {
	rows := []struct {
		name  string
		write func(t *testing.T, w http.ResponseWriter)
	}{
		{"nothing at all", func(*testing.T, http.ResponseWriter) {}},
		{"WriteHeader", func(_ *testing.T, w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }},
		{"Write", func(_ *testing.T, w http.ResponseWriter) { w.Write([]byte("x")) }},
		{"io.WriteString", func(_ *testing.T, w http.ResponseWriter) { io.WriteString(w, "x") }},
		{"io.Copy", func(_ *testing.T, w http.ResponseWriter) { io.Copy(w, strings.NewReader("x")) }},
		{"http.Flusher", func(_ *testing.T, w http.ResponseWriter) { w.(http.Flusher).Flush() }},
		{"http.ResponseController", func(t *testing.T, w http.ResponseWriter) {
			require.NoError(t, http.NewResponseController(w).Flush())
		}},
		{"http.Redirect", func(_ *testing.T, w http.ResponseWriter) {
			http.Redirect(w, httptest.NewRequest("GET", "/", nil), "/x", http.StatusSeeOther)
		}},
		{"http.Error", func(_ *testing.T, w http.ResponseWriter) { http.Error(w, "x", http.StatusTeapot) }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b := newBrowser(t, newManager(t, session.Config{}))
			w := b.get(func(w http.ResponseWriter, r *http.Request) {
				require.NoError(t, session.From(r.Context()).Set("v", []byte("1")))
				row.write(t, w)
			})
			require.Len(t, setCookies(w), 1)
			require.Equal(t, "1", b.value("v"))
		})
	}
}

func TestInformationalResponseIsNotTheFirstByte(t *testing.T) {
	m := newManager(t, session.Config{})
	server := httptest.NewServer(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		require.NoError(t, session.From(r.Context()).Set("v", []byte("1")))
		io.WriteString(w, "ok")
	})))
	defer server.Close()
	var early int
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { early = code; return nil },
	})
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
	require.NoError(t, err)
	resp, err := server.Client().Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusEarlyHints, early)
	require.Len(t, resp.Header["Set-Cookie"], 1)
}

func TestChangeAfterTheFirstByteIsPublishedAndWarnedOfOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		var log logBook
		c.Logger = log.logger()
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		w := b.get(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			s := session.From(r.Context())
			for _, v := range []string{"2", "3"} {
				require.NoError(t, s.Set("v", []byte(v)))
				err := s.Save(t.Context())
				if c.ServerSide {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, session.ErrCommitted)
				}
			}
			require.NoError(t, s.Set("late", []byte("1")))
		})
		require.Empty(t, setCookies(w))
		require.Equal(t, "3", b.value("v"), "the next request gets it all the same")
		require.Equal(t, "1", b.value("late"))
		want := 1
		if c.ServerSide {
			want = 0
		}
		require.Equal(t, want, strings.Count(log.String(), "level=WARN"), log.String())
	})
}

func TestHijackedResponseStillPublishes(t *testing.T) {
	m := newManager(t, session.Config{})
	b := newBrowser(t, m)
	b.set("v", "1")
	server := httptest.NewServer(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session.From(r.Context()).Set("v", []byte("2"))
		conn, rw, err := http.NewResponseController(w).Hijack()
		require.NoError(t, err)
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\n")
		rw.Flush()
	})))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nCookie: "+b.header()+"\r\n\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "101")
	require.Equal(t, "2", b.value("v"))
}

func TestWriterWithoutHijackSaysSo(t *testing.T) {
	newBrowser(t, newManager(t, session.Config{})).get(func(w http.ResponseWriter, _ *http.Request) {
		_, _, err := http.NewResponseController(w).Hijack()
		require.ErrorIs(t, err, http.ErrNotSupported)
	})
}

func TestCachesAreToldWhenAResponseDependsOnTheSession(t *testing.T) {
	touch := func(r *http.Request) { session.From(r.Context()).Load() }
	rows := []struct {
		name          string
		handler       func(w http.ResponseWriter, r *http.Request)
		control, vary string
	}{
		{"it asked", func(_ http.ResponseWriter, r *http.Request) { touch(r) }, "private, no-store", "Cookie"},
		{"it never asked", func(http.ResponseWriter, *http.Request) {}, "", ""},
		{"it says otherwise", func(w http.ResponseWriter, r *http.Request) {
			touch(r)
			w.Header().Set("Cache-Control", "max-age=60")
		}, "max-age=60", "Cookie"},
		{"it has a Vary of its own", func(w http.ResponseWriter, r *http.Request) {
			touch(r)
			w.Header().Set("Vary", "Accept")
		}, "private, no-store", "Accept,Cookie"},
		{"its Vary names the cookie", func(w http.ResponseWriter, r *http.Request) {
			touch(r)
			w.Header().Set("Vary", "Accept, cookie")
		}, "private, no-store", "Accept, cookie"},
		{"its Vary names what has a cookie in its name", func(w http.ResponseWriter, r *http.Request) {
			touch(r)
			w.Header().Set("Vary", "X-Cookie-Consent")
		}, "private, no-store", "X-Cookie-Consent,Cookie"},
		{"its Vary names it in the second line", func(w http.ResponseWriter, r *http.Request) {
			touch(r)
			w.Header()["Vary"] = []string{"X-Cookie", "Accept ,\tCOOKIE"}
		}, "private, no-store", "X-Cookie,Accept ,\tCOOKIE"},
		{"it varies by everything", func(w http.ResponseWriter, r *http.Request) {
			touch(r)
			w.Header().Set("Vary", "*")
		}, "private, no-store", "*"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newBrowser(t, newManager(t, session.Config{})).get(row.handler)
			require.Equal(t, row.control, w.Header().Get("Cache-Control"))
			require.Equal(t, row.vary, strings.Join(w.Header()["Vary"], ","))
		})
	}
}

func TestOptionalCookieDoesNotRideOnASharedResponse(t *testing.T) {
	old, fresh := session.NewKey(), session.NewKey()
	m := newManager(t, session.Config{Keys: []string{old}})
	b := newBrowser(t, m)
	b.set("v", "1")
	require.NoError(t, m.SetKeys([]string{fresh, old}))
	load := func(control string) *httptest.ResponseRecorder {
		return b.get(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", control)
			require.NoError(t, session.From(r.Context()).Load())
		})
	}
	require.Empty(t, setCookies(load("public, max-age=60")))
	require.Len(t, setCookies(load("private")), 1)
}

func TestFailedSaveReplacesTheResponse(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		if c.Store == nil {
			return
		}
		spy := newSpy(c.Store)
		c.Store = spy
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		w := b.get(func(w http.ResponseWriter, r *http.Request) {
			require.NoError(t, session.From(r.Context()).Set("v", []byte("2")))
			spy.down.Store(true)
			w.Header().Set("Location", "/welcome")
			w.Header().Set("Content-Length", "7")
			w.WriteHeader(http.StatusSeeOther)
			n, err := w.Write([]byte("welcome"))
			require.NoError(t, err)
			require.Equal(t, 7, n)
			io.WriteString(w, "welcome")
			io.Copy(w, strings.NewReader("welcome"))
			require.NoError(t, http.NewResponseController(w).Flush())
		})
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Equal(t, "5", w.Header().Get("Retry-After"))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Empty(t, w.Header().Get("Location"))
		require.NotContains(t, w.Body.String(), "welcome")
		require.Empty(t, setCookies(w))
		spy.down.Store(false)
		require.Equal(t, "1", b.value("v"))
	})
}

func TestFailedSaveThatTheHandlerSawIsItsOwnToAnswer(t *testing.T) {
	spy := newSpy(session.NewMemoryStore())
	b := newBrowser(t, newManager(t, session.Config{Store: spy}))
	w := b.get(func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		require.NoError(t, s.Renew())
		s.Tag("t")
		spy.down.Store(true)
		require.ErrorIs(t, s.Save(r.Context()), session.ErrUnavailable)
		spy.down.Store(false)
		http.Error(w, "try later", http.StatusBadGateway)
	})
	require.Equal(t, http.StatusBadGateway, w.Code)
	require.Empty(t, setCookies(w), "no session with an error page")
}

func TestNestedHandlersShareOneSession(t *testing.T) {
	m, other := newManager(t, session.Config{}), newManager(t, session.Config{CookieName: "other"})
	inner := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		require.Same(t, m.From(r.Context()), session.From(r.Context()))
		require.NotNil(t, other.From(r.Context()))
		require.Same(t, m, session.From(r.Context()).Manager())
		require.NoError(t, session.From(r.Context()).Set("v", []byte("1")))
	}))
	var outside *session.Session
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outside = session.From(r.Context())
		m.Handler(inner).ServeHTTP(w, r)
		v, _ := outside.Get("v")
		require.Equal(t, "1", string(v))
	}))
	w := httptest.NewRecorder()
	other.Handler(h).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Len(t, setCookies(w), 1)
	require.Nil(t, session.From(context.Background()))
	require.Nil(t, m.From(context.Background()))
}

func TestChangesOutliveABrowserThatGoesAway(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", b.header())
		ctx, gone := context.WithCancel(t.Context())
		b.m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			require.NoError(t, session.From(r.Context()).Set("v", []byte("2")))
			gone()
		})).ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
		require.Equal(t, "2", b.value("v"))
	})
}

func TestPanicInTheHandlerSavesNothing(t *testing.T) {
	b := newBrowser(t, newManager(t, session.Config{}))
	require.PanicsWithError(t, "oops", func() {
		b.get(func(_ http.ResponseWriter, r *http.Request) {
			session.From(r.Context()).Set("v", []byte("1"))
			panic(errors.New("oops"))
		})
	})
}

// A cache that many people share would hand the cookie to all of them.
func TestAResponseThatSetsASessionIsNeverKeptByASharedCache(t *testing.T) {
	rows := []struct{ name, said, sent string }{
		{"nothing was said", "", "private, no-store"},
		{"public", "public, max-age=600", "private, no-store"},
		{"an age alone, which shared caches may use", "max-age=60", "private, no-store"},
		{"no-cache, which lets it be kept and asked for again", "no-cache", "private, no-store"},
		{"private stays as the handler said it", "private, max-age=60", "private, max-age=60"},
		{"no-store stays as the handler said it", "No-Store", "No-Store"},
		{"private for one field alone", `private="x-name", max-age=60`, "private, no-store"},
		{"a directive that has private in its name", "max-age=60, x-private=1", "private, no-store"},
		{"private in a quoted string", `max-age=60, x="a, private, b"`, "private, no-store"},
		{"an extension that has no-store in its name", "max-age=60, x-no-store", "private, no-store"},
		{"private among others", "max-age=60 ,\tPRIVATE", "max-age=60 ,\tPRIVATE"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, c session.Config) {
				b := newBrowser(t, newManager(t, c))
				answer := b.send(func(w http.ResponseWriter, r *http.Request) {
					if row.said != "" {
						w.Header().Set("Cache-Control", row.said)
					}
					require.NoError(t, session.From(r.Context()).Set("v", []byte("1")))
				})
				require.NotEmpty(t, answer.Header().Get("Set-Cookie"))
				require.Equal(t, []string{row.sent}, answer.Header()["Cache-Control"])
			})
		})
	}
}

// targetedFields are heeded by some caches in place of Cache-Control (RFC 9213), or were before
// there were such.
var targetedFields = []string{
	"CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Vercel-CDN-Cache-Control", "Netlify-CDN-Cache-Control",
	"Akamai-Cache-Control", "Example-Cache-Control", "cdn-cache-control", "Surrogate-Control", "Edge-Control", "X-Accel-Expires",
}

func TestNoFieldForACacheOfItsOwnLetsItKeepASession(t *testing.T) {
	rows := []struct {
		name    string
		handle  func(t *testing.T, s *session.Session)
		cookies bool // the response sets or expires one
	}{
		{"it sets a session", func(t *testing.T, s *session.Session) { require.NoError(t, s.Set("v", []byte("2"))) }, true},
		{"it expires one", func(t *testing.T, s *session.Session) { require.NoError(t, s.Destroy(t.Context())) }, true},
		{"it would move the idle limit", func(t *testing.T, s *session.Session) { require.NoError(t, s.Load()) }, false},
	}
	for _, field := range targetedFields {
		for _, row := range rows {
			t.Run(field+"/"+row.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBrowser(t, newManager(t, session.Config{}))
					b.set("v", "1")
					time.Sleep(10 * time.Minute)
					w := b.get(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Cache-Control", "private, max-age=0")
						w.Header()[field] = []string{"max-age=600"}
						row.handle(t, session.From(r.Context()))
					})
					require.Equal(t, row.cookies, len(setCookies(w)) > 0)
					require.Equal(t, row.cookies, w.Header()[field] == nil)
					require.Equal(t, "private, max-age=0", w.Header().Get("Cache-Control"))
				})
			})
		}
	}
}

func TestFieldForACacheOfItsOwnStaysOnAResponseWithoutACookie(t *testing.T) {
	b := newBrowser(t, newManager(t, session.Config{}))
	w := b.get(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("CDN-Cache-Control", "max-age=600") })
	require.Equal(t, "max-age=600", w.Header().Get("CDN-Cache-Control"))
}

func TestFieldForACacheOfItsOwnGoesWithTheResponseThatIsReplaced(t *testing.T) {
	spy := newSpy(session.NewMemoryStore())
	b := newBrowser(t, newManager(t, session.Config{Store: spy, ServerSide: true}))
	w := b.get(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("CDN-Cache-Control", "max-age=600")
		require.NoError(t, session.From(r.Context()).Set("v", []byte("1")))
		spy.down.Store(true)
	})
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Empty(t, w.Header().Get("CDN-Cache-Control"))
}

// A dead cookie's end in a cache for many would sign all of them out.
func TestLeftoversAreNotExpiredByASharedResponse(t *testing.T) {
	b := newBrowser(t, newManager(t, session.Config{}))
	b.cookies[cookieName] = "garbage"
	load := func(control string) *httptest.ResponseRecorder {
		return b.send(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", control)
			require.ErrorIs(t, session.From(r.Context()).Load(), session.ErrNoSession)
		})
	}
	require.Empty(t, setCookies(load("public, max-age=60")))
	require.Len(t, setCookies(load("private")), 1)
}
