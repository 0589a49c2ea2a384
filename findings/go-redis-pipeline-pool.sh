#!/bin/sh
# go-redis v9.23.0: pipelines go by connections of their own.
#
# Guess, made beforehand: one client has one pool, so that a pipeline's GET takes the connection that a SET has just given back.
# Seen: the SET and the pipeline's GET go by two connections, of two pools; MGET goes by the SET's. READONLY closes the connection
# that it came on, and so never one of the pipelines' pool: after a failover behind a name, reads by pipeline stay with the server
# that has become a replica, however often writes are refused.
#
# Output:
#   SET and pipelined GET: 2 connections
#   SET and MGET: 1 connections
#
# Run by hand; needs Go and the module proxy. Exits non-zero when that has changed.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod GOWORK=off
go mod init finding >/dev/null 2>&1
go get github.com/redis/go-redis/v9@v9.23.0 >/dev/null 2>&1
cat >main.go <<'GO'
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

var connections atomic.Int64

// serve is as much of a Redis as is needed: it takes SET, GET and MGET of one key.
func serve(conn net.Conn) {
	connections.Add(1)
	in := bufio.NewReader(conn)
	number := func() int {
		line, err := in.ReadString('\n')
		if err != nil {
			return -1
		}
		n, _ := strconv.Atoi(strings.TrimSpace(line)[1:])
		return n
	}
	for count := number(); count > 0; count = number() {
		var words []string
		for range count {
			word := make([]byte, number()+2)
			if _, err := io.ReadFull(in, word); err != nil {
				return
			}
			words = append(words, string(word[:len(word)-2]))
		}
		answer := map[string]string{"set": "+OK\r\n", "get": "$1\r\n1\r\n", "mget": "*1\r\n$1\r\n1\r\n"}[strings.ToLower(words[0])]
		if answer == "" {
			answer = "-ERR unknown command\r\n"
		}
		fmt.Fprint(conn, answer)
	}
}

func count(read func(context.Context, *redis.Client) error) int64 {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	connections.Store(0)
	client := redis.NewClient(&redis.Options{Addr: listener.Addr().String(), Protocol: 2, DisableIdentity: true})
	defer client.Close()
	ctx := context.Background()
	must(client.Set(ctx, "k", "1", 0).Err())
	must(read(ctx, client))
	return connections.Load()
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
}

func main() {
	piped := count(func(ctx context.Context, client *redis.Client) error {
		pipe := client.Pipeline()
		pipe.Get(ctx, "k")
		_, err := pipe.Exec(ctx)
		return err
	})
	together := count(func(ctx context.Context, client *redis.Client) error { return client.MGet(ctx, "k").Err() })
	fmt.Printf("SET and pipelined GET: %d connections\nSET and MGET: %d connections\n", piped, together)
	if piped != 2 || together != 1 {
		os.Exit(1)
	}
}
GO
go run .
