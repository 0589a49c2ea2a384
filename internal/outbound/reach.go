package outbound

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/signet-go/signet/internal/logtext"
)

// A Reach is where a call may end whose address somebody else has a say in: at public addresses,
// and with loopback at this machine's own. What a name resolves to is judged when it is dialed, so
// that a name which resolves otherwise a moment later gains nothing.
type Reach struct{ loopback bool }

// ReachOf is the reach of what an issuer names: loopback is for an issuer on loopback.
func ReachOf(issuer string) Reach { return Reach{loopback: LoopbackHost(IssuerHost(issuer))} }

// unicast are the IPv6 addresses that are allocated at all; nat64 those that stand for IPv4
// addresses (RFC 6052 §2.1).
var (
	unicast = netip.MustParsePrefix("2000::/3")
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
)

// special are the rest of what is not globally reachable by IANA's registries of special-purpose
// addresses (RFC 6890), in addition to those that net/netip knows by name, and tunnels into IPv4.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),    // carrier-grade NAT
	netip.MustParsePrefix("168.63.129.16/32"), // within Azure, its host's own service
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), // documentation, as the next two
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"), // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),  // benchmarks
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"), // protocol assignments, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4
	netip.MustParsePrefix("3fff::/20"),
}

// allows reports whether a call may end at ip.
func (r Reach) allows(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if ip.IsLoopback() {
		return r.loopback
	}
	if nat64.Contains(ip) {
		all := ip.As16()
		ip = netip.AddrFrom4([4]byte(all[12:]))
	}
	if ip.Is6() && !unicast.Contains(ip) || !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, prefix := range special {
		if prefix.Contains(ip) {
			return false
		}
	}
	return true
}

// Check judges an address with its port, as it is dialed.
func (r Reach) check(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !r.allows(to.Addr()) {
		return fmt.Errorf("expected a public address, got %s", logtext.Quote(address))
	}
	return nil
}

// CheckHost judges a host that is written as an address. What a name means is judged when it is
// dialed.
func (r Reach) CheckHost(host string) error {
	if ip, err := netip.ParseAddr(host); err == nil && !r.allows(ip) {
		return fmt.Errorf("expected a public address, got %s", logtext.Quote(host))
	}
	return nil
}

// control is check at the moment before a socket connects, for net.Dialer.
func (r Reach) control(_, address string, _ syscall.RawConn) error { return r.check(address) }

func (r Reach) dialer() *net.Dialer {
	return &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second, Control: r.control}
}

// NewPublicClient returns a client like that for the provider (see NewClient) whose calls end
// within r. A client certificate is for the provider alone.
func NewPublicClient(s Settings, r Reach) *http.Client {
	client := http.Client{}
	if s.Base != nil {
		client = *s.Base
	}
	client.Transport = PublicTransport(s.Base, r, nil)
	return NewClient(Settings{Base: &client, Timeout: s.Timeout})
}

// PublicTransport returns a transport like that of base, which may be nil, whose calls end within r;
// it presents a certificate unless that is nil. Clients may share it.
func PublicTransport(base *http.Client, r Reach, cert *tls.Certificate) http.RoundTripper {
	rt := Transport(base)
	if standard, ok := rt.(*http.Transport); ok {
		rt = r.transport(standard)
	}
	if cert != nil {
		rt = WithCertificate(rt, cert)
	}
	return &reachTransport{base: rt, reach: r}
}

// Transport returns base's transport, or our own.
func Transport(base *http.Client) http.RoundTripper {
	if base != nil && base.Transport != nil {
		return base.Transport
	}
	return newTransport()
}

// transport returns a transport that dials within r, and has nothing of standard but what it knows
// of TLS: a dialer or a proxy of somebody's would choose the address.
func (r Reach) transport(standard *http.Transport) *http.Transport {
	t := newTransport()
	t.Proxy, t.DialContext = nil, r.dialer().DialContext
	if standard.TLSClientConfig != nil {
		t.TLSClientConfig = standard.TLSClientConfig.Clone()
		t.TLSClientConfig.Certificates, t.TLSClientConfig.GetClientCertificate = nil, nil
	}
	return t
}

// A reachTransport looks at each connection before a request is written to it, whoever has dialed
// it.
type reachTransport struct {
	base  http.RoundTripper
	reach Reach
}

// RoundTrip implements http.RoundTripper.
func (t *reachTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.reach.CheckHost(r.URL.Hostname()); err != nil {
		CloseBody(r)
		return nil, err
	}
	var refused atomic.Pointer[error]
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if err := t.reach.check(remote(got.Conn)); err != nil {
			refused.Store(&err)
			_ = got.Conn.Close() // the transport's to close, but nothing may be written to it
		}
	}}
	res, err := t.base.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if why := refused.Load(); why != nil {
		if res != nil {
			_ = res.Body.Close()
		}
		return nil, errors.Join(*why, err)
	}
	return res, err
}

// remote is the address of a connection's other end, "" when it has none.
func remote(c net.Conn) string {
	if a := c.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}
