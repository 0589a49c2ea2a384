package oidcauth_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// cheap is more than anything takes that does not take minutes, on a machine that has other things to do.
const cheap = 20 * time.Second

// measured runs f and returns how much memory was taken at most meanwhile, above what was in use before, how much was allocated
// in all, and how long it took.
func measured(f func()) (peak, total uint64, took time.Duration) {
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	began := time.Now()
	f()
	took = time.Since(began)
	close(stop)
	<-done
	runtime.ReadMemStats(&now)
	return peak, now.TotalAlloc - before.TotalAlloc, took
}

// The worst answers that a provider can give cost little: memory stays flat, and the login ends within the time-out. What the
// provider itself allocates is counted too, so that the bounds are those of both sides together.
func TestTheWorstAnswersAreCheap(t *testing.T) {
	manyKeys := func(n int, key string) string {
		return `{"keys":[` + strings.TrimSuffix(strings.Repeat(key+",", n), ",") + "]}"
	}
	instead := func(e oidcauthtest.Endpoint, body string) func(*world) {
		return func(w *world) { w.provider.Intercept(e, oidcauthtest.Reply(200, "application/json", body)) }
	}
	endless := func(e oidcauthtest.Endpoint, start, again string) func(*world) {
		return func(w *world) { w.provider.Intercept(e, oidcauthtest.Endless("application/json", start, again)) }
	}
	token := func(f func(string) string) func(*world) {
		return func(w *world) { w.provider.BendIDToken(rewritten(f)) }
	}
	deep := strings.Repeat("[", 10000) + strings.Repeat("]", 10000)
	wide := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"c%d":%d`, i, i)
		}
		return b.String()
	}
	for name, bend := range map[string]func(*world){
		"an endless discovery document":        endless(oidcauthtest.Discovery, `{"issuer":"`, "x"),
		"an endless discovery list":            endless(oidcauthtest.Discovery, `{"x":[`, "[],"),
		"a discovery document 10,000 deep":     instead(oidcauthtest.Discovery, `{"x":`+deep+"}"),
		"an endless key set":                   endless(oidcauthtest.JWKS, `{"keys":[`, `{"kty":"RSA","n":"AQAB","e":"AQAB"},`),
		"a key set that never closes a list":   endless(oidcauthtest.JWKS, `{"keys":`, "["),
		"10,000 keys":                          instead(oidcauthtest.JWKS, manyKeys(10000, `{"kty":"RSA","kid":"x","n":"AQAB","e":"AQAB"}`)),
		"20,000 keys that are no objects":      instead(oidcauthtest.JWKS, manyKeys(20000, `[]`)),
		"5,000 keys on a curve":                instead(oidcauthtest.JWKS, manyKeys(5000, `{"kty":"EC","crv":"P-521","x":"AAAA","y":"AAAA"}`)),
		"a key of 65,536 bits":                 instead(oidcauthtest.JWKS, manyKeys(1, `{"kty":"RSA","n":"`+strings.Repeat("A_", 5461)+`","e":"AQAB"}`)),
		"a hundred keys of 8,192 bits":         instead(oidcauthtest.JWKS, manyKeys(100, `{"kty":"RSA","n":"`+strings.Repeat("_", 1365)+`","e":"f____w"}`)),
		"an endless token answer":              endless(oidcauthtest.TokenEndpoint, `{"access_token":"`, "x"),
		"a token answer 10,000 deep":           instead(oidcauthtest.TokenEndpoint, `{"x":`+deep+"}"),
		"a token answer of a million brackets": instead(oidcauthtest.TokenEndpoint, `{"x":`+strings.Repeat("[", 1<<20)),
		"an ID token of 5 MB":                  token(func(s string) string { return s + strings.Repeat("A", 5<<20) }),
		"an ID token of 900 kB":                token(func(s string) string { return s + strings.Repeat("A", 900<<10) }),
		"an ID token of a million dots":        token(func(string) string { return strings.Repeat(".", 1_000_000) }),
		"an ID token of 100,000 dots":          token(func(string) string { return strings.Repeat(".", 100_000) }),
		"an ID token's header 10,000 deep":     token(func(string) string { return b64JSON(`{"alg":"RS256","x":`+deep+"}") + ".e30.AA" }),
		"an ID token with 5,000 claims": func(w *world) {
			w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Replace(`{"sub":"alice"` + wide(5000) + "}") })
		},
		"an ID token with 5,000 critical headers": token(func(s string) string {
			_, rest, _ := strings.Cut(s, ".")
			return b64JSON(`{"alg":"RS256","crit":[`+strings.TrimSuffix(strings.Repeat(`"x",`, 5000), ",")+"]}") + "." + rest
		}),
		"an ID token encrypted by a password of 2 billion rounds": token(func(string) string {
			return b64JSON(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2000000000,"p2s":"AAAA"}`) + ".AAAA.AAAA.AAAA.AAAA"
		}),
		"an encrypted zip bomb": token(func(string) string {
			return b64JSON(`{"alg":"dir","enc":"A128GCM","zip":"DEF"}`) + "..AAAA." + strings.Repeat("A", 100<<10) + ".AAAA"
		}),
		"100 MB of userinfo":          func(w *world) { w.provider.Intercept(oidcauthtest.UserInfo, hundredMegabytes) },
		"userinfo 10,000 deep":        instead(oidcauthtest.UserInfo, `{"sub":"alice","x":`+deep+"}"),
		"userinfo with 40,000 claims": instead(oidcauthtest.UserInfo, `{"sub":"alice"`+wide(40000)+"}"),
		"signed userinfo of a million dots": func(w *world) {
			w.provider.Intercept(oidcauthtest.UserInfo, oidcauthtest.Reply(200, "application/jwt", strings.Repeat(".", 1_000_000)))
		},
		"an endless push": endless(oidcauthtest.PAR, `{"request_uri":"`, "x"),
		"a provider that stalls": func(w *world) {
			w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Stall("application/json", `{"access_token"`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, pushing, func(c *oidcauth.Config) { c.Timeout = 2 * time.Second })
			bend(w)
			var page *oidcauthtest.Page
			peak, total, took := measured(func() { page = w.browser.Get(app + "/me") })
			t.Logf("at most %d KiB more in use, %d KiB allocated, %v", peak>>10, total>>10, took)
			requireSealedOff(t, page)
			require.GreaterOrEqual(t, page.Status, 400)
			require.False(t, w.hasSession())
			require.Less(t, peak, uint64(48<<20))
			require.Less(t, total, uint64(256<<20))
			for _, r := range w.provider.Requests() {
				require.Less(t, r.Sent, int64(6<<20), "it was not read to its end")
			}
			requireQuietLog(t, w)
		})
	}
}

// hundredMegabytes is a userinfo answer of that size, good but for it.
func hundredMegabytes(http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `{"sub":"alice","x":"`)
		chunk := []byte(strings.Repeat("x", 64<<10))
		for range 100 << 20 / len(chunk) {
			if _, err := rw.Write(chunk); err != nil {
				return
			}
		}
		_, _ = io.WriteString(rw, `"}`)
	})
}

// Strangers' requests are cheap too: nothing in them is kept or parsed beyond its bound.
func TestTheWorstRequestsAreCheap(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	post := func(path, body string) func(*world) *http.Response {
		return func(w *world) *http.Response {
			return w.raw(http.MethodPost, app+path, func(r *http.Request) {
				r.Body = io.NopCloser(strings.NewReader(body))
				r.Header.Set("Content-Type", form)
			})
		}
	}
	get := func(target string, change ...func(*http.Request)) func(*world) *http.Response {
		return func(w *world) *http.Response { return w.raw(http.MethodGet, app+target, append(change, opened)...) }
	}
	for name, request := range map[string]func(*world) *http.Response{
		"a callback of 5 MB":              get("/auth/callback?code=" + strings.Repeat("x", 5<<20) + "&state=y"),
		"a callback of 500,000 names":     get("/auth/callback?" + strings.Repeat("a&", 500_000)),
		"a callback of a million escapes": get("/auth/callback?code=" + strings.Repeat("%41", 1_000_000) + "&state=y"),
		"a login of 500,000 names":        post("/auth/login", strings.Repeat("a&", 500_000)),
		"a logout token of 5 MB":          post("/auth/backchannel-logout", "logout_token="+strings.Repeat("x", 5<<20)),
		"a logout token of 60,000 dots":   post("/auth/backchannel-logout", "logout_token="+strings.Repeat(".", 60_000)),
		"a logout token 10,000 deep": post("/auth/backchannel-logout",
			"logout_token="+b64JSON(`{"alg":"RS256","x":`+strings.Repeat("[", 10000)+strings.Repeat("]", 10000)+"}")+".e30.AA"),
		"a state of 1 MB at signed-out": get("/auth/signed-out?state=" + strings.Repeat("x", 1<<20)),
		"a sid of 1 MB":                 get("/auth/frontchannel-logout?iss=x&sid=" + strings.Repeat("x", 1<<20)),
		"100,000 session chunks":        get("/auth/callback?code=x&state=y", setHeader("Cookie", strings.Repeat("__Host-session.1=x; ", 100_000))),
		"a session of 5 MB":             get("/auth/callback?code=x&state=y", setHeader("Cookie", "__Host-session=1"+strings.Repeat("A", 5<<20))),
		"2,000 transactions":            get("/auth/login", setHeader("Cookie", manyCookies(2000))),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR, backChannel, func(c *oidcauth.Config) { c.FrontChannelLogout = true })
			require.NoError(t, w.auth.Discover(t.Context()))
			var answer *http.Response
			peak, total, took := measured(func() { answer = request(w) })
			t.Logf("%d: at most %d KiB more in use, %d KiB allocated, %v", answer.StatusCode, peak>>10, total>>10, took)
			require.Less(t, answer.StatusCode, 500)
			require.Less(t, took, cheap)
			require.Less(t, total, uint64(64<<20))
			require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint, oidcauthtest.JWKS))
			requireQuietLog(t, w)
		})
	}
}

// What a stranger writes ends in the log quoted, cut and on one line, in text and in JSON.
func TestNobodyForgesLogLines(t *testing.T) {
	for format, handler := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler {
			return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})
		},
		"JSON": func(w io.Writer) slog.Handler {
			return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})
		},
		"raw": func(w io.Writer) slog.Handler { return &plainHandler{w: w} },
	} {
		t.Run(format, func(t *testing.T) {
			log := new(logBuffer)
			w := newWorld(t, noPAR, backChannel, func(c *oidcauth.Config) {
				c.Logger = slog.New(handler(log))
				c.FrontChannelLogout = true
			})
			const forged = "x\r\nlevel=INFO msg=login sub=forged\x1b[31m\u202e\u2028\x00"
			long := forged + strings.Repeat("y", 1<<20)
			for _, evil := range []string{forged, long} {
				w.anew()
				q := url.QueryEscape(evil)
				cb := w.callbackURL()
				for _, target := range []string{
					"/auth/callback?code=x&state=" + q, "/auth/callback?state=x&error=" + q, "/auth/callback?code=x&iss=" + q + "&state=y",
					"/auth/login?iss=" + q, "/auth/" + url.PathEscape(evil), "/auth/frontchannel-logout?iss=" + q + "&sid=" + q, "/auth/signed-out?state=" + q,
				} {
					w.raw(http.MethodGet, app+target, opened, setHeader("User-Agent", evil), setHeader("X-Request-Id", evil), setHeader("Referer", evil))
				}
				w.browser.Get(altered(t, cb, func(v url.Values) {
					v.Del("code")
					v.Set("error", evil)
					v.Set("error_description", evil)
				}))
				w.browser.Get(altered(t, w.callbackURL(), func(v url.Values) { v.Set("iss", evil) }))
				w.postLogoutToken(w.provider.LogoutToken("app", "alice", "", func(tok *oidcauthtest.Token) {
					tok.SignWith(foreign())
					tok.Header.Set("kid", evil[:min(len(evil), 1000)])
				}))
				w.postLogoutToken(w.provider.LogoutToken("app", "alice", "", claim("iss", evil[:min(len(evil), 30000)])))
				w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("iss", evil); tok.Header.Set("kid", evil) })
				w.browser.Get(app + "/me")
				w.provider.BendIDToken(nil)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(400, evil))
				w.browser.Get(app + "/me")
				w.provider.Intercept(oidcauthtest.TokenEndpoint)
				w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set("token_type", evil) })
				w.browser.Get(app + "/me")
				w.provider.BendTokens(nil)
				w.provider.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object {
					keys[0].Set("kid", evil)
					keys[0].Set("crv", evil)
					keys[0].Set("n", evil)
					return keys
				})
				w.browser.Get(app + "/me")
				w.provider.BendKeys(nil)
			}
			require.NotEmpty(t, log.String())
			for line := range strings.Lines(log.String()) {
				require.Less(t, len(line), 2<<10, "%.300q", line)
				require.False(t, strings.HasPrefix(line, "level=INFO"), "%.300q", line)
				for _, c := range []string{"\r", "\x1b", "\u202e", "\u2028", "\x00"} {
					require.NotContains(t, line, c)
				}
			}
		})
	}
}

// plainHandler writes values as they are: what a careless log handler does.
type plainHandler struct {
	slog.Handler
	w io.Writer
}

func (h *plainHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *plainHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *plainHandler) WithGroup(string) slog.Handler            { return h }

func (h *plainHandler) Handle(_ context.Context, r slog.Record) error {
	line := "time=" + r.Time.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.Key + "=" + a.Value.String()
		return true
	})
	_, err := io.WriteString(h.w, line+"\n")
	return err
}

// Every secret of a whole life, sign-in to sign-out and back, is looked for in everything that the application writes, at debug
// level, and on every page.
func TestNoSecretOfALifeIsLoggedOrShown(t *testing.T) {
	for _, kind := range []string{"cookie", "server-side"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, modes[kind], backChannel)
			var secrets, tokens []string
			w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) {
				for _, name := range []string{"access_token", "refresh_token", "id_token"} {
					tokens = append(tokens, a.Text(name))
				}
			})
			cb := w.callbackURL()
			w.browser.Get(altered(t, cb, func(q url.Values) { q.Set("iss", "https://evil.example") }))
			secrets = append(secrets, mustQuery(t, cb.URL).Get("code"), mustQuery(t, cb.URL).Get("state"))
			for _, c := range w.browser.Cookies(app) {
				secrets = append(secrets, c.Value)
			}
			w.browser.Get(cb.URL)
			w.browser.Get(cb.URL)
			for _, pair := range w.session() {
				secrets = append(secrets, valueOf(pair))
			}
			form := w.provider.Last(oidcauthtest.TokenEndpoint).Form
			secrets = append(secrets, form.Get("code_verifier"), w.authenticationRequest().Get("nonce"), "app-secret", testKey)
			secrets = append(secrets, strings.TrimPrefix(w.provider.Last(oidcauthtest.TokenEndpoint).Header.Get("Authorization"), "Basic "))
			w.browser.Get(app + "/admin")
			token := w.provider.LogoutToken("app", "alice", "unknown")
			w.postLogoutToken(token)
			secrets = append(secrets, token)
			w.provider.Intercept(oidcauthtest.Revocation, oidcauthtest.Reply(503, "text/plain", "down"))
			w.browser.Get(app + "/auth/logout")
			w.browser.Submit("/auth/logout", nil)
			require.NotNil(t, w.browser.Page())
			require.Len(t, tokens, 3)
			for _, secret := range append(secrets, tokens...) {
				require.GreaterOrEqual(t, len(secret), 10)
				require.NotContains(t, w.log.String(), secret)
				require.NotContains(t, w.log.String(), url.QueryEscape(secret))
			}
			for _, x := range w.browser.History() {
				for _, secret := range tokens[:2] { // the id_token_hint goes to the provider
					require.NotContains(t, x.URL, secret)
				}
			}
			require.NotContains(t, w.log.String(), "alice", "users are fingerprints")
		})
	}
}

// Hundreds of browsers at once, half of them hostile: nobody gets somebody else's session.
func TestUnderLoadEverybodyStaysWhoTheyAre(t *testing.T) {
	w := newWorld(t, noPAR)
	w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) {
		a.User = &oidcauthtest.User{Subject: a.Request.Get("login_hint")}
	})
	var all sync.WaitGroup
	limit := make(chan struct{}, 16)
	for i := range 200 {
		all.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			name := fmt.Sprint("user-", i)
			b := oidcauthtest.NewBrowser(w.network)
			page := b.Get(app + "/auth/login?iss=" + url.QueryEscape(w.provider.Issuer()) + "&target_link_uri=/me&login_hint=" + name)
			if page.Status != http.StatusOK || !strings.Contains(page.Body, `"Subject":"`+name+`"`) {
				t.Errorf("%s got %d %.200s", name, page.Status, page.Body)
			}
			if i%2 == 0 {
				b.Get(app + "/auth/callback?code=x&state=y")
				b.SetCookie(app, &http.Cookie{Name: "__Host-session", Value: "broken", Path: "/", Secure: true})
				if again := b.Get(app + "/"); again.Body != "null\n" {
					t.Errorf("%s kept %q", name, again.Body)
				}
			}
		})
	}
	all.Wait()
}
