package sqlstore_test

import (
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/pgtest"
	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/redisstore"
	"github.com/signet-go/signet/session/sqlstore"
)

// A subject is a store whose figures are compared.
type subject struct {
	name string
	open func(b *testing.B) measured
}

// measured is a store and how to look at it from outside.
type measured struct {
	session.Store
	trips func() int64 // round trips until now; nil where there are none
	bytes func() int64 // what all rows take
}

var subjects = []subject{{"PostgreSQL", measurePostgres}, {"SQLite", measureSQLite}, {"Redis", measureRedis}}

// measurePostgres measures with the durability that a server has by itself; the server of the other
// tests has none.
func measurePostgres(b *testing.B) measured {
	server := pgtest.Start(b, "fsync=on")
	proxy := newRelay(b)
	db := open(b, "pgx", proxy.url(b, server.URL("postgres", "")))
	return measured{migrated(b, sqlstore.NewPostgres(db)), proxy.trips.Load, func() int64 {
		execBench(b, db, "VACUUM signet_store")
		return number(b, db, "SELECT pg_total_relation_size('signet_store')")
	}}
}

func measureSQLite(b *testing.B) measured {
	file := "file:" + filepath.Join(folder(b), "sessions.db") + "?_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)"
	db := open(b, "sqlite", file)
	return measured{migrated(b, sqlstore.NewSQLite(db)), nil, func() int64 {
		return number(b, db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
	}}
}

func measureRedis(b *testing.B) measured {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		pgtest.Skip(b, "redis-server is not installed")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	addr := listener.Addr().String()
	require.NoError(b, listener.Close())
	_, port, _ := net.SplitHostPort(addr)
	process := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--dir", b.TempDir())
	require.NoError(b, process.Start())
	b.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	proxy := newRelay(b)
	proxy.lead(addr)
	client := redis.NewClient(&redis.Options{Addr: proxy.addr, ContextTimeoutEnabled: true})
	b.Cleanup(func() { client.Close() })
	require.Eventually(b, func() bool { return client.Ping(b.Context()).Err() == nil }, patience, 10*time.Millisecond)
	empty := redisMemory(b, client)
	return measured{redisstore.New(client), proxy.trips.Load, func() int64 { return redisMemory(b, client) - empty }}
}

// redisMemory is what the data take.
func redisMemory(b *testing.B, client *redis.Client) (n int64) {
	for line := range strings.Lines(client.Info(b.Context(), "memory").Val()) {
		if value, ok := strings.CutPrefix(line, "used_memory_dataset:"); ok {
			_, err := fmt.Sscan(value, &n)
			require.NoError(b, err)
		}
	}
	return n
}

func execBench(b *testing.B, db *sql.DB, statement string) {
	_, err := db.ExecContext(b.Context(), statement)
	require.NoError(b, err)
}

func number(b *testing.B, db *sql.DB, query string) (n int64) {
	require.NoError(b, db.QueryRowContext(b.Context(), query).Scan(&n))
	return n
}

// report adds requests a second, and round trips of each.
func (m measured) report(b *testing.B, before int64) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	if m.trips != nil {
		b.ReportMetric(float64(m.trips()-before)/float64(b.N), "trips/request")
	}
}

func (m measured) tripsNow() int64 {
	if m.trips == nil {
		return 0
	}
	return m.trips()
}

// token is as large as those of a provider: two kilobytes that don't pack.
var token = incompressible(2000)

func incompressible(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(session.NewKey())
	}
	return b.String()[:n]
}

// BenchmarkRequest is a request with a session, of 16 at a time, over the loopback interface: one
// that reads it, and one that changes it.
func BenchmarkRequest(b *testing.B) {
	for _, serverSide := range []bool{true, false} {
		for _, s := range subjects {
			for _, writes := range []bool{false, true} {
				name := fmt.Sprintf("%s/%s/%s", map[bool]string{true: "sessions in the store", false: "cookies"}[serverSide], s.name, map[bool]string{false: "reads", true: "writes"}[writes])
				b.Run(name, func(b *testing.B) { benchmarkRequest(b, s, serverSide, writes) })
			}
		}
	}
}

func benchmarkRequest(b *testing.B, s subject, serverSide, writes bool) {
	m := s.open(b)
	manager := newManager(b, m, session.NewKey(), serverSide)
	cookies := make([]string, 64) // sessions, so that not all wait for one row
	for i := range cookies {
		cookies[i] = signIn(b, manager, token)
	}
	var next atomic.Int64
	handler := manager.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if err := s.Load(); err != nil {
			b.Error(err)
		}
		if writes {
			if err := s.Set("n", fmt.Append(nil, next.Add(1))); err != nil {
				b.Error(err)
			}
		}
	}))
	b.SetParallelism(8) // 16 on two cores
	for _, cookie := range cookies {
		_ = load(manager, cookie)
	}
	before := m.tripsNow()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		mine := int(next.Add(1))
		for i := mine; pb.Next(); i++ {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Cookie", "__Host-session="+cookies[i%len(cookies)])
			handler.ServeHTTP(httptest.NewRecorder(), r)
		}
	})
	b.StopTimer()
	m.report(b, before)
}

// BenchmarkBytes is what the store keeps for a session with tokens of two kilobytes.
func BenchmarkBytes(b *testing.B) {
	for _, s := range subjects {
		b.Run(s.name, func(b *testing.B) {
			m := s.open(b)
			manager := newManager(b, m, session.NewKey(), true)
			for b.Loop() {
				signIn(b, manager, token)
			}
			b.ReportMetric(float64(m.bytes())/float64(b.N), "bytes/session")
		})
	}
}
