package session_test

import (
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/seal"
	"github.com/signet-go/signet/session"
)

// widest makes every Set-Cookie line as long as it gets: Max-Age has all its digits.
func widest(name string) session.Config {
	return session.Config{CookieName: name, Lifetime: 400 * 24 * time.Hour, IdleTimeout: -1}
}

// TestChunksAreFilledToTheLastByte moves the end of the value over the end of the last chunk, byte
// by byte, with longer names.
func TestChunksAreFilledToTheLastByte(t *testing.T) {
	const most = 4096
	sizes := map[int][]int{1: {2932, 2868}, 2: {5832, 5768}, 3: {8882, 8818}, 4: {11832, 11768}}
	for chunks, values := range sizes {
		exact, over := 0, 0
		for _, size := range values {
			for n := 1; n < 100; n++ {
				b := newBrowser(t, newManager(t, widest(strings.Repeat("n", n))))
				var err error
				w := b.with(func(s *session.Session) {
					require.NoError(t, s.Set("v", []byte(strings.Repeat("x", size))))
					err = s.Save(t.Context())
				})
				if errors.Is(err, session.ErrTooLarge) {
					require.Equal(t, 4, chunks, "only what does not fit four is refused")
					over++
					continue
				}
				require.NoError(t, err)
				lines := setCookies(w)
				for i, line := range lines {
					require.LessOrEqual(t, len(line), most)
					require.True(t, i == len(lines)-1 || len(line) == most, "chunk %d of %d has %d bytes: only the last has room", i+1, len(lines), len(line))
				}
				for name, value := range b.cookies {
					require.NotEmpty(t, value, name)
				}
				require.Len(t, b.value("v"), size)
				switch {
				case len(lines) == chunks && len(lines[chunks-1]) > most-chunks: // a longer name takes a byte of each chunk
					exact++
				case len(lines) > chunks:
					over++
				}
			}
		}
		require.Positive(t, exact, "%d chunks, and not a byte to spare", chunks)
		require.Positive(t, over, "more than %d chunks", chunks)
	}
}

func TestSessionGrowsAndShrinksBetweenAnyNumberOfChunks(t *testing.T) {
	sizes := []int{1, 1_000, 5_000, 8_000, 11_000} // of one, one, two, three and four chunks
	chunks := []int{1, 1, 2, 3, 4}
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		round := 0
		at := func(i int) {
			t.Helper()
			before := len(b.cookies)
			round++
			value := strings.Repeat(string(rune('A'+round)), sizes[i])
			w := b.set("v", value)
			if !c.ServerSide {
				require.Len(t, b.cookies, chunks[i])
				require.Len(t, setCookies(w), max(before, chunks[i]), "each chunk is set or expired, and no other")
			}
			require.Equal(t, value, b.value("v"))
			require.Empty(t, setCookies(b.with(func(s *session.Session) { s.Load() })))
		}
		for from := range sizes {
			for to := range sizes {
				if from != to {
					at(from)
					at(to)
				}
			}
		}
		b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		require.Empty(t, b.cookies, "the end expires every chunk")
	})
}

// spent is the least that fn allocates in a few runs: others allocate meanwhile, and pools are
// filled.
func spent(fn func()) (mallocs, bytes int) {
	mallocs, bytes = math.MaxInt, math.MaxInt
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fn()
		runtime.ReadMemStats(&after)
		mallocs = min(mallocs, int(after.Mallocs-before.Mallocs))
		bytes = min(bytes, int(after.TotalAlloc-before.TotalAlloc))
	}
	return mallocs, bytes
}

func TestCountThatLiesCostsNoMoreThanTheCookieItself(t *testing.T) {
	m := newManager(t, session.Config{MaxChunks: 9})
	b := large(t, m, 20_000)
	good := b.clone()
	n := len(good.cookies)
	require.Greater(t, n, 5)
	load := func(b *browser) (mallocs, bytes int) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", b.header())
		w := httptest.NewRecorder()
		h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { session.From(r.Context()).Load() }))
		return spent(func() { h.ServeHTTP(w, r) })
	}
	for _, count := range []string{"a", "b", "f", "i", "j", "z", "`", "0", "9", "~", "99999999999", "-1", "\x01", "\xff"} {
		t.Run(count, func(t *testing.T) {
			liar := good.clone()
			liar.cookies[cookieName] = count + good.cookies[cookieName][1:]
			if liar.cookies[cookieName] == good.cookies[cookieName] {
				return
			}
			mallocs, bytes := load(liar)
			require.Less(t, mallocs, 400)
			require.Less(t, bytes, 8*len(good.header()))
			require.ErrorIs(t, liar.load(), session.ErrNoSession)
		})
	}
	missing := good.clone()
	delete(missing.cookies, cookieName+".3")
	_, bytes := load(missing)
	require.Less(t, bytes, 30_000, "with a chunk missing nothing is joined or opened")
	require.NoError(t, good.load())
}

// sealedAs seals plain as the cookie of a session in one chunk.
func sealedAs(t *testing.T, key string, plain []byte) string {
	ring, err := seal.NewKeyring([]string{key})
	require.NoError(t, err)
	text, err := ring.Sealer("session").Seal(cookieName+"/1", plain)
	require.NoError(t, err)
	return "a" + text
}

func TestCookieThatOnlyAnotherReplicaUnderstandsIsLeftAlone(t *testing.T) {
	key := session.NewKey()
	past := &packed.Generation{ID: "AAAA", Number: 1, Created: 1, Deadline: 2}
	plain, err := past.Apply(&packed.Delta{Values: map[string][]byte{"v": []byte("1")}}, nil).Pack()
	require.NoError(t, err)
	newer := append([]byte{2}, plain[1:]...)
	older := append([]byte{0}, plain[1:]...)
	good := sealedAs(t, key, plain)
	rows := []struct {
		name, value string
		left        bool
	}{
		{"sealed by a key that is not here", sealedAs(t, session.NewKey(), plain), true},
		{"sealed in a newer format", "a2" + good[2:], true},
		{"packed in a newer version", sealedAs(t, key, newer), true},
		{"packed in a version that never was", sealedAs(t, key, older), false},
		{"packed with nothing inside", sealedAs(t, key, []byte{1}), false},
		{"a control: long past its limit", good, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			m := newManager(t, session.Config{Keys: []string{key}})
			b := &browser{t: t, m: m, cookies: map[string]string{cookieName: row.value}}
			var err error
			w := b.with(func(s *session.Session) { err = s.Load() })
			require.ErrorIs(t, err, session.ErrNoSession)
			require.Equal(t, row.left, len(setCookies(w)) == 0)
			require.Equal(t, row.left, b.cookies[cookieName] == row.value)
			b.set("v", "2") // whoever signs in here gets a session all the same
			require.Equal(t, "2", b.value("v"))
		})
	}
}
