//go:build unix

package main_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/pgtest"
	"github.com/signet-go/signet/session/sqlstore"
)

// A group of servers has one that takes a row's writes, and another that takes its place when it
// dies.
type group struct {
	store string   // as SESSION_STORE has it
	pairs []string // the app's other variables
	kill  func(t *testing.T)
	write func(ctx context.Context, key string) error
}

// redisWriter writes by a client that looks for the new primary itself.
func redisWriter(client redis.UniversalClient) func(context.Context, string) error {
	return func(ctx context.Context, key string) error { return client.Set(ctx, key, "1", time.Minute).Err() }
}

// startRedis starts a redis-server with a folder of its own.
func startRedis(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path := newRedis(t).path
	process := exec.Command(path, append(args, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())...)
	require.NoError(t, process.Start())
	t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	return process
}

func die(process *exec.Cmd) { _ = process.Process.Kill(); _ = process.Wait() }

// admin is a client of one server, once it answers.
func admin(t *testing.T, port string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, MaxRetries: -1})
	t.Cleanup(func() { client.Close() })
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, patience, 10*time.Millisecond)
	return client
}

// startSentinels starts a primary, a replica and three sentinels.
func startSentinels(t *testing.T) *group {
	primary, replica := freePort(t), freePort(t)
	first := startRedis(t, "--port", primary, "--repl-diskless-sync-delay", "0")
	startRedis(t, "--port", replica, "--replicaof", "127.0.0.1", primary)
	follower := admin(t, replica)
	require.Eventually(t, func() bool {
		return strings.Contains(follower.Info(t.Context(), "replication").Val(), "master_link_status:up")
	}, patience, 10*time.Millisecond, "the replica does not follow")
	var addrs []string
	for range 3 {
		port := freePort(t)
		file := filepath.Join(t.TempDir(), "sentinel.conf")
		require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor main 127.0.0.1 %s 2\n"+
			"sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 3000\n", port, filepath.Dir(file), primary), 0o600))
		process := exec.Command(newRedis(t).path, file, "--sentinel")
		require.NoError(t, process.Start())
		t.Cleanup(func() { die(process) })
		addrs = append(addrs, "127.0.0.1:"+port)
	}
	for _, addr := range addrs {
		sentinel := admin(t, addr[strings.LastIndexByte(addr, ':')+1:])
		require.Eventually(t, func() bool {
			state, _ := sentinel.Do(t.Context(), "sentinel", "master", "main").Result()
			known := fmt.Sprint(state)
			return strings.Contains(known, "num-slaves:1") && strings.Contains(known, "num-other-sentinels:2")
		}, patience, 50*time.Millisecond, "the sentinels don't know each other")
	}
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "main", SentinelAddrs: addrs, MaxRetries: -1, DialTimeout: time.Second})
	t.Cleanup(func() { client.Close() })
	return &group{
		store: "redis",
		pairs: []string{"REDIS_URL", "redis://" + addrs[0] + "?addr=" + addrs[1] + "&addr=" + addrs[2], "REDIS_SENTINEL_MASTER", "main"},
		write: redisWriter(client), kill: func(*testing.T) { die(first) },
	}
}

// startNodes starts a cluster of three primaries, each with a replica.
func startNodes(t *testing.T) *group {
	cli, err := exec.LookPath("redis-cli")
	if err != nil {
		skip(t, "redis-cli is not installed")
	}
	nodes := map[string]*exec.Cmd{}
	var addrs []string
	for range 6 {
		port := freePort(t)
		nodes[port] = startRedis(t, "--port", port, "--cluster-enabled", "yes", "--cluster-port", freePort(t), "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0")
		admin(t, port)
		addrs = append(addrs, "127.0.0.1:"+port)
	}
	args := append([]string{"--cluster", "create"}, addrs...)
	out, err := exec.Command(cli, append(args, "--cluster-replicas", "1", "--cluster-yes")...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, MaxRetries: -1, ClusterStateReloadInterval: 100 * time.Millisecond})
	t.Cleanup(func() { client.Close() })
	for port := range nodes {
		node := admin(t, port)
		require.Eventually(t, func() bool {
			info := node.ClusterInfo(t.Context()).Val() + node.Info(t.Context(), "replication").Val()
			follows := !strings.Contains(info, "role:slave") || strings.Contains(info, "master_link_status:up")
			leads := !strings.Contains(info, "role:master") || strings.Contains(info, "connected_slaves:1")
			return strings.Contains(info, "cluster_state:ok") && follows && leads
		}, patience, 50*time.Millisecond, "the cluster does not come up")
	}
	return &group{
		store: "redis",
		pairs: []string{"REDIS_URL", "redis://" + addrs[0] + "?addr=" + strings.Join(addrs[1:], "&addr="), "REDIS_CLUSTER", "true"},
		write: redisWriter(client), kill: func(t *testing.T) {
			for port, process := range nodes {
				if strings.Contains(admin(t, port).Info(t.Context(), "replication").Val(), "role:master") {
					die(process)
					return
				}
			}
		},
	}
}

// takesWrites waits until rows of all parts can be written, and returns when that was.
func (g *group) takesWrites(t *testing.T) time.Time {
	t.Helper()
	require.Eventually(t, func() bool {
		for i := range 50 { // of all nodes of a cluster
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := g.write(ctx, fmt.Sprint("probe-", i))
			cancel()
			if err != nil {
				return false
			}
		}
		return true
	}, patience, 20*time.Millisecond, "nobody takes the dead one's place")
	return time.Now()
}

// An answer that a visitor got.
type answered struct {
	at     time.Time
	status int
	text   string
}

// watch lets visitors ask for all that they may, until stop, and returns all answers but 200.
func (f *fleet) watch(t *testing.T, visitors []*visitor, stop <-chan struct{}) func() (all int, others []answered) {
	var mu sync.Mutex
	var others []answered
	var wg sync.WaitGroup
	all := 0
	for n, v := range visitors {
		wg.Go(func() {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for i := n; ; i++ {
				select {
				case <-tick.C:
				case <-stop:
					return
				}
				path := []string{"/api/call", "/api/me"}[i/2%2]
				r, err := v.ask(t.Context(), f.base(i)+path, v.cookie())
				mu.Lock()
				all++
				switch {
				case err != nil:
					others = append(others, answered{time.Now(), 0, err.Error()})
				case r.status != http.StatusOK:
					others = append(others, answered{time.Now(), r.status, r.text})
				}
				mu.Unlock()
			}
		})
	}
	return func() (int, []answered) {
		wg.Wait()
		return all, others
	}
}

// startStandby starts a PostgreSQL and its standby, which is promoted when the first one has died.
func startStandby(t *testing.T) *group {
	primary := pgtest.Start(t)
	p := &place{name: "postgres", address: []string{"DATABASE_URL", primary.URL("postgres", "")}}
	p.migrate(t)
	standby := primary.Standby()
	url := "postgres://app@" + primary.Addr() + "," + standby.Addr() + "/postgres?sslmode=disable&target_session_attrs=read-write"
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	store := sqlstore.NewPostgres(db)
	return &group{
		store: "postgres", pairs: []string{"DATABASE_URL", url},
		kill:  func(*testing.T) { primary.Stop(); standby.Promote() },
		write: func(ctx context.Context, key string) error { return store.Set(ctx, key, nil, time.Minute) },
	}
}

func TestAFailoverSignsNobodyOut(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *group{
		"sentinels": startSentinels, "a cluster": startNodes, "PostgreSQL": startStandby,
	} {
		t.Run("sessions in the store, "+name, func(t *testing.T) {
			g := start(t)
			failOver(t, g, g.store)
		})
		t.Run("sessions in cookies, "+name, func(t *testing.T) { failOver(t, start(t), "cookie") })
	}
}

func failOver(t *testing.T, g *group, store string) {
	f := startFleet(t, 2, shortLife, append([]string{"SESSION_STORE", store, "REDIS_TIMEOUT", "2s"}, g.pairs...)...)
	visitors := f.signedIn(t, 10)
	f.forget()
	stop := make(chan struct{})
	results := f.watch(t, visitors, stop)
	<-time.After(time.Second)
	killed := time.Now()
	g.kill(t)
	healed := g.takesWrites(t)
	<-time.After(2 * shortLife) // each token is renewed twice
	close(stop)
	all, others := results()
	late := 0
	for _, a := range others {
		require.Equal(t, http.StatusServiceUnavailable, a.status, "%v after the end of the server: %s", a.at.Sub(killed), a.text)
		if a.at.After(healed.Add(5 * time.Second)) {
			late++
		}
	}
	require.Zero(t, late, "503 when others can write for long")
	for _, v := range visitors {
		require.NoError(t, v.call(t.Context(), 0, v.cookie()), "nobody was signed out")
	}
	refreshes := 0
	for _, c := range f.tokenCalls("refresh_token") {
		require.Empty(t, c.Error, "a token of %s was spent twice", c.User)
		refreshes++
	}
	t.Logf("nobody took writes for %v; of %d answers %d were 503; %d refreshes", healed.Sub(killed).Round(time.Millisecond), all, len(others), refreshes)
}
