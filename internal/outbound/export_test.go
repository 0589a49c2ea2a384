package outbound

import (
	"net"
	"net/http"
)

// Reaches reports whether what this issuer names may be at an address.
func Reaches(issuer, address string) bool { return ReachOf(issuer).check(address) == nil }

// ReachingClient is NewPublicClient for an issuer, with names resolved by resolver, if any.
func ReachingClient(s Settings, issuer string, resolver *net.Resolver) *http.Client {
	client := NewPublicClient(s, ReachOf(issuer))
	if standard, ok := client.Transport.(*reachTransport).base.(*http.Transport); ok && resolver != nil {
		dialer := ReachOf(issuer).dialer()
		dialer.Resolver = resolver
		standard.DialContext = dialer.DialContext
	}
	return client
}

// DialsDirectly reports whether a ReachingClient uses no proxy.
func DialsDirectly(client *http.Client) bool {
	standard, ok := client.Transport.(*reachTransport).base.(*http.Transport)
	return ok && standard.Proxy == nil
}
