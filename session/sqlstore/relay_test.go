package sqlstore_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// A relay is a name that leads to a server: it counts round trips, leads elsewhere after a failover,
// and loses answers. Connections that are open stay where they are.
type relay struct {
	addr  string
	to    atomic.Pointer[string]
	trips atomic.Int64           // how often a client has spoken after its server
	lose  atomic.Pointer[[]byte] // the answer to the next words with these bytes; the connection breaks
}

func newRelay(t testing.TB) *relay {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	r := &relay{addr: listener.Addr().String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go r.serve(client)
		}
	}()
	return r
}

// url makes a server's URL lead through the relay, and the relay to the server.
func (r *relay) url(t testing.TB, server string) string {
	u, err := url.Parse(server)
	require.NoError(t, err)
	r.lead(u.Host)
	u.Host = r.addr
	return u.String()
}

// lead makes new connections go to an address.
func (r *relay) lead(addr string) { r.to.Store(&addr) }

// loseAnswer loses the answer to the next words with this text.
func (r *relay) loseAnswer(text string) { words := []byte(text); r.lose.Store(&words) }

func (r *relay) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", *r.to.Load())
	if err != nil {
		return
	}
	defer server.Close()
	var lost, answered atomic.Bool
	answered.Store(true)
	go func() {
		defer server.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if err != nil {
				return
			}
			if answered.Swap(false) {
				r.trips.Add(1)
			}
			if words := r.lose.Load(); words != nil && bytes.Contains(buf[:n], *words) && r.lose.CompareAndSwap(words, nil) {
				lost.Store(true)
			}
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	_, _ = io.Copy(writer(func(p []byte) (int, error) {
		if lost.Load() {
			return 0, io.ErrClosedPipe
		}
		answered.Store(true)
		return client.Write(p)
	}), server)
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// A refuser is a name whose server refuses so many connections, with an error of PostgreSQL.
type refuser struct {
	*relay
	left, refused atomic.Int64
	message       []byte
}

func newRefuser(t testing.TB, code, text string, times int64) *refuser {
	fields := "SFATAL\x00VFATAL\x00C" + code + "\x00M" + text + "\x00\x00"
	r := &refuser{relay: &relay{}}
	r.message = append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(4+len(fields))), fields...)
	r.left.Store(times)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	r.addr = listener.Addr().String()
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			if r.left.Add(-1) < 0 {
				go r.serve(client)
				continue
			}
			r.refused.Add(1)
			_, _ = client.Read(make([]byte, 4096))
			_, _ = client.Write(r.message)
			client.Close()
		}
	}()
	return r
}
