package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/signet-go/signet/internal/logtext"
)

// CheckEndpoint decides which URLs an issuer may name. An https issuer may name https URLs only;
// plain http is for development, where issuer and endpoint are both on loopback. An issuer out in
// the world may not point at this machine or its link-local neighbourhood, where cloud metadata
// services answer.
func CheckEndpoint(issuer, endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return errors.New("expected an absolute URL, got one that can't be parsed")
	}
	if u.Host == "" || u.Hostname() == "" || u.Opaque != "" {
		return fmt.Errorf("expected an absolute URL, got %s", logtext.Quote(endpoint))
	}
	if u.User != nil || u.Fragment != "" || strings.HasSuffix(endpoint, "#") {
		return errors.New("expected a URL without user and fragment")
	}
	if len(endpoint) > maxEndpoint {
		return fmt.Errorf("expected at most %d bytes, got %d", maxEndpoint, len(endpoint))
	}
	if !plainHost(u.Hostname()) {
		return fmt.Errorf("expected a host name or an IP address as usually written, got %s", logtext.Quote(endpoint))
	}
	return checkReach(issuer, u)
}

// maxEndpoint bounds a URL of the provider's: it goes into Location headers and log lines.
const maxEndpoint = 2 << 10

// checkReach decides whether an issuer may name this scheme and host. https is not enough: an
// issuer out in the world that names this machine or its network segment makes us a proxy for
// somebody (SSRF).
func checkReach(issuer string, u *url.URL) error {
	local := LoopbackHost(IssuerHost(issuer))
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && strings.HasPrefix(issuer, "http:") && local && LoopbackHost(u.Hostname()):
	default:
		return fmt.Errorf("expected https, got %s", logtext.Quote(u.String()))
	}
	if !local && closeBy(u.Hostname()) {
		return fmt.Errorf("expected a host that is not this machine's own, got %s", logtext.Quote(u.String()))
	}
	return nil
}

// plainHost reports whether a host means one thing to every reader. A URL's host may hold quotes,
// commas, semicolons and asterisks, which a Content-Security-Policy reads otherwise; and resolvers
// take "127.1" and "0x7f000001" for addresses that net/netip doesn't see.
func plainHost(host string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	if _, err := netip.ParseAddr(host); err == nil {
		return !strings.Contains(host, "%")
	}
	name := strings.TrimSuffix(host, ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.Trim(last, "0123456789") == "" {
		return false // also "", and what is too long for a number
	}
	return strings.Trim(name, plain) == ""
}

// IssuerHost returns the host of an issuer, which configuration has checked before.
func IssuerHost(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// closeBy reports whether a host can only be this machine or its own network segment: no provider
// out in the world has an endpoint there.
func closeBy(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if LoopbackHost(host) || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	ip = ip.Unmap()
	return err == nil && (ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast())
}

// LoopbackHost reports whether host never leaves the machine: localhost, 127.0.0.0/8, ::1.
func LoopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// CheckScheme accepts https, and http where no network is crossed.
func CheckScheme(u *url.URL) error {
	if u.Scheme == "https" || u.Scheme == "http" && LoopbackHost(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%q must be https (plain http is for loopback hosts only)", u.Redacted())
}

// Origin is scheme, host and port of u in one spelling.
func Origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") + ":" + port
}
