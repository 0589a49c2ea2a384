package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/strictjson"
)

const (
	wellKnown = "/.well-known/openid-configuration"

	// driftNoted is a clock difference worth a word; allowedSkew is what Config.Skew forgives when
	// it is zero.
	driftNoted  = 5 * time.Second
	allowedSkew = time.Minute

	// expirySoon is how long a certificate should still be good for.
	expirySoon = 14 * 24 * time.Hour
)

// An examination is one provider being looked at, step by step.
type examination struct {
	*report
	client *http.Client

	document strictjson.Object
	metadata *provider.Metadata
	algs     []string // that the published keys can sign with
}

// examine looks at the provider from the outside in, and stops where the rest depends on what
// failed.
func examine(ctx context.Context, p patient) *report {
	x := &examination{report: &report{patient: p}}
	first := &firstAnswer{transport: outbound.NewClient(outbound.Settings{}).Transport}
	x.client = outbound.NewClient(outbound.Settings{Timeout: p.timeout, Base: &http.Client{Transport: first}})
	switch {
	case !x.spelling(): // 1. Is it an issuer at all?
	case !x.discovery(ctx): // 2. Does it answer, and does it call itself so?
	default:
		x.keys(ctx)    // 3. Can its signatures be checked?
		x.protocol()   // 4. Does it speak the code flow, and what else?
		x.clientAuth() // 5. How may a client authenticate?
		x.logout()     // 6. What becomes of sessions?
		x.configure(ctx)
	}
	x.connection(first)
	x.page = pageFor(p.issuer)
	return x.report
}

// configure writes the configuration that fits, and tries it.
func (x *examination) configure(ctx context.Context) {
	switch {
	case x.tryConfig(): // 7. Is it one that New takes?
		x.config = x.literal()
		x.tryLogin(ctx) // 8. Does the provider know this client?
	case x.patient.clientID != "":
		x.add(note, "your client", "not tried: fix the configuration first")
	}
}

// spelling judges the issuer's text, before anything is sent to it.
func (x *examination) spelling() bool {
	issuer := x.patient.issuer
	u, err := url.Parse(issuer)
	before, _, isDocument := strings.Cut(issuer, "/.well-known/")
	switch {
	case isDocument:
		x.add(trouble, "issuer", "that is the URL of a document: the issuer is the part before /.well-known, here %s", before)
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		x.add(trouble, "issuer", "expected a URL such as https://id.example.com/realms/main, got %q", issuer)
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		x.add(trouble, "issuer", "an issuer has no query, fragment or user (Discovery §3)")
	case u.Scheme == "http" && !outbound.LoopbackHost(u.Hostname()):
		x.add(trouble, "issuer", "plain http is for loopback hosts only: give the https address")
	default:
		return true
	}
	return false
}

// discovery fetches and judges the metadata (Discovery §4). When the provider calls itself
// otherwise, the rest is examined all the same: the issuer may be the only mistake.
func (x *examination) discovery(ctx context.Context) bool {
	issuer := x.patient.issuer
	document, err := outbound.GetJSON(ctx, x.client, strings.TrimSuffix(issuer, "/")+wellKnown)
	if err != nil {
		x.add(trouble, "metadata", "%s", explainFetch(err))
		return false
	}
	x.document = document
	x.metadata, err = provider.ParseMetadata(document, issuer)
	if err != nil {
		x.add(trouble, "metadata", "%v", err)
		published, _ := document.Text("issuer")
		if published == "" || published == issuer {
			return false
		}
		if x.metadata, err = provider.ParseMetadata(document, published); err != nil {
			return false
		}
	} else {
		x.add(well, "metadata", "published, and the issuer is spelled as the provider spells it")
	}
	if err := x.metadata.ServesLogins(); err != nil {
		x.add(trouble, "metadata", "%v: machines can get tokens here, people can't sign in", err)
		return false
	}
	return true
}

// explainFetch says what to do about an address that did not answer as it should.
func explainFetch(err error) string {
	if status, ok := errors.AsType[*outbound.StatusError](err); ok {
		switch {
		case status.Location != "":
			return err.Error()
		case status.Refuses():
			return err.Error() + ": is there a path to add, such as /realms/NAME, or one too many?"
		}
		return err.Error() + ": the provider is out of order; try again later"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "the server's certificate is not valid now: renew it, or check the clock of this machine: " + err.Error()
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the server's certificate is for another name: " + err.Error()
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "this machine doesn't trust who issued the server's certificate: add your authority to the system's, or give Config.HTTPClient one that trusts it: " + err.Error()
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "the server doesn't speak TLS at this port: " + err.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "no such host: " + dns.Name
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "nothing listens there: is the provider up, and is that its port, as seen from this machine? " + err.Error()
	}
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return "no answer in time: is there a firewall or a proxy between this machine and the provider? " + err.Error()
	}
	return err.Error()
}

// firstAnswer is a transport that remembers what only the connection tells.
type firstAnswer struct {
	transport http.RoundTripper

	date  string
	state *tls.ConnectionState
	at    time.Time
}

func (f *firstAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := f.transport.RoundTrip(r)
	if err == nil && f.at.IsZero() {
		f.at, f.date, f.state = time.Now(), res.Header.Get("Date"), res.TLS
	}
	return res, err
}

// connection judges the provider's clock and its certificate.
func (x *examination) connection(first *firstAnswer) {
	if first.at.IsZero() {
		return
	}
	if theirs, err := http.ParseTime(first.date); err != nil {
		x.add(note, "clock", "the provider's answers have no Date: its clock can't be compared; make sure both use NTP")
	} else {
		x.clock(theirs.Sub(first.at).Round(time.Second))
	}
	if first.state == nil {
		x.add(note, "TLS", "plain http: for development on loopback only")
		return
	}
	left := first.state.PeerCertificates[0].NotAfter.Sub(first.at)
	if left < expirySoon {
		x.add(note, "TLS", "%s; the certificate ends in %.0f days", tls.VersionName(first.state.Version), left.Hours()/24)
		return
	}
	x.add(well, "TLS", "%s, certificate good for %.0f days", tls.VersionName(first.state.Version), left.Hours()/24)
}

// clock judges how far apart the clocks are.
func (x *examination) clock(drift time.Duration) {
	switch apart := drift.Abs(); {
	case apart > allowedSkew:
		x.add(trouble, "clock", "this machine and the provider are %v apart: ID tokens will be refused; set the clock (or, if the provider's is wrong, Config.Skew)", apart)
	case apart > driftNoted:
		x.add(note, "clock", "this machine and the provider are %v apart: up to 1m0s is tolerated", apart)
	default:
		x.add(well, "clock", "this machine and the provider agree")
	}
}
