package relay

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/signet-go/signet/internal/outbound"
)

// CheckSender reports why r was not sent by a script of a page at origin: it comes from another
// site, or its answer would become a document, a script, an image or a worker here. GET is judged
// as every method is, since what an API says is nobody else's business.
//
// Browsers say so in Fetch Metadata (W3C Fetch Metadata §2). Without them an Origin that is sent
// must be ours; a client that sends neither is an old browser on one of our pages, or no browser.
func CheckSender(r *http.Request, origin string) error {
	site, dest, mode := field(r, "Sec-Fetch-Site"), field(r, "Sec-Fetch-Dest"), field(r, "Sec-Fetch-Mode")
	switch {
	case site != "" && site != "same-origin":
		return fmt.Errorf("Sec-Fetch-Site: expected same-origin, got %.40q", site)
	case dest != "" && dest != "empty":
		return fmt.Errorf("Sec-Fetch-Dest: expected empty, as a script's fetch has it, got %.40q", dest)
	case mode == "navigate":
		return errors.New("Sec-Fetch-Mode: the answer to a navigation would be a page of this origin")
	case field(r, "Service-Worker") != "":
		return errors.New("Service-Worker: an API's script must not become a worker of this origin")
	case site == "" && field(r, "Origin") != "" && !sameOrigin(field(r, "Origin"), origin):
		return fmt.Errorf("the Origin header: expected %s, got %.100q", origin, field(r, "Origin"))
	}
	return nil
}

// field returns all values of a header as one. Two of them are a value that we don't know.
func field(r *http.Request, name string) string {
	return strings.Join(r.Header.Values(name), ", ")
}

// sameOrigin compares an Origin header with the origin of a URL.
func sameOrigin(header, origin string) bool {
	a, err := url.Parse(header)
	b, _ := url.Parse(origin)
	return err == nil && a.Host != "" && a.Path == "" && b != nil && outbound.Origin(a) == outbound.Origin(b)
}

// UpgradeWanted reports whether r asks for another protocol on its connection (RFC 9110 §7.8): past
// that, nobody judges what is said.
func UpgradeWanted(r *http.Request) bool {
	if len(r.Header.Values("Upgrade")) > 0 {
		return true
	}
	for _, value := range r.Header.Values("Connection") {
		for option := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(option), "upgrade") {
				return true
			}
		}
	}
	return false
}

// requestDropped are the headers that no request takes along to an API. Those of the first line are
// the browser's credentials; the others say who a request comes from, which a proxy says and no
// visitor, or they are about the connection to us, or about a page that the API has no part in: with
// the Origin of another host its own defense against other sites would refuse our requests.
var requestDropped = fields{
	names: []string{
		"Authorization", "Cookie", "Cookie2", "Dpop",
		"Client-Cert", "Client-Cert-Chain", "Forwarded", "Remote-User", "Via", "X-Auth-Issuer", "X-Auth-Name", "X-Auth-Roles",
		"X-Auth-Subject", "X-Client-Cert", "X-Client-Ip", "X-Real-Ip", "X-Remote-User", "X-Rewrite-Url",
		"Expect", "Http2-Settings", "Te", "Trailer", "Upgrade",
		"Origin", "Referer", "Service-Worker",
	},
	prefixes: []string{"Proxy-", "Sec-", "X-Auth-Request-", "X-Forwarded-", "X-Original-"},
}

// RequestHeader removes from h what must not reach an API. Who calls sets the token afterward.
func RequestHeader(h http.Header) { requestDropped.removeFrom(h) }

// fields is a set of header names.
type fields struct{ names, prefixes []string }

// removeFrom removes the fields from h, also where an underscore stands for a hyphen, which many
// servers do not tell apart.
func (f fields) removeFrom(h http.Header) {
	for name := range h {
		if f.has(textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(name, "_", "-"))) {
			delete(h, name)
		}
	}
}

// has reports whether a canonical name is in the set.
func (f fields) has(name string) bool {
	for _, n := range f.names {
		if n == name {
			return true
		}
	}
	for _, p := range f.prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
