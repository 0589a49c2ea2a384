package oidcauthtest_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

// eachWay runs a test against a provider in memory and one on a socket.
func eachWay(t *testing.T, test func(t *testing.T, p *oidcauthtest.Provider, c *http.Client)) {
	t.Run("in memory", func(t *testing.T) {
		p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
		test(t, p, p.Client())
	})
	t.Run("on a socket", func(t *testing.T) {
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		test(t, oidcauthtest.Start(t, oidcauthtest.Settings{}), c)
	})
}

func TestReplies(t *testing.T) {
	eachWay(t, func(t *testing.T, p *oidcauthtest.Provider, c *http.Client) {
		for name, test := range map[string]struct {
			layer  oidcauthtest.Middleware
			status int
			header string
			value  string
			body   string
		}{
			"Reply":      {oidcauthtest.Reply(503, "text/html", "<h1>"), 503, "Content-Type", "text/html", "<h1>"},
			"Redirect":   {oidcauthtest.Redirect(307, `https://evil.test/\x`), 307, "Location", `https://evil.test/\x`, ""},
			"Challenge":  {oidcauthtest.Challenge(`Bearer error="insufficient_user_authentication"`), 401, "WWW-Authenticate", `Bearer error="insufficient_user_authentication"`, `{"error":"challenge"}`},
			"OAuthError": {oidcauthtest.OAuthError(400, "invalid_grant"), 400, "Content-Type", "application/json", `{"error":"invalid_grant","error_description":"as the test wishes"}`},
			"Rewrite": {oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Status, a.Body = 201, a.Body[:1] }),
				201, "Content-Type", "application/json", "{"},
		} {
			t.Run(name, func(t *testing.T) {
				p.Intercept(oidcauthtest.Discovery, test.layer)
				c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				response, err := c.Get(p.URL(oidcauthtest.Discovery))
				require.NoError(t, err)
				defer response.Body.Close()
				body, err := io.ReadAll(response.Body)
				require.NoError(t, err)
				require.Equal(t, test.status, response.StatusCode)
				require.Equal(t, test.value, response.Header.Get(test.header))
				require.Equal(t, test.body, string(body))
				require.Equal(t, test.status, p.Last(oidcauthtest.Discovery).Status)
			})
		}
	})
}

func TestFailures(t *testing.T) {
	eachWay(t, func(t *testing.T, p *oidcauthtest.Provider, c *http.Client) {
		form := codeForm(newCode(t, p))
		send := func() (*http.Response, error) {
			r, err := http.NewRequest(http.MethodPost, p.URL(oidcauthtest.TokenEndpoint), nil)
			require.NoError(t, err)
			r.Body, r.ContentLength = body(form), int64(len(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth("app", "app-secret")
			return c.Do(r)
		}
		p.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Drop())
		_, err := send()
		require.Error(t, err)
		require.Zero(t, p.Last(oidcauthtest.TokenEndpoint).Status)
		p.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Lose())
		_, err = send()
		require.Error(t, err)
		p.Intercept(oidcauthtest.TokenEndpoint)
		response, err := send()
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, response.StatusCode, "the lost answer spent the code, the dropped one did not")

		p.Intercept(oidcauthtest.Discovery, oidcauthtest.Cut(10))
		response, err = c.Get(p.URL(oidcauthtest.Discovery))
		require.NoError(t, err)
		read, err := io.ReadAll(response.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Len(t, read, 10)
	})
}

func body(form url.Values) io.ReadCloser {
	r, w := io.Pipe()
	go func() { _, _ = io.WriteString(w, form.Encode()); _ = w.Close() }()
	return r
}

func TestEndlessBodies(t *testing.T) {
	eachWay(t, func(t *testing.T, p *oidcauthtest.Provider, c *http.Client) {
		p.Intercept(oidcauthtest.JWKS, oidcauthtest.Endless("application/json", `{"keys":[`, `{},`))
		response, err := c.Get(p.URL(oidcauthtest.JWKS))
		require.NoError(t, err)
		read, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		require.NoError(t, err)
		require.Len(t, read, 1<<20)
		require.Equal(t, `{"keys":[{},{},`, string(read[:15]))
		require.NoError(t, response.Body.Close())
	})
}

func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
		release := make(chan struct{})
		for name, test := range map[string]struct {
			layer oidcauthtest.Middleware
			took  time.Duration
			fails bool
		}{
			"Delay":                 {oidcauthtest.Delay(5 * time.Second), 5 * time.Second, false},
			"Delay over a deadline": {oidcauthtest.Delay(time.Minute), 10 * time.Second, true},
			"Hang until released":   {oidcauthtest.Hang(release), 3 * time.Second, false},
			"Hang for good":         {oidcauthtest.Hang(nil), 10 * time.Second, true},
			"Stall":                 {oidcauthtest.Stall("application/json", "{"), 10 * time.Second, true},
		} {
			start := time.Now()
			if test.took == 3*time.Second {
				go func() { time.Sleep(3 * time.Second); close(release) }()
			}
			p.Intercept(oidcauthtest.Any, test.layer)
			c := p.Client()
			c.Timeout = 10 * time.Second
			response, err := c.Get(p.URL(oidcauthtest.Discovery))
			if err == nil {
				_, err = io.ReadAll(response.Body)
				_ = response.Body.Close()
			}
			require.Equal(t, test.fails, err != nil, "%s: %v", name, err)
			if test.fails {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			require.Equal(t, test.took, time.Since(start), name)
		}
	})
}

func TestConditions(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	down := oidcauthtest.Reply(503, "text/plain", "down")
	statuses := func(n int) (list []int) {
		for range n {
			list = append(list, first(get(t, p, oidcauthtest.Discovery)))
		}
		return list
	}
	p.Intercept(oidcauthtest.Discovery, oidcauthtest.Times(2, down))
	require.Equal(t, []int{503, 503, 200}, statuses(3))
	p.Intercept(oidcauthtest.Discovery, oidcauthtest.After(1, down))
	require.Equal(t, []int{200, 503, 503}, statuses(3))
	p.Intercept(oidcauthtest.Discovery)
	p.Intercept(oidcauthtest.Any, down)
	require.Equal(t, []int{503}, statuses(1))
	p.Intercept(oidcauthtest.Any)

	p.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.When(func(r *http.Request) bool { return r.FormValue("grant_type") == "refresh_token" }, down))
	answer := signedIn(t, p)
	status, _ := token(t, p, refreshForm(answer["refresh_token"]))
	require.Equal(t, 503, status)

	p.Intercept(oidcauthtest.Discovery, oidcauthtest.SetHeader("Set-Cookie", "a=b"), oidcauthtest.SetHeader("Set-Cookie", "c=d"))
	_, head, _ := get(t, p, oidcauthtest.Discovery)
	require.Equal(t, []string{"a=b"}, head.Values("Set-Cookie"), "the first layer is outermost")
}
