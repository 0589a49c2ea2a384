package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// ask requests a page with exactly these Cookie headers.
func (w *world) ask(path string, change func(*http.Request), cookies ...string) (*http.Response, string) {
	w.Helper()
	r, err := http.NewRequest(http.MethodGet, app+path, http.NoBody)
	require.NoError(w, err)
	if change != nil {
		change(r)
	}
	if len(cookies) > 0 {
		r.Header["Cookie"] = cookies
	}
	answer, err := w.network.RoundTrip(r)
	require.NoError(w, err)
	defer answer.Body.Close()
	var body json.RawMessage
	_ = json.NewDecoder(answer.Body).Decode(&body)
	return answer, string(body)
}

// requireSignedOut asserts R3: nobody on the public page, 401 for a script, the provider for a page, never a 5xx.
func (w *world) requireSignedOut(cookies ...string) (public *http.Response) {
	w.Helper()
	began := time.Now()
	public, body := w.ask("/", nil, cookies...)
	require.Less(w, time.Since(began), cheap)
	require.Equal(w, http.StatusOK, public.StatusCode)
	require.Equal(w, "null", body)
	script, _ := w.ask("/me", nil, cookies...)
	require.Equal(w, http.StatusUnauthorized, script.StatusCode)
	page, _ := w.ask("/me", opened, cookies...)
	require.Equal(w, http.StatusSeeOther, page.StatusCode)
	require.True(w, strings.HasPrefix(page.Header.Get("Location"), w.provider.Issuer()))
	return public
}

// session returns the session's cookies as name=value pairs, in their order.
func (w *world) session() (pairs []string) {
	for _, c := range w.browser.Cookies(app) {
		if c.Name == "__Host-session" || strings.HasPrefix(c.Name, "__Host-session.") {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return pairs
}

// chunked makes the session take several cookies.
func chunked(w *world) {
	claims := map[string]any{"roles": []string{"user"}}
	for i := range 12 {
		claims[fmt.Sprintf("claim-%d", i)] = string(noise(i))
	}
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: "alice", Claims: claims} })
	w.signIn()
	require.Len(w, w.session(), 3, "the session takes several cookies")
}

// noise is text that does not compress.
func noise(seed int) []byte {
	out := make([]byte, 700)
	x := uint32(seed)*2654435761 + 12345
	for i := range out {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		out[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"[x>>8&63]
	}
	return out
}

// Each row is what a hostile browser makes of a good session's cookies.
func TestAnAlteredSessionIsNoSession(t *testing.T) {
	for name, alter := range map[string]func(pairs []string) []string{
		"the count is 0":        count1("0"),
		"the count is one less": count1("2"),
		"the count is one more": count1("4"),
		"the count is 9":        count1("9"),
		"the count is a letter": count1("x"),
		"the count is a sign":   count1("-"),
		"the count is 99999999": count1("99999999"),
		"the count is 1e9":      count1("1e9"),
		"the count is gone":     count1(""),
		"the first is missing":  func(p []string) []string { return p[1:] },
		"the last is missing":   func(p []string) []string { return p[:len(p)-1] },
		"the last is empty":     func(p []string) []string { return append(p[:len(p)-1:len(p)-1], "__Host-session.1=") },
		"two are swapped": func(p []string) []string {
			return []string{"__Host-session=" + valueOf(p[1]), "__Host-session.1=" + valueOf(p[0])}
		},
		"the first comes twice":     func(p []string) []string { return append([]string{p[0]}, p...) },
		"the last comes twice":      func(p []string) []string { return append(p, p[len(p)-1]) },
		"an empty one comes before": func(p []string) []string { return append([]string{"__Host-session="}, p...) },
		"the last goes on":          func(p []string) []string { return append(p[:len(p)-1:len(p)-1], p[len(p)-1]+"AAAA") },
		"the first is cut at 4 kB":  func(p []string) []string { return append([]string{p[0][:len(p[0])-10]}, p[1:]...) },
		"all is one cookie":         func(p []string) []string { return []string{p[0] + valueOf(p[1])} },
		"it is 100 kB":              func(p []string) []string { return append(p[:1:1], "__Host-session.1="+strings.Repeat("A", 100<<10)) },
		"it is quoted":              func(p []string) []string { return append([]string{`__Host-session="` + valueOf(p[0]) + `"`}, p[1:]...) },
		"it is under another name":  func(p []string) []string { return []string{"session=" + valueOf(p[0]), "session.1=" + valueOf(p[1])} },
		"the name is in capitals":   func(p []string) []string { return []string{strings.ToUpper("__Host-session=") + valueOf(p[0]), p[1]} },
		"it is junk":                func([]string) []string { return []string{"__Host-session=junk"} },
		"it is a bomb of gob":       func([]string) []string { return []string{"__Host-session=1" + strings.Repeat("/", 4000)} },
		"it is JSON":                func([]string) []string { return []string{`__Host-session=1{"oidc":{"p":"x"}}`} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			chunked(w)
			pairs := w.session()
			_, body := w.ask("/", nil, strings.Join(pairs, "; "))
			require.Contains(t, body, "alice", "the cookies as they are sign in")
			_, body = w.ask("/", nil, strings.Join(reversed(pairs), "; "))
			require.Contains(t, body, "alice", "in any order")
			_, body = w.ask("/", nil, pairs...)
			require.Contains(t, body, "alice", "in several headers")
			altered := alter(append([]string(nil), pairs...))
			public := w.requireSignedOut(strings.Join(altered, "; "))
			for _, line := range public.Header.Values("Set-Cookie") {
				require.Contains(t, line, "Max-Age=0")
			}
			require.NotNil(t, w.user(), "the true cookies are still good")
		})
	}
}

func count1(n string) func([]string) []string {
	return func(p []string) []string {
		p[0] = "__Host-session=" + n + valueOf(p[0])[1:]
		return p
	}
}

func valueOf(pair string) string {
	_, value, _ := strings.Cut(pair, "=")
	return value
}

func reversed(list []string) (out []string) {
	for i := len(list) - 1; i >= 0; i-- {
		out = append(out, list[i])
	}
	return out
}

func TestChunksOfTwoSessionsDoNotMix(t *testing.T) {
	w := newWorld(t, noPAR)
	chunked(w)
	alice := w.session()
	w.anew()
	chunked(w)
	other := w.session()
	require.Len(t, other, len(alice))
	for i := range alice {
		mixed := append([]string(nil), alice...)
		mixed[i] = other[i]
		w.requireSignedOut(strings.Join(mixed, "; "))
	}
	stale := append(append([]string(nil), alice...), "__Host-session.8=stale")
	_, body := w.ask("/", nil, strings.Join(stale, "; "))
	require.Contains(t, body, "alice", "a stale tail does not matter")
}

// Every byte of a cookie matters, and none tells what it was for.
func TestEveryFlippedBitEndsTheSession(t *testing.T) {
	for kind, kept := range modes {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, noPAR, kept)
			w.signIn()
			value := valueOf(w.session()[0])
			for i := range value {
				for _, bit := range []byte{1, 2, 4, 8, 16, 32} {
					edited := []byte(value)
					edited[i] ^= bit
					if !validCookieByte(edited[i]) {
						continue
					}
					answer, body := w.ask("/", nil, "__Host-session="+string(edited))
					require.Equal(t, http.StatusOK, answer.StatusCode)
					require.Equal(t, "null", body, "byte %d, bit %d", i, bit)
				}
			}
			require.NotNil(t, w.user())
		})
	}
}

// A value is good for its own cookie, its own name and its own keys.
func TestAValueIsGoodInItsOwnPlaceOnly(t *testing.T) {
	w := newWorld(t, noPAR)
	w.signIn()
	good := valueOf(w.session()[0])
	for name, change := range map[string]func(*oidcauth.Config){
		"another cookie name": func(c *oidcauth.Config) { c.Session.CookieName = "other" },
		"another key":         func(c *oidcauth.Config) { c.Session.Keys = []string{session.NewKey()} },
		"server-side":         func(c *oidcauth.Config) { c.Session.ServerSide = true },
	} {
		t.Run(name, func(t *testing.T) {
			other := newWorld(t, noPAR, change)
			other.signIn()
			other.requireSignedOut("__Host-session="+good, "__Host-other="+good)
		})
	}
	for c := range modes {
		t.Run("a transaction as a session, "+c, func(t *testing.T) {
			other := newWorld(t, noPAR, modes[c])
			other.callbackURL()
			other.requireSignedOut("__Host-session=" + other.browser.Cookie(app, transactionOf(t, other)).Value)
		})
	}
	t.Run("the same keys at another client", func(t *testing.T) {
		other := newWorld(t, noPAR, func(c *oidcauth.Config) { c.ClientID = "other" })
		answer, _ := other.ask("/me", nil, "__Host-session="+good)
		require.Equal(t, http.StatusUnauthorized, answer.StatusCode, "a guard takes its own Authenticator's users only")
	})
}

// A sibling domain can set cookies for the whole domain, but not with the prefix, and never beside it.
func TestASiblingDomainCannotTossCookies(t *testing.T) {
	w := newWorld(t, noPAR)
	w.signIn()
	for _, c := range []*http.Cookie{
		{Name: "__Host-session", Value: "evil", Domain: "example.test", Path: "/", Secure: true},
		{Name: "__Host-session.1", Value: "evil", Domain: "example.test", Path: "/", Secure: true},
		{Name: "__Host-session-loop", Value: "200.1", Domain: "example.test", Path: "/", Secure: true},
	} {
		require.NotEmpty(t, w.browser.SetCookie("https://blog.example.test/", c), "a browser refuses %s", c.Name)
	}
	for _, name := range []string{"session", "__HOST-session", "__host-session", "__Secure-session", "Host-session"} {
		w.browser.SetCookie("https://blog.example.test/", &http.Cookie{Name: name, Value: "evil", Domain: "example.test", Path: "/", Secure: true})
	}
	require.NotNil(t, w.user())
	require.Equal(t, "alice", w.user().Subject)
}

// The session that a login replaces is gone for whoever kept its cookie, the attacker who planted it included.
func TestALoginLeavesNoFixedSession(t *testing.T) {
	for kind, kept := range modes {
		t.Run(kind, func(t *testing.T) {
			const cart session.Field[string] = "cart"
			w := newWorld(t, noPAR, kept)
			w.mux.Handle("/fill", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				require.NoError(t, cart.Set(r.Context(), "planted"))
			})))
			w.browser.Get(app + "/fill")
			planted := w.session()
			require.NotEmpty(t, planted)
			w.signIn()
			require.NotEqual(t, planted, w.session())
			w.requireSignedOut(planted...)

			alices := w.session()
			w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) { a.User = &oidcauthtest.User{Subject: "bob"} })
			w.browser.Get(app + "/auth/login")
			require.Equal(t, "bob", w.user().Subject)
			w.requireSignedOut(alices...)
			revoked := w.provider.Requests(oidcauthtest.Revocation)
			require.NotEmpty(t, revoked, "A's tokens are revoked")
		})
	}
}

// A browser that forgets its session while the user is at the provider has not ended it: the login does.
func TestALoginEndsTheSessionThatItBeganWith(t *testing.T) {
	for kind, kept := range modes {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, noPAR, kept)
			w.signIn()
			before := w.session()
			tab := w.browser.NewTab()
			tab.PauseAt(app + "/auth/callback")
			page := tab.Get(app + "/auth/login")
			require.NotNil(t, page.Paused, "no callback came: %d %s", page.Status, page.Body)
			w.browser.DeleteCookie(app, "__Host-session")
			require.Empty(t, w.session())
			tab.PauseAt("")
			require.Less(t, tab.Go(page.Paused).Status, 400)
			require.Equal(t, "alice", w.user().Subject)
			w.requireSignedOut(before...)
		})
	}
}

func TestAKeptCookieIsDeadAfterLogout(t *testing.T) {
	for kind, kept := range modes {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, noPAR, kept)
			w.signIn()
			stolen := w.session()
			w.browser.Get(app + "/auth/logout")
			w.browser.Submit("/auth/logout", nil)
			w.requireSignedOut(stolen...)
			for _, c := range w.browser.Cookies(app) {
				require.False(t, strings.HasPrefix(c.Name, "__Host-session"), "%s is still there", c.Name)
			}
		})
	}
}

func TestLogoutExpiresEveryCookieOfTheUser(t *testing.T) {
	w := newWorld(t, noPAR)
	chunked(w)
	tab := w.browser.NewTab()
	tab.PauseAt(app + "/auth/callback")
	require.NotNil(t, tab.Get(app+"/auth/login").Paused, "a login is under way")
	w.browser.Get(app + "/auth/logout")
	page := w.browser.Submit("/auth/logout", nil)
	require.NoError(t, page.Err)
	for _, c := range w.browser.Cookies(app) {
		require.False(t, strings.HasPrefix(c.Name, "__Host-session"), "%s is still there", c.Name)
	}
	for _, x := range page.Exchanges {
		for _, line := range x.Answer.Values("Set-Cookie") {
			if strings.HasPrefix(line, "__Host-") {
				require.Contains(t, line, "Path=/")
				require.Contains(t, line, "Secure")
				require.Contains(t, line, "HttpOnly")
				require.Contains(t, line, "Max-Age=0")
			}
		}
	}
	require.Equal(t, http.StatusUnauthorized, w.browser.Fetch(app+"/me", oidcauthtest.FetchOptions{}).Status)
}

// A page of a signed-in user is not kept anywhere, so that the back button shows nothing.
func TestPagesOfAUserAreNotStored(t *testing.T) {
	w := newWorld(t, noPAR)
	page := w.signIn()
	require.Contains(t, page.Header.Get("Cache-Control"), "no-store")
	require.Contains(t, page.Header.Get("Vary"), "Cookie")
}

// Sessions in a Store: what a browser sends is only ever looked up under a hash.
func TestASessionIDCannotBeGuessedOrInjected(t *testing.T) {
	store := &watchedStore{Store: session.NewMemoryStore()}
	w := newWorld(t, noPAR, func(c *oidcauth.Config) { c.Session.ServerSide, c.Session.Store = true, store })
	w.signIn()
	good := valueOf(w.session()[0])
	require.GreaterOrEqual(t, len(good), 43, "256 bits")
	for name, value := range map[string]string{
		"a path": "1../../etc/passwd", "an asterisk": "1*", "a command": "1x%0d%0aFLUSHALL", "zero": "1" + strings.Repeat("A", len(good)-1),
		"the id with a letter more": good + "A", "half of it": good[:len(good)/2], "a pattern": "1[a-z]*", "a colon": "1session:x", "nothing": "",
	} {
		t.Run(name, func(t *testing.T) {
			w.T = t
			w.requireSignedOut("__Host-session=" + value)
		})
	}
	for key := range store.asked() {
		require.NotContains(t, key, good[1:20], "the store never sees the secret")
		require.NotContains(t, key, "FLUSHALL")
		require.NotContains(t, key, "..")
	}
	for value := range store.held() {
		require.NotContains(t, value, "alice", "values are sealed")
		require.NotContains(t, value, "eyJ")
	}
}

// watchedStore notes keys and values.
type watchedStore struct {
	session.Store
	mu           sync.Mutex
	keys, values map[string]bool
}

func (s *watchedStore) note(value []byte, keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys, s.values = map[string]bool{}, map[string]bool{}
	}
	for _, k := range keys {
		s.keys[k] = true
	}
	s.values[string(value)] = true
}

func (s *watchedStore) asked() map[string]bool { return s.keys }
func (s *watchedStore) held() map[string]bool  { return s.values }

func (s *watchedStore) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	s.note(nil, keys...)
	return s.Store.Get(ctx, keys...)
}

func (s *watchedStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	s.note(value, key)
	return s.Store.Set(ctx, key, value, ttl)
}

func (s *watchedStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	s.note(value, key)
	return s.Store.Add(ctx, key, value, ttl)
}

func (s *watchedStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	s.note(value, key)
	return s.Store.Swap(ctx, key, old, value, ttl)
}

// However often it is used, and however absurd the token's exp, a session ends at its absolute limit.
func TestPollingDoesNotOutliveTheAbsoluteLimit(t *testing.T) {
	for kind, kept := range modes {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, noPAR, kept)
				w.provider.BendIDToken(claim("exp", literal("1e18")))
				w.signIn()
				for range 24*2 - 1 {
					time.Sleep(15 * time.Minute)
					require.NotNil(t, w.user())
				}
				saved := w.session()
				time.Sleep(15 * time.Minute)
				require.Nil(t, w.user(), "after 12 hours")
				w.requireSignedOut(saved...)
			})
		})
	}
}

// The provider may shorten a session, and never lengthen it.
func TestAProvidersSessionExpiryOnlyShortens(t *testing.T) {
	for name, row := range map[string]struct {
		expiry  any
		minutes int
	}{"in an hour": {time.Hour, 60}, "in the year 9999": {253402300799, 12 * 60}, "at 1e300": {literal("1e300"), 12 * 60}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, noPAR)
				value := row.expiry
				if d, ok := value.(time.Duration); ok {
					value = time.Now().Add(d).Unix()
				}
				w.provider.BendIDToken(claim("session_expiry", value))
				w.signIn()
				for range row.minutes/20 - 1 {
					time.Sleep(20 * time.Minute)
					require.NotNil(t, w.user())
				}
				time.Sleep(20 * time.Minute)
				require.Nil(t, w.user())
			})
		})
	}
}

func TestATooLargeSessionIsRefusedClearly(t *testing.T) {
	w := newWorld(t, noPAR)
	w.control()
	w.provider.BendIDToken(func(tok *oidcauthtest.Token) {
		for i := range 40 {
			tok.Claims.Set(fmt.Sprint("c", i), string(noise(i)))
		}
	})
	page := w.browser.Get(app + "/me")
	require.Equal(t, http.StatusInternalServerError, page.Status)
	requireSealedOff(t, page)
	require.False(t, w.hasSession())
	require.Contains(t, w.log.String(), "ServerSide", "the log names the way out")
}

// brokenStore fails while broken is set.
type brokenStore struct {
	session.Store
	broken atomic.Bool
}

var errBroken = errors.New("the store is down")

func (s *brokenStore) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if s.broken.Load() {
		return nil, errBroken
	}
	return s.Store.Get(ctx, keys...)
}

func (s *brokenStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if s.broken.Load() {
		return errBroken
	}
	return s.Store.Set(ctx, key, value, ttl)
}

func (s *brokenStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if s.broken.Load() {
		return false, errBroken
	}
	return s.Store.Add(ctx, key, value, ttl)
}

// A store that is down is an outage: nobody is signed out by it, and nobody in.
func TestAStoreThatIsDownSignsNobodyInOrOut(t *testing.T) {
	for kind, kept := range modes {
		t.Run(kind, func(t *testing.T) {
			store := &brokenStore{Store: session.NewMemoryStore()}
			w := newWorld(t, noPAR, kept, func(c *oidcauth.Config) { c.Session.Store = store })
			w.signIn()
			signedIn := w.browser
			pairs := w.session()
			w.browser = oidcauthtest.NewBrowser(w.network)
			cb := w.callbackURL()
			w.provider.Forget()
			store.broken.Store(true)
			for _, change := range []func(*http.Request){nil, opened} {
				answer, _ := w.ask("/me", change, pairs...)
				require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
				require.NotEmpty(t, answer.Header.Get("Retry-After"))
				require.Empty(t, answer.Header.Values("Set-Cookie"), "the cookie stays")
			}
			page := w.browser.Get(cb.URL)
			require.Equal(t, http.StatusServiceUnavailable, page.Status)
			requireSealedOff(t, page)
			require.False(t, w.hasSession())
			require.LessOrEqual(t, w.provider.Count(oidcauthtest.TokenEndpoint), 1)
			store.broken.Store(false)
			w.browser = signedIn
			require.NotNil(t, w.user())
		})
	}
}

// countedStore takes so many writes and fails from then on.
type countedStore struct {
	session.Store
	left atomic.Int64
}

func (s *countedStore) write() error {
	if s.left.Add(-1) < 0 {
		return errBroken
	}
	return nil
}

func (s *countedStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := s.write(); err != nil {
		return err
	}
	return s.Store.Set(ctx, key, value, ttl)
}

func (s *countedStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := s.write(); err != nil {
		return false, err
	}
	return s.Store.Add(ctx, key, value, ttl)
}

func (s *countedStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if err := s.write(); err != nil {
		return false, err
	}
	return s.Store.Swap(ctx, key, old, value, ttl)
}

// Whichever write of a login fails, there is either a whole login or none: never a session that no logout will find.
func TestALoginThatCannotBeWrittenDownIsNoLogin(t *testing.T) {
	for _, kind := range []string{"cookie", "server-side"} {
		t.Run(kind, func(t *testing.T) {
			for writes := int64(0); ; writes++ {
				require.Less(t, writes, int64(20))
				store := &countedStore{Store: session.NewMemoryStore()}
				store.left.Store(writes)
				w := newWorld(t, noPAR, modes[kind], func(c *oidcauth.Config) { c.FrontChannelLogout, c.Session.Store = true, store })
				page := w.browser.Get(app + "/me")
				if page.Status == http.StatusOK {
					require.GreaterOrEqual(t, writes, int64(2), "its state and its sid at least")
					return
				}
				require.Equal(t, http.StatusServiceUnavailable, page.Status)
				require.NotEmpty(t, page.Header.Get("Retry-After"))
				require.False(t, w.hasSession(), "after %d writes", writes)
				requireSealedOff(t, page)
			}
		})
	}
}

// One response, sent by twenty tabs at once, or to two processes, is one code.
func TestADoubledResponseSendsOneCode(t *testing.T) {
	w := newWorld(t, noPAR)
	second := newAuthenticator(t, w, noPAR, func(c *oidcauth.Config) { c.Session.Store = w.auth.Sessions().Config().Store })
	cb := w.callbackURL()
	cookies := w.cookiesOf(w.browser)
	var all sync.WaitGroup
	var signedIn atomic.Int64
	for i := range 20 {
		all.Go(func() {
			r := httptest.NewRequest(http.MethodGet, cb.URL, http.NoBody)
			cookies(r)
			rec := httptest.NewRecorder()
			[]http.Handler{w.auth, second}[i%2].ServeHTTP(rec, r)
			if rec.Code == http.StatusSeeOther {
				signedIn.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, signedIn.Load())
	require.Equal(t, 1, w.provider.Count(oidcauthtest.TokenEndpoint))
}
