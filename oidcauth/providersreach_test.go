package oidcauth_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// names is a resolver in the place of the process's own, which answers with one address whatever is asked.
type names struct {
	mu      sync.Mutex
	address netip.Addr
	asked   atomic.Int64
}

func newNames(t *testing.T) *names {
	n := new(names)
	inPlaceOf(t, &net.DefaultResolver, &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go n.serve(server)
		t.Cleanup(func() { client.Close() })
		return client, nil
	}})
	return n
}

func (n *names) are(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.address = netip.MustParseAddr(address)
}

// serve answers the questions on a connection, each behind its length (RFC 1035 §4.2.2).
func (n *names) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, question); err != nil {
			return
		}
		n.mu.Lock()
		message := resolved(question, n.address)
		n.mu.Unlock()
		n.asked.Add(1)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)); err != nil {
			return
		}
	}
}

// resolved is the answer to a DNS message with one question (RFC 1035 §4.1): the address, if it is of the type asked for.
func resolved(question []byte, address netip.Addr) []byte {
	end := 12
	for question[end] != 0 {
		end += 1 + int(question[end])
	}
	end += 5 // the root, type and class
	message := append([]byte{}, question[:end]...)
	message[2], message[3] = 0x81, 0x80 // a response, recursion desired and available
	copy(message[6:12], make([]byte, 6))
	kind := uint16(1)
	if !address.Is4() {
		kind = 28
	}
	if binary.BigEndian.Uint16(question[end-4:]) != kind {
		return message
	}
	message[7] = 1
	message = binary.BigEndian.AppendUint16(append(message, 0xc0, 12), kind)
	message = append(message, 0, 1, 0, 0, 0, 0, 0, byte(len(address.AsSlice())))
	return append(message, address.AsSlice()...)
}

// TestAProvidersNameThatLeadsInsideIsNotCalled: what it resolves to is judged each time, whatever it was before.
func TestAProvidersNameThatLeadsInsideIsNotCalled(t *testing.T) {
	resolver := newNames(t)
	var connects, asks atomic.Int64
	inner := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asks.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	inner.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connects.Add(1)
		}
	}
	inner.StartTLS()
	t.Cleanup(inner.Close)
	_, port, err := net.SplitHostPort(inner.Listener.Addr().String())
	require.NoError(t, err)
	transport := inner.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com"
	p, err := oidcauth.NewProviders(oidcauth.ProvidersConfig{
		URL: app + "/auth/", Session: session.Config{Keys: []string{testKey}}, HTTPClient: &http.Client{Transport: transport},
	})
	require.NoError(t, err)
	c := oidcauth.Config{Issuer: "https://tenant.example:" + port, ClientID: "c", ClientSecret: "s"}
	login := func() int {
		answer := httptest.NewRecorder()
		p.ServeHTTP(answer, navigation(app+"/auth/tenant/login"))
		return answer.Code
	}
	for _, address := range []string{
		"127.0.0.1", "127.0.0.53", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "::1", "::", "::ffff:127.0.0.1",
		"::ffff:10.0.0.1", "::ffff:169.254.169.254", "fe80::1", "fc00::1", "fd00:ec2::254", "64:ff9b::7f00:1",
	} {
		resolver.are(address)
		require.NoError(t, p.Add("tenant", c))
		before := resolver.asked.Load()
		require.Equal(t, http.StatusServiceUnavailable, login(), address)
		require.Greater(t, resolver.asked.Load(), before, address)
		require.NoError(t, p.Remove(t.Context(), "tenant"))
	}
	require.Zero(t, connects.Load(), "somebody connected")

	resolver.are("127.0.0.1")
	require.NoError(t, p.Add("tenant", c, oidcauth.InsecureAnyAddress()))
	require.Equal(t, http.StatusServiceUnavailable, login())
	require.NotZero(t, asks.Load(), "control: it is called where that is allowed")
	require.NoError(t, p.Replace(t.Context(), "tenant", c))
	inner.CloseClientConnections()
	before := connects.Load()
	require.Equal(t, http.StatusServiceUnavailable, login())
	require.Equal(t, before, connects.Load(), "and no more when the permission was taken back")
}
