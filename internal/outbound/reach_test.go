package outbound_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/outbound"
)

func TestCallsToClaimsProvidersEndAtPublicAddresses(t *testing.T) {
	public := []string{"8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "192.167.1.1", "100.63.0.1", "100.128.0.1", "169.253.0.1", "223.255.255.1",
		"2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"}
	private := []string{"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "168.63.129.16", "100.64.0.1", "100.127.255.255", "0.0.0.0", "0.1.2.3",
		"192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"::", "fe80::1", "fe80::1%lo", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001::1", "2001:db8::1", "2002:a00:1::1", "3fff::1", "4000::1",
		"100::1", "5f00::1", "::10.0.0.1", "::8.8.8.8", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:8.8.8.8", "64:ff9b::a00:1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"}
	loopback := []string{"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"}
	for _, issuer := range []string{"https://bureau.example", "http://127.0.0.1:8080"} {
		for _, ip := range public {
			require.True(t, outbound.Reaches(issuer, net.JoinHostPort(ip, "443")), ip)
		}
		for _, ip := range private {
			require.False(t, outbound.Reaches(issuer, net.JoinHostPort(ip, "443")), ip)
		}
	}
	for _, ip := range loopback {
		require.False(t, outbound.Reaches("https://bureau.example", net.JoinHostPort(ip, "443")), ip)
		require.False(t, outbound.Reaches("https://127.0.0.1.example", net.JoinHostPort(ip, "443")), ip)
		for _, issuer := range []string{"http://127.0.0.1:8080", "http://localhost", "https://[::1]:8443"} {
			require.True(t, outbound.Reaches(issuer, net.JoinHostPort(ip, "443")), ip)
		}
	}
	for _, odd := range []string{"", "8.8.8.8", "8.8.8.8:x", "/var/run/x.sock", "@", "pipe", "localhost:80", "example.com:443", "2130706433:80", "127.1:80"} {
		require.False(t, outbound.Reaches("http://127.0.0.1", odd), odd)
	}
}

// A doorbell is a server on loopback that counts who connects and who asks.
type doorbell struct {
	connects, asks atomic.Int64
	port           string
}

func newDoorbell(t *testing.T) *doorbell {
	d := new(doorbell)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { d.asks.Add(1) }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			d.connects.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	d.port = strconv.Itoa(int(netip.MustParseAddrPort(server.Listener.Addr().String()).Port()))
	return d
}

// settings are what the client for a claims provider is made from.
func settings(rt http.RoundTripper) outbound.Settings {
	s := outbound.Settings{Timeout: 5 * time.Second}
	if rt != nil {
		s.Base = &http.Client{Transport: rt}
	}
	return s
}

// roundTripper is a function that is an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (rt roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return rt(r) }

// However this machine is spelled, no connection is made, not even one that is given up again.
func TestNoSpellingOfThisMachineIsDialled(t *testing.T) {
	d := newDoorbell(t)
	names := resolver(t, func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} })
	control := outbound.ReachingClient(settings(nil), "http://127.0.0.1", names)
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "rebound.localhost"} {
		res, err := control.Get("http://" + host + ":" + d.port)
		require.NoError(t, err, host)
		res.Body.Close()
	}
	require.EqualValues(t, 4, d.asks.Load())
	before := d.connects.Load()

	// A dialer or a proxy of the configuration's own does not get round it.
	open := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+d.port)
		},
	}
	open.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:" + d.port})
	for _, client := range []*http.Client{
		outbound.ReachingClient(settings(nil), "https://bureau.example", names),
		outbound.ReachingClient(settings(open), "https://bureau.example", nil),
	} {
		require.True(t, outbound.DialsDirectly(client))
		for _, host := range []string{
			"127.0.0.1", "127.0.0.2", "127.1", "2130706433", "0x7f000001", "017700000001", "0.0.0.0", "0", "localhost", "LOCALHOST", "localhost.",
			"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "rebound.localhost",
		} {
			_, err := client.Get("http://" + host + ":" + d.port)
			require.Error(t, err, host)
			require.Regexp(t, "expected a public address|no such host", err.Error(), host)
		}
	}
	require.Equal(t, before, d.connects.Load(), "somebody connected")
}

// A name that resolves to a public address when it is looked at, and to a private one when it is dialed, gains nothing; nor does
// one that has both.
func TestANameThatResolvesToPrivateAddressesIsNotDialled(t *testing.T) {
	d := newDoorbell(t)
	var asked atomic.Int64
	names := resolver(t, func(string) []netip.Addr {
		asked.Add(1)
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("127.0.0.1")}
	})
	client := outbound.ReachingClient(settings(nil), "https://bureau.example", names)
	_, err := client.Get("http://bureau.example:" + d.port)
	require.ErrorContains(t, err, "expected a public address")
	require.NotZero(t, asked.Load())
	require.Zero(t, d.connects.Load())
}

// A transport of the application's own dials as it likes. Where it lets its connections be seen, no request goes to a private one.
func TestAForeignTransportWritesNothingToAPrivateAddress(t *testing.T) {
	d := newDoorbell(t)
	instrumented := roundTripper(func(r *http.Request) (*http.Response, error) { return (&http.Transport{}).RoundTrip(r) })
	client := outbound.ReachingClient(settings(instrumented), "https://bureau.example", nil)
	_, err := client.Get("http://127.0.0.1:" + d.port)
	require.ErrorContains(t, err, "expected a public address")
	require.Zero(t, d.asks.Load())

	local := outbound.ReachingClient(settings(instrumented), "http://localhost", nil)
	res, err := local.Get("http://127.0.0.1:" + d.port)
	require.NoError(t, err)
	res.Body.Close()
	require.EqualValues(t, 1, d.asks.Load())
}

// resolver answers every question for an IPv4 address in memory.
func resolver(t *testing.T, answer func(name string) []netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			var size [2]byte // a stream has the length before each message (RFC 1035 §4.2.2)
			for {
				if _, err := io.ReadFull(server, size[:]); err != nil {
					return
				}
				question := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(server, question); err != nil {
					return
				}
				message := dnsAnswer(question, answer)
				if _, err := server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)); err != nil {
					return
				}
			}
		}()
		t.Cleanup(func() { client.Close() })
		return client, nil
	}}
}

// dnsAnswer answers a DNS message with one question (RFC 1035 §4.1).
func dnsAnswer(question []byte, answer func(name string) []netip.Addr) []byte {
	end, labels := 12, []string{}
	for question[end] != 0 {
		labels = append(labels, string(question[end+1:end+1+int(question[end])]))
		end += 1 + int(question[end])
	}
	end += 5 // the root, type and class
	kind := binary.BigEndian.Uint16(question[end-4:])
	message := append([]byte{}, question[:end]...)
	message[2], message[3] = 0x81, 0x80 // a response, recursion desired and available
	copy(message[6:12], make([]byte, 6))
	if kind != 1 {
		return message // no such type of address
	}
	addresses := answer(strings.Join(labels, "."))
	message[7] = byte(len(addresses))
	for _, ip := range addresses {
		four := ip.As4()
		message = append(message, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		message = append(message, four[:]...)
	}
	return message
}
