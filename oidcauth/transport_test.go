package oidcauth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

const api = "https://api.example.test"

// An apiServer records what requests bring, and answers as a test wishes.
type apiServer struct {
	mu     sync.Mutex
	seen   []*http.Request
	bodies []string
	answer http.HandlerFunc
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.seen, s.bodies = append(s.seen, r.Clone(context.Background())), append(s.bodies, string(body))
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

// challengeOnce makes the API answer the next n requests with 401.
func (s *apiServer) challenge(n int, value string) {
	s.answer = func(w http.ResponseWriter, _ *http.Request) {
		if n--; n >= 0 {
			if value != "" {
				w.Header().Set("WWW-Authenticate", value)
			}
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
}

// newAPIWorld makes a world with somebody signed in, and an API; inside runs its function in a request of theirs.
func newAPIWorld(t *testing.T, configure ...func(*oidcauth.Config)) (w *world, server *apiServer, inside func(func(context.Context))) {
	server = new(apiServer)
	apis := func(c *oidcauth.Config) { c.APIs = []string{api} }
	w = newTokenWorld(t, append([]func(*oidcauth.Config){apis}, configure...)...)
	w.network.Handle(api, server)
	var run func(context.Context)
	w.mux.Handle("/inside", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { run(r.Context()) })))
	w.signIn()
	return w, server, func(f func(context.Context)) {
		run = f
		page := w.browser.NewTab().Get(app + "/inside")
		require.Equal(t, http.StatusOK, page.Status, page.Body)
	}
}

// client is the client of the user in ctx on the test's network.
func (w *world) client() *http.Client { return &http.Client{Transport: w.auth.Transport(w.network)} }

func get(ctx context.Context, client *http.Client, target string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err == nil {
		_ = res.Body.Close()
	}
	return res, err
}

func TestTokensGoOnlyToTheOriginsInAPIs(t *testing.T) {
	w, server, inside := newAPIWorld(t)
	for _, host := range []string{"http://api.example.test", "https://api.example.test.evil.test", "https://evil.test", "https://api.example.test:8443"} {
		w.network.Handle(host, server)
	}
	for _, c := range []struct {
		target  string
		allowed bool
	}{
		{"https://api.example.test/x", true},
		{"https://API.EXAMPLE.TEST/x", true},
		{"https://api.example.test:443/x", true},
		{"http://api.example.test/x", false},
		{"https://api.example.test:8443/x", false},
		{"https://api.example.test.evil.test/x", false},
		{"https://evil.test/https://api.example.test", false},
		{"https://api.example.test@evil.test/", false},
		{"https://evil.test/?https://api.example.test", false},
		{oidcauthtest.DefaultIssuer + "/api", false},
	} {
		t.Run(c.target, func(t *testing.T) {
			inside(func(ctx context.Context) {
				asked := len(server.seen)
				res, err := get(ctx, w.client(), c.target)
				if c.allowed {
					require.NoError(t, err)
					require.Equal(t, http.StatusOK, res.StatusCode)
					require.Contains(t, server.seen[asked].Header.Get("Authorization"), "Bearer ey")
					return
				}
				require.ErrorIs(t, err, oidcauth.ErrOrigin)
				require.ErrorContains(t, err, "Config.APIs")
				require.Len(t, server.seen, asked)
			})
		})
	}
}

func TestWithoutAPIsNoRequestGetsAToken(t *testing.T) {
	w, server, inside := newAPIWorld(t, func(c *oidcauth.Config) { c.APIs = nil })
	inside(func(ctx context.Context) {
		_, err := get(ctx, w.client(), api)
		require.ErrorIs(t, err, oidcauth.ErrOrigin)
		require.Empty(t, server.seen)
	})
}

func TestARedirectElsewhereIsAnErrorAndTakesNoTokenAlong(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			w, server, inside := newAPIWorld(t)
			elsewhere := new(apiServer)
			w.network.Handle("https://evil.test", elsewhere)
			server.answer = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/here" {
					return
				}
				w.Header().Set("Location", map[string]string{"/out": "https://evil.test/", "/in": "/here"}[r.URL.Path])
				w.WriteHeader(status)
			}
			inside(func(ctx context.Context) {
				_, err := get(ctx, w.client(), api+"/out")
				require.ErrorIs(t, err, oidcauth.ErrOrigin)
				require.Empty(t, elsewhere.seen)
				res, err := get(ctx, w.client(), api+"/in")
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, res.StatusCode)
			})
		})
	}
}

func TestTheRequestAndTheAnswerDoNotHoldTheToken(t *testing.T) {
	w, server, inside := newAPIWorld(t)
	inside(func(ctx context.Context) {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, api, nil)
		req.Header.Set("Authorization", "Basic mine")
		req.Header.Set("DPoP", "mine")
		res, err := w.client().Do(req)
		require.NoError(t, err)
		require.Equal(t, "Basic mine", req.Header.Get("Authorization"), "a RoundTripper changes no request")
		require.Equal(t, "Basic mine", res.Request.Header.Get("Authorization"))
		require.Contains(t, server.seen[0].Header.Get("Authorization"), "Bearer ")
		require.Empty(t, server.seen[0].Header.Get("DPoP"))
	})
}

func TestA401LeadsToOneRefreshAndOneRetry(t *testing.T) {
	const old = time.Minute
	for _, c := range []struct {
		name      string
		age       time.Duration
		challenge string
		failures  int
		body      io.Reader
		requests  int
		refreshes int
		status    int
	}{
		{"invalid_token", old, `Bearer error="invalid_token"`, 1, nil, 2, 1, 200},
		{"no error", old, `Bearer`, 1, nil, 2, 1, 200},
		{"no header", old, ``, 1, nil, 2, 1, 200},
		{"twice", old, `Bearer error="invalid_token"`, 2, nil, 2, 1, 401},
		{"a body that can be sent again", old, ``, 1, strings.NewReader("body"), 2, 1, 200},
		{"a body that can't", old, ``, 1, io.NopCloser(strings.NewReader("body")), 1, 0, 401},
		{"a young token", 10 * time.Second, `Bearer error="invalid_token"`, 1, nil, 1, 0, 401},
		{"insufficient_scope", old, `Bearer error="insufficient_scope"`, 1, nil, 1, 0, 401},
		{"another scheme's error", old, `Bearer error="invalid_request"`, 1, nil, 1, 0, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, server, inside := newAPIWorld(t)
				time.Sleep(c.age)
				server.challenge(c.failures, c.challenge)
				inside(func(ctx context.Context) {
					req, _ := http.NewRequestWithContext(ctx, http.MethodPost, api, c.body)
					res, err := w.client().Do(req)
					require.NoError(t, err)
					require.Equal(t, c.status, res.StatusCode)
				})
				require.Len(t, server.seen, c.requests)
				require.Equal(t, c.refreshes, w.refreshes())
				for i, r := range server.seen {
					require.Equal(t, server.bodies[0], server.bodies[i])
					require.Equal(t, i == 0, r.Header.Get("Authorization") == server.seen[0].Header.Get("Authorization"))
				}
			})
		})
	}
}

// Providers that count in whole seconds end a token of a few seconds noticeably before its time.
func TestA401CountsInTheLaterHalfOfAShortLife(t *testing.T) {
	for _, c := range []struct {
		name      string
		age       time.Duration
		refreshes int
		status    int
	}{
		{"in the first half it is about something else", 3900 * time.Millisecond, 0, 401},
		{"in the second half it may be the token's end", 4100 * time.Millisecond, 1, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, server, inside := newAPIWorld(t)
				w.provider.BendTokens(func(answer *oidcauthtest.TokenAnswer) { answer.Set("expires_in", 8) })
				require.Equal(t, http.StatusOK, w.browser.NewTab().Get(app+"/token?force").Status)
				w.provider.Forget()
				time.Sleep(c.age)
				server.challenge(1, `Bearer error="invalid_token"`)
				inside(func(ctx context.Context) {
					res, err := get(ctx, w.client(), api)
					require.NoError(t, err)
					require.Equal(t, c.status, res.StatusCode)
				})
				require.Equal(t, c.refreshes, w.refreshes())
			})
		})
	}
}

func TestA401DuringAnOutageIsTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server, inside := newAPIWorld(t)
		time.Sleep(time.Minute)
		server.challenge(100, `Bearer error="invalid_token"`)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(500, "text/plain", ""))
		for range 10 {
			inside(func(ctx context.Context) {
				res, err := get(ctx, w.client(), api)
				require.NoError(t, err)
				require.Equal(t, http.StatusUnauthorized, res.StatusCode)
			})
		}
		require.Equal(t, 1, w.refreshes())
	})
}

func TestA401AfterWhichTheRefreshTokenIsDeadAsksForALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server, inside := newAPIWorld(t)
		time.Sleep(time.Minute)
		server.challenge(100, `Bearer error="invalid_token"`)
		w.provider.RevokeTokens("")
		for range 5 {
			inside(func(ctx context.Context) {
				_, err := get(ctx, w.client(), api)
				require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
			})
		}
		require.Equal(t, 1, w.refreshes())
		require.Len(t, server.seen, 1)
	})
}

func TestAnAPIThatRefusesEveryTokenCausesFewRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server, inside := newAPIWorld(t)
		server.challenge(10000, `Bearer error="invalid_token"`)
		for range 100 {
			time.Sleep(time.Second)
			inside(func(ctx context.Context) {
				res, err := get(ctx, w.client(), api)
				require.NoError(t, err)
				require.Equal(t, http.StatusUnauthorized, res.StatusCode)
			})
		}
		require.LessOrEqual(t, w.refreshes(), 4)
	})
}

func TestAnAPIThatWantsAStrongerLoginIsAStepUpError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server, inside := newAPIWorld(t)
		time.Sleep(time.Minute)
		server.challenge(1, `Bearer error="insufficient_user_authentication", acr_values="gold", max_age="60"`)
		inside(func(ctx context.Context) {
			_, err := get(ctx, w.client(), api)
			var stepUp *oidcauth.StepUpError
			require.ErrorAs(t, err, &stepUp)
			require.Equal(t, &oidcauth.StepUpError{ACRValues: []string{"gold"}, MaxAge: time.Minute}, stepUp)
		})
		require.Zero(t, w.refreshes())
		require.Len(t, server.seen, 1)
	})
}

func TestClientIsBoundToItsUser(t *testing.T) {
	w, server, inside := newAPIWorld(t)
	other := newAPISession(t, w)
	inside(func(mine context.Context) {
		useDefaultTransport(t, w)
		client := w.auth.Client(mine)
		res, err := client.Get(api)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
		_, err = get(mine, client, api)
		require.NoError(t, err)
		_, err = get(other, client, api)
		require.ErrorIs(t, err, oidcauth.ErrOtherSession)
		require.Len(t, server.seen, 2)
	})
}

// newAPISession returns the context of a request of another browser's.
func newAPISession(t *testing.T, w *world) (other context.Context) {
	w.mux.Handle("/other", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { other = r.Context() })))
	browser := oidcauthtest.NewBrowser(w.network)
	require.Equal(t, http.StatusOK, browser.Get(app+"/me").Status)
	require.Equal(t, http.StatusOK, browser.Get(app+"/other").Status)
	return other
}

// useDefaultTransport puts the test's network in the place of http.DefaultTransport.
func useDefaultTransport(t *testing.T, w *world) {
	previous := http.DefaultTransport
	http.DefaultTransport = w.network
	t.Cleanup(func() { http.DefaultTransport = previous })
}

func TestARequestWithoutADeadlineEndsWithItsUsers(t *testing.T) {
	w, server, inside := newAPIWorld(t)
	useDefaultTransport(t, w)
	began := make(chan struct{})
	server.answer = func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	inside(func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		go func() { <-began; cancel() }()
		_, err := w.auth.Client(ctx).Get(api)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestManyUsersOverOneClientGetTheirOwnTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.provider.Configure(func(s *oidcauthtest.Settings) { s.AccessTokenLifetime = 5 * time.Second })
		const users, rounds = 20, 25
		cookies := make([]string, users)
		for i := range cookies {
			w.provider.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: fmt.Sprint("user-", i)} })
			w.browser = oidcauthtest.NewBrowser(w.network)
			w.signIn()
			cookies[i] = w.cookies()
		}
		var all sync.WaitGroup
		for i := range cookies {
			for range 4 {
				all.Go(func() {
					mine := cookies[i]
					for range rounds {
						answer := w.send(mine, "/call")
						assert.Equal(t, http.StatusOK, answer.Code, answer.Body)
						assert.Contains(t, answer.Body.String(), fmt.Sprintf(`"sub":"user-%d"`, i))
						if next := (&http.Response{Header: answer.Header()}).Cookies(); len(next) > 0 {
							mine = next[0].Name + "=" + next[0].Value
						}
						time.Sleep(500 * time.Millisecond)
					}
				})
			}
		}
		all.Wait()
		require.LessOrEqual(t, w.refreshes(), users*4, "one for each user and expiry")
	})
}

func TestTransportFitsAReverseProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server, _ := newAPIWorld(t)
		target, _ := url.Parse(api + "/base")
		proxy := &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				for _, name := range []string{"Cookie", "Authorization", "DPoP"} {
					r.Out.Header.Del(name)
				}
			},
			Transport: w.auth.Transport(w.network),
		}
		w.mux.Handle("/proxy/", w.auth.RequireLogin(http.StripPrefix("/proxy", proxy)))
		r := httptest.NewRequest(http.MethodPut, app+"/proxy/things", bytes.NewReader([]byte("thing")))
		r.Header.Set("Cookie", w.cookies())
		r.Header.Set("Authorization", "Bearer stolen")
		answer := httptest.NewRecorder()
		w.mux.ServeHTTP(answer, r)
		require.Equal(t, http.StatusOK, answer.Code)
		sent := server.seen[0]
		require.Equal(t, "/base/things", sent.URL.Path)
		require.Equal(t, "thing", server.bodies[0])
		require.Empty(t, sent.Header.Get("Cookie"))
		require.Contains(t, sent.Header.Get("Authorization"), "Bearer ey")
	})
}

func TestTheBodyOfARequestThatIsNotSentIsClosed(t *testing.T) {
	w, _, inside := newAPIWorld(t)
	inside(func(ctx context.Context) {
		for _, target := range []string{"https://evil.test", api} {
			body := &closing{Reader: strings.NewReader("body")}
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, target, body)
			transport := w.auth.Transport(failing{})
			_, err := transport.RoundTrip(req)
			require.Error(t, err)
			require.True(t, body.closed)
		}
	})
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

type failing struct{}

func (failing) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	return nil, errors.New("no network")
}
