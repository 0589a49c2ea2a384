package session_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

// large signs a browser in with so much that its session takes several cookies.
func large(t testing.TB, m *session.Manager, bytes int) *browser {
	b := newBrowser(t, m)
	b.set("v", strings.Repeat("x", bytes))
	return b
}

func TestForgedCookiesMeanSignedOutAndAreExpired(t *testing.T) {
	keys := []string{session.NewKey()}
	m := newManager(t, session.Config{Keys: keys})
	other := newManager(t, session.Config{})
	named := newManager(t, session.Config{Keys: keys, CookieName: "other"})
	two, three := large(t, m, 5000), large(t, m, 8000)
	require.Len(t, two.cookies, 2)
	require.Len(t, three.cookies, 3)
	newer := three.clone()
	newer.set("more", "1")
	single := newBrowser(t, m)
	single.set("v", "1")
	foreign := newBrowser(t, other)
	foreign.set("v", "1")
	otherName := newBrowser(t, named)
	otherName.set("v", "1")

	alter := func(b *browser, change func(c map[string]string)) map[string]string {
		c := b.clone().cookies
		change(c)
		return c
	}
	first := func(value string) func(map[string]string) {
		return func(c map[string]string) { c[cookieName] = value + c[cookieName][1:] }
	}
	rows := []struct {
		name    string
		cookies map[string]string
	}{
		{"a chunk is missing", alter(three, func(c map[string]string) { delete(c, cookieName+".1") })},
		{"the last chunk is missing", alter(three, func(c map[string]string) { delete(c, cookieName+".2") })},
		{"the first chunk is missing", alter(three, func(c map[string]string) { delete(c, cookieName) })},
		{"two chunks are swapped", alter(three, func(c map[string]string) {
			c[cookieName+".1"], c[cookieName+".2"] = c[cookieName+".2"], c[cookieName+".1"]
		})},
		{"a chunk is of another generation", alter(three, func(c map[string]string) { c[cookieName+".1"] = newer.cookies[cookieName+".1"] })},
		{"a tail of another session is counted in", alter(two, func(c map[string]string) {
			c[cookieName+".2"] = three.cookies[cookieName+".2"]
			c[cookieName] = "c" + c[cookieName][1:]
		})},
		{"a byte is cut off the end", alter(single, func(c map[string]string) { c[cookieName] = c[cookieName][:len(c[cookieName])-1] })},
		{"a byte is added at the end", alter(single, func(c map[string]string) { c[cookieName] += "A" })},
		{"a proxy cut it at 4 kB", alter(two, func(c map[string]string) { c[cookieName] = c[cookieName][:3000] })},
		{"count 0", alter(two, first("`"))},
		{"count 1 of 2", alter(two, first("a"))},
		{"count 4 of 3", alter(three, first("d"))},
		{"count 9", alter(two, first("i"))},
		{"count 10", alter(two, first("j"))},
		{"count -1", alter(two, first("-1"))},
		{"count 99999999", alter(two, first("99999999"))},
		{"count 1e9", alter(two, first("1e9"))},
		{"no count", alter(two, first(""))},
		{"empty", map[string]string{cookieName: ""}},
		{"a count and nothing else", map[string]string{cookieName: "a"}},
		{"garbage", map[string]string{cookieName: strings.Repeat("garbage!", 50)}},
		{"too large", map[string]string{cookieName: "a" + strings.Repeat("x", 100_000)}},
		{"the value of a cookie with another name", map[string]string{cookieName: otherName.cookies["__Host-other"]}},
		{"only a chunk", map[string]string{cookieName + ".3": "x"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b := &browser{t: t, m: m, cookies: row.cookies}
			_, bytes := spent(func() {
				b.send(func(_ http.ResponseWriter, r *http.Request) { session.From(r.Context()).Load() })
			})
			require.Less(t, bytes, 30_000+6*len(b.header()), "a lie costs no more than the cookie that tells it")
			var err error
			w := b.with(func(s *session.Session) { err = s.Load() })
			require.ErrorIs(t, err, session.ErrNoSession)
			require.Equal(t, 200, w.Code)
			require.Empty(t, b.cookies, "leftovers are expired")
			for _, line := range setCookies(w) {
				require.Contains(t, line, "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax", "with the same attributes")
			}
		})
	}
	for name, b := range map[string]*browser{"single": single, "two chunks": two, "three chunks": three} {
		require.NoError(t, b.load(), "control: "+name)
	}
	left := &browser{t: t, m: m, cookies: foreign.clone().cookies}
	require.ErrorIs(t, left.load(), session.ErrNoSession)
	require.NotEmpty(t, left.cookies, "another replica may know the key")
}

func TestEveryBitFlipSignsOut(t *testing.T) {
	m := newManager(t, session.Config{})
	b := newBrowser(t, m)
	b.set("v", "1")
	value := b.cookies[cookieName]
	for i := range len(value) {
		altered := []byte(value)
		altered[i] ^= 1
		thief := &browser{t: t, m: m, cookies: map[string]string{cookieName: string(altered)}}
		require.ErrorIs(t, thief.load(), session.ErrNoSession, "byte %d", i)
	}
	require.NoError(t, b.load(), "control")
}

func TestNameThatComesTwiceSignsOut(t *testing.T) {
	m := newManager(t, session.Config{})
	b := newBrowser(t, m)
	b.set("v", "1")
	value := b.cookies[cookieName]
	rows := []struct {
		name    string
		headers []string
		signed  bool
	}{
		{"once", []string{cookieName + "=" + value}, true},
		{"between others, with odd spaces", []string{"a=1;\t" + cookieName + "=" + value + " ;b=2; ;"}, true},
		{"in the second header line", []string{"a=1", cookieName + "=" + value}, true},
		{"another cookie whose name begins alike", []string{cookieName + "x=1; " + cookieName + ".10=1; " + cookieName + ".0=2; " + cookieName + "=" + value}, true},
		{"a stale tail", []string{cookieName + "=" + value + "; " + cookieName + ".1=stale"}, true},
		{"twice", []string{cookieName + "=" + value + "; " + cookieName + "=" + value}, false},
		{"twice in two lines", []string{cookieName + "=" + value, cookieName + "=x"}, false},
		{"a chunk twice", []string{cookieName + "=" + value + "; " + cookieName + ".1=a; " + cookieName + ".1=b"}, false},
		{"the name without value", []string{cookieName}, false},
		{"no cookie", nil, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header["Cookie"] = row.headers
			w := httptest.NewRecorder()
			m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				require.Equal(t, row.signed, session.From(r.Context()).Load() == nil)
			})).ServeHTTP(w, r)
			require.Equal(t, !row.signed && row.headers != nil, len(setCookies(w)) > 0)
		})
	}
}

func TestChunksStayWithinFourKilobytesAndComeBackAtEverySize(t *testing.T) {
	for _, c := range []session.Config{{}, {CookieDomain: "shop.example", CookiePath: "/some/where"}} {
		m := newManager(t, c)
		last := 1
		for size := 1500; size < 11_000; size += 61 {
			b := newBrowser(t, m)
			w := b.set("v", strings.Repeat("x", size))
			for _, line := range setCookies(w) {
				require.LessOrEqual(t, len(line), 4096)
			}
			require.GreaterOrEqual(t, len(b.cookies), last)
			last = len(b.cookies)
			for name, value := range b.cookies {
				require.NotEmpty(t, value, "no empty chunk: %s", name)
			}
			require.Len(t, b.value("v"), size)
		}
		require.Equal(t, 4, last)
	}
}

func TestSessionThatShrinksExpiresItsSurplusChunks(t *testing.T) {
	b := large(t, newManager(t, session.Config{}), 8000)
	stale := b.clone()
	require.Len(t, b.cookies, 3)
	w := b.set("v", "1")
	require.Len(t, setCookies(w), 3)
	require.Len(t, b.cookies, 1)
	b.cookies[cookieName+".2"] = stale.cookies[cookieName+".2"] // brought back by a late response
	require.Equal(t, "1", b.value("v"))
	require.Len(t, b.set("v", "2").Result().Cookies(), 2, "and goes with the next change")
	require.Len(t, b.cookies, 1)
}

func TestTooLargeIsAClearErrorAndChangesNothing(t *testing.T) {
	rows := []struct {
		name  string
		c     session.Config
		limit int
	}{
		{"four cookies", session.Config{}, 12_000},
		{"one cookie", session.Config{MaxChunks: 1}, 3000},
		{"server side", session.Config{ServerSide: true, Store: session.NewMemoryStore()}, 256 << 10},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b := newBrowser(t, newManager(t, row.c))
			b.set("v", "before")
			b.with(func(s *session.Session) {
				require.NoError(t, s.Set("big", make([]byte, row.limit)))
				err := s.Save(t.Context())
				require.ErrorIs(t, err, session.ErrTooLarge)
				if !row.c.ServerSide {
					require.ErrorContains(t, err, "Config.ServerSide")
				}
			})
			require.Equal(t, "before", b.value("v"))
			require.Equal(t, "", b.value("big"))
			w := b.with(func(s *session.Session) { require.NoError(t, s.Set("big", make([]byte, row.limit))) })
			require.Equal(t, 500, w.Code, "unless the handler looks itself")
			require.NotContains(t, w.Body.String(), "session")
			require.Equal(t, "before", b.value("v"))
		})
	}
}

func TestMoreChunksThanPermittedAreNotRead(t *testing.T) {
	keys := []string{session.NewKey()}
	b := large(t, newManager(t, session.Config{Keys: keys}), 8000)
	b.m = newManager(t, session.Config{Keys: keys, MaxChunks: 2})
	require.ErrorIs(t, b.load(), session.ErrNoSession)
	require.Empty(t, b.cookies, "and all are expired")
}

func TestLargeCookiesAreWarnedOf(t *testing.T) {
	var log logBook
	m := newManager(t, session.Config{Logger: log.logger()})
	large(t, m, 5000)
	require.NotContains(t, log.String(), "large")
	large(t, m, 7000)
	require.Contains(t, log.String(), "session cookies are large")
}

func TestCookieNamesAndAttributesFollowTheConfig(t *testing.T) {
	rows := []struct {
		name string
		c    session.Config
		want string
	}{
		{"default", session.Config{}, "__Host-session=;Path=/;HttpOnly;Secure;SameSite=Lax"},
		{"another name", session.Config{CookieName: "shop"}, "__Host-shop=;Path=/;HttpOnly;Secure;SameSite=Lax"},
		{"a domain gives up the prefix", session.Config{CookieDomain: "example.com"},
			"session=;Path=/;Domain=example.com;HttpOnly;Secure;SameSite=Lax"},
		{"a path gives up the prefix", session.Config{CookiePath: "/shop"}, "session=;Path=/shop;HttpOnly;Secure;SameSite=Lax"},
		{"insecure, for development", session.Config{InsecureCookie: true}, "session=;Path=/;HttpOnly;SameSite=Lax"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newBrowser(t, newManager(t, row.c)).set("v", "1")
			cookie := w.Result().Cookies()[0]
			cookie.Value, cookie.MaxAge = "", 0
			require.Equal(t, row.want, strings.ReplaceAll(cookie.String(), "; ", ";"))
		})
	}
}

func TestBadConfigIsRefusedWithEveryMistake(t *testing.T) {
	rows := []struct {
		name string
		c    session.Config
		says []string
	}{
		{"no keys", session.Config{}, []string{"session: Keys: no keys"}},
		{"a short key", session.Config{Keys: []string{"c2hvcnQ="}}, []string{"session: Keys: key 1 of 1: 5 bytes, want 32"}},
		{"two bad keys", session.Config{Keys: []string{"c2hvcnQ=", "?"}},
			[]string{"session: Keys: key 1 of 2: 5 bytes, want 32", "session: Keys: key 2 of 2: not base64"}},
		{"server side without store", session.Config{ServerSide: true}, []string{"ServerSide needs a Store"}},
		{"lifetimes", session.Config{Lifetime: time.Millisecond, IdleTimeout: time.Millisecond},
			[]string{"Lifetime is 1ms", "IdleTimeout is 1ms"}},
		{"a lifetime no browser keeps", session.Config{Lifetime: 401 * 24 * time.Hour}, []string{"400 days"}},
		{"chunks", session.Config{MaxChunks: 10}, []string{"MaxChunks is 10, want 1 to 9"}},
		{"a name with a prefix", session.Config{CookieName: "__Host-x"}, []string{"without prefix"}},
		{"a name of another manager's chunk", session.Config{CookieName: "session.1"}, []string{`CookieName is "session.1"`}},
		{"a name with a space", session.Config{CookieName: "a b"}, []string{`CookieName "a b"`}},
		{"a path without slash", session.Config{CookiePath: "x"}, []string{`CookiePath "x"`}},
		{"a domain that is none", session.Config{CookieDomain: "a b"}, []string{`CookieDomain "a b"`}},
		{"a time-out", session.Config{StoreTimeout: -1}, []string{"StoreTimeout"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := session.New(row.c)
			for _, want := range row.says {
				require.ErrorContains(t, err, want)
			}
		})
	}
	_, err := session.New(session.Config{Keys: []string{"x"}, MaxChunks: -1, ServerSide: true, CookieName: ";"})
	require.Len(t, strings.Split(err.Error(), "\n"), 4, "all at once: %v", err)
}

func TestConfigIsGivenBackFilledInAndWithoutKeys(t *testing.T) {
	c := newManager(t, session.Config{}).Config()
	require.Empty(t, c.Keys)
	require.Equal(t, 12*time.Hour, c.Lifetime)
	require.Equal(t, time.Hour, c.IdleTimeout)
	require.Equal(t, "session", c.CookieName)
	require.Equal(t, 4, c.MaxChunks)
	require.Equal(t, 16<<20, c.MemoryBytes)
	require.Equal(t, 3*time.Second, c.StoreTimeout)
}

// FuzzCookieHeader: whatever stands in the Cookie header, nothing but what was set is read, and nothing panics.
func FuzzCookieHeader(f *testing.F) {
	m := newManager(f, session.Config{})
	b := large(f, m, 5000)
	good := b.header()
	f.Add(good)
	f.Add(cookieName + "=2x; " + cookieName + ".1=y")
	f.Add(strings.Replace(good, cookieName+".1", cookieName+".2", 1))
	f.Add(";;=;" + cookieName + "=\";" + cookieName + ".9=")
	want := bytes.Repeat([]byte{'x'}, 5000)
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		w := httptest.NewRecorder()
		m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			if s.Load() == nil {
				v, _ := s.Get("v")
				require.Equal(t, want, v)
			}
		})).ServeHTTP(w, r)
		require.Equal(t, 200, w.Code)
		require.LessOrEqual(t, len(setCookies(w)), 9)
	})
}

func TestTooManyNamesAreAClearError(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.with(func(s *session.Session) {
			for i := range 300 {
				require.NoError(t, s.Set(fmt.Sprint(i), nil))
			}
			require.ErrorIs(t, s.Save(t.Context()), session.ErrTooLarge)
		})
		require.ErrorIs(t, b.load(), session.ErrNoSession)
	})
}
