#!/bin/sh
# go-redis 9.23.0: a Cluster client goes on dialling a dead primary long after the cluster has replaced it.
#
# Guess, made beforehand: when a primary dies and its replica takes over, the client's next failed dial makes it ask the cluster who
# serves which slots, so that it writes again about when the cluster does; Options() names no interval that one would have to know.
# Seen: the state is asked for after MOVED, ASK and READONLY only, which a dead node does not send, and else every
# ClusterStateReloadInterval, 60 s by itself. The cluster takes writes again after two or three seconds; the client gets "connection
# refused" for those slots for up to a minute, with its own retries (MaxRetries 3) as well. ReloadState, or an interval of a second,
# heals it.
#
# Output:
#   the cluster takes writes again: true
#   the client, 15 s later: connection refused
#   after ReloadState: written
#
# Run by hand; needs Go 1.26, the Go module proxy, and redis-server and redis-cli 7.0 (Debian's). Exits non-zero when that has changed.
set -eu
dir=$(mktemp -d)
pids=
trap '[ -z "$pids" ] || kill -9 $pids 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require github.com/redis/go-redis/v9 v9.23.0
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// main is given pairs of port and process, one for each node.
func main() {
	redis.SetLogger(quiet{})
	ctx, pids := context.Background(), map[string]int{}
	var addrs []string
	for i := 1; i < len(os.Args); i += 2 {
		pid, _ := strconv.Atoi(os.Args[i+1])
		addr := "127.0.0.1:" + os.Args[i]
		pids[addr], addrs = pid, append(addrs, addr)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, MaxRetries: 3})
	await(func() bool { return client.Set(ctx, "row", "1", 0).Err() == nil })
	primary, err := client.MasterForKey(ctx, "row")
	must(err)
	dead := primary.Options().Addr
	await(func() bool { return strings.Contains(primary.Info(ctx, "replication").Val(), "connected_slaves:1") })
	must(syscall.Kill(pids[dead], syscall.SIGKILL))
	fresh := func() error { // of a client that has just come
		c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
		defer c.Close()
		return c.Set(ctx, "row", "2", 0).Err()
	}
	await(func() bool { return fresh() == nil })
	fmt.Println("the cluster takes writes again:", fresh() == nil)
	var last error
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if last = client.Set(ctx, "row", "3", 0).Err(); last == nil {
			break
		}
	}
	fmt.Println("the client, 15 s later:", word(last))
	client.ReloadState(ctx)
	time.Sleep(time.Second)
	fmt.Println("after ReloadState:", word(client.Set(ctx, "row", "4", 0).Err()))
}

func word(err error) string {
	switch {
	case err == nil:
		return "written"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	}
	return err.Error()
}

func await(ok func() bool) {
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			panic("never")
		}
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}
GO
go mod tidy >go.log 2>&1
go build -o finding . >>go.log 2>&1
ports=$(python3 -c 'import socket
s = [socket.socket() for _ in range(12)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])')
# shellcheck disable=SC2086 # twelve words
set -- $ports
nodes= pairs=
for _ in 1 2 3 4 5 6; do
	mkdir "$1"
	redis-server --port "$1" --cluster-port "$2" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir/$1" --cluster-enabled yes \
		--cluster-node-timeout 1000 --repl-diskless-sync-delay 0 >"$1/log" 2>&1 &
	pids="$pids $!" nodes="$nodes 127.0.0.1:$1" pairs="$pairs $1 $!"
	shift 2
done
sleep 1
# shellcheck disable=SC2086
redis-cli --cluster create $nodes --cluster-replicas 1 --cluster-yes >cluster.log 2>&1
# shellcheck disable=SC2086
./finding $pairs 2>&1 | tee output
printf '%s\n' 'the cluster takes writes again: true' 'the client, 15 s later: connection refused' 'after ReloadState: written' | cmp - output
