package main_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/signet-go/signet/example-webapp"
)

// A slowAPI answers when it is told to.
type slowAPI struct {
	*httptest.Server
	arrived, release, cancelled chan struct{}
}

func startSlowAPI(t *testing.T) *slowAPI {
	s := &slowAPI{arrived: make(chan struct{}, 1), release: make(chan struct{}), cancelled: make(chan struct{}, 1)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.arrived <- struct{}{}
		select {
		case <-s.release:
			io.WriteString(w, `{"late":true}`)
		case <-r.Context().Done():
			s.cancelled <- struct{}{}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// callInFlight begins a call of the slow API and returns where its answer will come.
func (a *webapp) callInFlight(api *slowAPI) <-chan page {
	a.t.Helper()
	answers := make(chan page, 1)
	go func() {
		resp, err := http.Get(a.base + "/api/machine")
		if err != nil {
			answers <- page{body: err.Error()}
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answers <- page{status: resp.StatusCode, body: string(body)}
	}()
	select {
	case <-api.arrived:
	case p := <-answers:
		require.Fail(a.t, "the call did not reach the API", "%d %s", p.status, p.body)
	}
	return answers
}

func TestStopLetsRequestsFinish(t *testing.T) {
	api := startSlowAPI(t)
	a := startApp(t, "API_URL", api.URL)
	answer := a.callInFlight(api)
	a.stop()
	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(a.base, "http://"), time.Second)
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, patience, 5*time.Millisecond, "nobody new gets in")
	close(api.release)
	got := <-answer
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Contains(t, got.body, "late")
	a.wait()
}

func TestStopCancelsRequestsThatTakeTooLong(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the eight seconds of grace")
	}
	t.Parallel()
	api := startSlowAPI(t)
	a := startApp(t, "API_URL", api.URL, "OIDC_TIMEOUT", "1h")
	answer := a.callInFlight(api)
	began := time.Now()
	a.stop()
	select {
	case <-api.cancelled:
	case <-time.After(patience):
		require.Fail(t, "nothing cancels it")
	}
	require.GreaterOrEqual(t, time.Since(began), 8*time.Second)
	require.NotEqual(t, http.StatusOK, (<-answer).status)
	a.wait()
}

func TestAPIAnswersArePassedOn(t *testing.T) {
	tests := []struct {
		name    string
		answer  http.HandlerFunc
		status  int
		body    any
		refused int // instead of 200
	}{
		{"JSON is embedded", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"n":[1,2]}`) }, 200, map[string]any{"n": []any{1.0, 2.0}}, 0},
		{"anything else is a string", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `<b>hi</b>`) }, 200, "<b>hi</b>", 0},
		{"nothing is an empty string", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204, "", 0},
		{"its 500 is an answer", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", 500) }, 500, "oops\n", 0},
		{"its 401 is an answer", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, 401, "", 0},
		{"one MiB is passed on", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 1<<20)) }, 200, strings.Repeat("x", 1<<20), 0},
		{"more is refused", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 1<<20+1)) }, 0, nil, 502},
		{"an answer that breaks off is refused", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "short")
		}, 0, nil, 502},
		{"no answer is refused", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, nil, 502},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := httptest.NewServer(tt.answer)
			defer api.Close()
			a := startApp(t, "API_URL", api.URL+"/data?x=1", "OIDC_TIMEOUT", patience.String())
			p := newBrowser(t).fetch(http.MethodGet, a.base+"/api/machine")
			if tt.refused != 0 {
				require.Equal(t, tt.refused, p.status, p.body)
				require.NotEmpty(t, p.object(t)["reference"])
				a.waitFor(p.object(t)["reference"].(string))
				requireProtected(t, p)
				return
			}
			require.Equal(t, http.StatusOK, p.status, p.body)
			require.EqualValues(t, tt.status, p.object(t)["status"])
			require.Equal(t, tt.body, p.object(t)["body"])
		})
	}
}

func TestAnAPIThatTakesTooLongIsGivenUp(t *testing.T) {
	var silent atomic.Bool
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if silent.Load() {
			<-r.Context().Done()
		}
	}))
	defer api.Close()
	a := startApp(t, "API_URL", api.URL, "OIDC_TIMEOUT", "500ms")
	b := newBrowser(t)
	// The time-out is the provider's too, who may need several tries. From then on there is a token.
	require.Eventually(t, func() bool { return b.fetch(http.MethodGet, a.base+"/api/machine").status == http.StatusOK }, patience, 50*time.Millisecond)
	silent.Store(true)
	p := b.fetch(http.MethodGet, a.base+"/api/machine")
	require.Equal(t, http.StatusGatewayTimeout, p.status, p.body)
	a.waitFor(p.object(t)["reference"].(string))
	requireProtected(t, p)
}

func TestABlockedLogStopsNobody(t *testing.T) {
	reader, writer := io.Pipe() // nobody reads
	t.Cleanup(func() { reader.Close() })
	a := startAppTo(t, &output{}, writer)
	for range 50 {
		require.Equal(t, http.StatusBadRequest, newBrowser(t).open(a.base+"/auth/callback?code=x&state=y").status)
	}
}

func TestRunReportsWhatItNeeds(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	tests := []struct {
		name string
		env  environment
		want string
	}{
		{"a taken address", environment{"ADDR": taken.Addr().String()}, "ADDR"},
		{"a wrong variable", environment{"OIDC_PAR": "maybe"}, "OIDC_PAR"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := main.Run(t.Context(), tt.env.get, io.Discard)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestAnAPIThatWantsAFresherLogin(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_user_authentication", max_age="0"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer api.Close()
	a := startApp(t, "API_URL", api.URL)
	b := a.signedIn("alice")
	t.Run("a script is told", func(t *testing.T) {
		p := b.fetch(http.MethodGet, a.base+"/api/call")
		require.Equal(t, http.StatusUnauthorized, p.status, p.body)
		require.Equal(t, "insufficient_user_authentication", p.object(t)["error"])
		require.Contains(t, p.header.Get("WWW-Authenticate"), "insufficient_user_authentication")
		require.Equal(t, http.StatusOK, b.fetch(http.MethodGet, a.base+"/api/me").status, "the session goes on")
	})
	t.Run("a page leads to the provider, which asks for the password", func(t *testing.T) {
		require.Contains(t, b.open(a.base+"/api-calls?as=user").body, `name="password"`)
	})
	t.Run("the machine has nobody to ask", func(t *testing.T) {
		b := a.signedIn("bob")
		p := b.open(a.base + "/api-calls?as=machine")
		require.Empty(t, p.steps)
	})
}
