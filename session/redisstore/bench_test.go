package redisstore_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/redisstore"
	"github.com/stretchr/testify/require"
)

// BenchmarkWholeRequest measures requests through a real server and a real Redis, on sixteen
// connections and one core, as whole.sh does: cpu-ns/op is what this process takes, with a client
// that costs next to nothing, and calls/op how many commands go to Redis. Ratios count: compare the rows of one run.
func BenchmarkWholeRequest(b *testing.B) {
	hello := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello\n") }
	page := func(w http.ResponseWriter, r *http.Request) {
		if session.From(r.Context()).Load() != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		hello(w, r)
	}
	for name, c := range map[string]session.Config{
		"bare handler": {}, "cookie": {}, "cookie with marks in Redis": {}, "ServerSide with Redis": {ServerSide: true},
	} {
		b.Run(name, func(b *testing.B) {
			c.Keys = []string{session.NewKey()}
			calls := &counter{}
			if strings.Contains(name, "Redis") {
				client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{startServer(b).addr}, ContextTimeoutEnabled: true})
				b.Cleanup(func() { client.Close() })
				client.AddHook(calls)
				c.Store = redisstore.New(client)
			}
			m, err := session.New(c)
			require.NoError(b, err)
			cookie := taggedSession(b, m)
			h := m.Handler(http.HandlerFunc(page))
			if name == "bare handler" {
				h = http.HandlerFunc(hello)
			}
			connect := connector(b, h, cookie)
			connect()()
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			b.SetParallelism(16)
			before, began := calls.n.Load(), cpu(b)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for exchange := connect(); pb.Next(); {
					exchange()
				}
			})
			b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(calls.n.Load()-before)/float64(b.N), "calls/op")
		})
	}
}

// BenchmarkSessionsInRedis tells what more sessions cost: memory of Redis for each, and a request of
// one of them. A million take 2 GB and some minutes: leave them out with -short.
func BenchmarkSessionsInRedis(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			if n > 100_000 && testing.Short() {
				b.Skip("takes 2 GB")
			}
			client := redis.NewClient(&redis.Options{Addr: startServer(b).addr, ContextTimeoutEnabled: true})
			b.Cleanup(func() { client.Close() })
			m, err := session.New(session.Config{Keys: []string{session.NewKey()}, ServerSide: true, Store: redisstore.New(client)})
			require.NoError(b, err)
			before := usedMemory(b, client)
			cookies := make([]string, n)
			for i := range cookies {
				cookies[i] = taggedSession(b, m)
			}
			held := usedMemory(b, client) - before
			h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if session.From(r.Context()).Load() != nil {
					b.Error("signed out")
				}
			}))
			r, i := httptest.NewRequest(http.MethodGet, "/", nil), 0
			b.ReportAllocs()
			for b.Loop() {
				i += 7919
				r.Header.Set("Cookie", cookies[i%n])
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
			b.ReportMetric(float64(held)/float64(n), "B/session")
		})
	}
}

// usedMemory is what Redis says of itself.
func usedMemory(b *testing.B, client *redis.Client) int64 {
	info, err := client.Info(b.Context(), "memory").Result()
	require.NoError(b, err)
	_, rest, _ := strings.Cut(info, "used_memory:")
	text, _, _ := strings.Cut(rest, "\r\n")
	used, err := strconv.ParseInt(text, 10, 64)
	require.NoError(b, err)
	return used
}

// taggedSession returns the cookie of a session with tags, as a login leaves it, and 1 kB of what tokens look
// like once they are packed.
func taggedSession(b *testing.B, m *session.Manager) string {
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		require.NoError(b, s.Set("tokens", bytes.Repeat([]byte("0123456789"), 100)))
		for _, tag := range []string{"user", "sid", "login"} {
			require.NoError(b, s.Tag(tag))
		}
	})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	c := w.Result().Cookies()[0]
	return c.Name + "=" + c.Value
}

// connector returns what makes a connection to a server of h. Its result sends one request and reads
// the answer.
func connector(b *testing.B, h http.Handler, cookie string) func() func() {
	server := httptest.NewServer(h)
	b.Cleanup(server.Close)
	request := "GET / HTTP/1.1\r\nHost: shop.example\r\nCookie: " + cookie + "\r\n\r\n"
	return func() func() {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			b.Error(err)
			return func() {}
		}
		b.Cleanup(func() { conn.Close() })
		answer := bufio.NewReader(conn)
		return func() {
			io.WriteString(conn, request)
			if err := discardAnswer(answer); err != nil {
				b.Error(err)
			}
		}
	}
}

// discardAnswer reads one answer, which must be 200.
func discardAnswer(answer *bufio.Reader) error {
	length := 0
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = answer.ReadString('\n'); err != nil {
			return err
		}
		if strings.HasPrefix(line, "HTTP/1.1 4") {
			return errors.New(line)
		}
		if text, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(text))
		}
	}
	_, err := answer.Discard(length)
	return err
}

// cpu is what this process has taken.
func cpu(b *testing.B) int64 {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// counter counts the commands that go to Redis.
type counter struct{ n atomic.Int64 }

func (c *counter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}

func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmds)
	}
}
