// Package oauth asks a provider in the client's name: for tokens, to push an authorization request,
// to revoke, for userinfo. It proves who the client is, in one way, binds tokens to a key where it
// is given one (RFC 9449), and says what a failure means ([FailureOf]). It repeats nothing but what
// a nonce demands: a code or a refresh token that was sent may be spent. Start at [Endpoint].
package oauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/strictjson"
)

// An Endpoint talks to the provider's endpoints in the client's name: token, PAR, revocation,
// userinfo. Every call is one request: nothing is retried, no redirect is followed. It is safe for
// concurrent use.
type Endpoint struct {
	provider *provider.Provider
	client   *http.Client
	auth     *clientAuthenticator

	// verifier checks signed userinfo.
	verifier *provider.Verifier

	// mtls says that the client has a certificate, for which a provider may have endpoints of their
	// own.
	mtls bool

	// Nonces are the latest DPoP nonces, of the provider and of APIs; every copy that bind makes
	// shares them.
	Nonces *Nonces

	// proof is the key that tokens are bound to; nil means bearer tokens.
	proof *jwt.ProofKey
}

// NewEndpoint returns an endpoint for unbound tokens; v checks signed userinfo. A machine client
// with credentials of its own has an endpoint of its own, on the same provider.
func NewEndpoint(p *provider.Provider, v *provider.Verifier, client *http.Client, s Client) *Endpoint {
	return &Endpoint{
		provider: p,
		client:   client,
		auth:     newClientAuthenticator(s),
		verifier: v,
		mtls:     s.Certificate != nil,
		Nonces:   &Nonces{},
	}
}

// Bind returns the endpoint for tokens that are bound to a DPoP key: token requests carry a proof,
// and an answer with any other kind of token is refused (RFC 9449 §5). A nil key leaves tokens
// unbound. All share nonces and places.
func (e *Endpoint) Bind(key *jwt.ProofKey) *Endpoint {
	bound := *e
	bound.proof = key
	return &bound
}

// Token posts a grant to the provider's token endpoint. The error is an *pace.Outage when there are
// no metadata, else an *Error.
func (e *Endpoint) Token(ctx context.Context, form url.Values) (*TokenAnswer, error) {
	m, err := e.provider.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	t, err := e.TokenAt(ctx, e.target(m, "token_endpoint", m.TokenEndpoint), form)
	if err == nil {
		e.provider.HasAnswered()
	}
	return t, err
}

// MachineToken is token for machines, whom less metadata serve.
func (e *Endpoint) MachineToken(ctx context.Context, form url.Values) (*TokenAnswer, error) {
	m, err := e.provider.TokenMetadata(ctx)
	if err != nil {
		return nil, err
	}
	return e.TokenAt(ctx, e.target(m, "token_endpoint", m.TokenEndpoint), form)
}

// TokenAt is token for an endpoint that configuration names, such as a machine client's.
func (e *Endpoint) TokenAt(ctx context.Context, target string, form url.Values) (*TokenAnswer, error) {
	a, err := e.sendProven(ctx, "token", target, form)
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, &Error{Endpoint: "token", Status: a.Status, Err: errors.New("expected status 200")}
	}
	t, err := parseTokenAnswer(a.Body, a.received, e.proof != nil)
	if err != nil {
		return nil, &Error{Endpoint: "token", Status: a.Status, Err: err, wordless: isWordless(a.Body)}
	}
	return t, nil
}

// sendProven is send, once more where the server refused the proof for want of a nonce (RFC 9449
// §8): it has not looked at the rest. The second request has a new assertion.
func (e *Endpoint) sendProven(ctx context.Context, name, target string, form url.Values) (*Answer, error) {
	a, err := e.send(ctx, name, target, form, "")
	if again, ok := errors.AsType[*Error](err); ok && e.proof != nil && again.wantsNonce() {
		a, err = e.send(ctx, name, target, form, again.nonce)
	}
	return a, err
}

// target applies the provider's mTLS aliases when the client has a certificate.
func (e *Endpoint) target(m *provider.Metadata, name, endpoint string) string {
	if e.mtls {
		return m.Alias(name, endpoint)
	}
	return endpoint
}

// An Answer is a successful answer of an endpoint.
type Answer struct {
	// Status is a 2xx.
	Status int
	Header http.Header

	// Body has at most maxBody bytes.
	Body []byte

	// received is when the body was there, from which lifetimes count.
	received time.Time
}

// send is the one place where a form leaves for the provider. With a DPoP key the request carries a
// proof, with the nonce given or else the server's latest.
func (e *Endpoint) send(ctx context.Context, name, target string, form url.Values, nonce string) (*Answer, error) {
	form = maps.Clone(form)
	if form == nil {
		form = url.Values{}
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
	secrets, err := e.auth.apply(ctx, form, header)
	if err != nil {
		return nil, &Error{Endpoint: name, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, &Error{Endpoint: name, Err: errors.New("expected a URL that can be called")}
	}
	req.Header = header
	if err := e.addProof(req, nonce); err != nil {
		return nil, &Error{Endpoint: name, Err: err}
	}
	a, err := e.do(name, req, append(secrets, secretsIn(form)...), e.client.Do)
	switch what, failed, ok := FailureOf(err); {
	case err == nil && name != "token": // the token endpoint may be a machine's own
		e.provider.HasAnswered()
	case ok && what == ClientRefused:
		failed.Hint = e.auth.explain(ctx, e.provider.Peek(), name, secrets)
	case ok && failed.Code == "invalid_scope":
		failed.Hint = e.provider.Peek().AdviceOnScope(form.Get("scope"))
	}
	return a, err
}

// addProof adds a DPoP proof (RFC 9449 §5), if tokens are bound to a key.
func (e *Endpoint) addProof(req *http.Request, nonce string) error {
	if e.proof == nil {
		return nil
	}
	if nonce == "" {
		nonce = e.Nonces.of(req.URL)
	}
	proof, err := e.proof.Proof(req.Method, req.URL, "", nonce)
	req.Header.Set("DPoP", proof)
	return err
}

// secretParameters are the form fields whose values must not come back in a message.
var secretParameters = []string{"code", "code_verifier", "refresh_token", "client_secret", "client_assertion", "token", "subject_token", "actor_token", "assertion", "state", "nonce"}

// secretsIn returns what a form holds that must stay out of messages.
func secretsIn(form url.Values) (secrets []string) {
	for _, name := range secretParameters {
		secrets = append(secrets, form[name]...)
	}
	return secrets
}

// do sends a request and reads the answer within its bounds.
func (e *Endpoint) do(name string, req *http.Request, secrets []string, send sender) (*Answer, error) {
	res, err := send(req)
	if err != nil {
		return nil, &Error{Endpoint: name, Err: withoutURL(err)}
	}
	defer res.Body.Close()
	failed := &Error{Endpoint: name, Status: res.StatusCode, RetryAfter: outbound.RetryAfter(res.Header)}
	if e.proof != nil {
		failed.nonce = e.Nonces.learn(req.URL, res.Header)
	}
	if name == revocation && res.StatusCode == http.StatusOK {
		outbound.Discard(res)
		return &Answer{Status: res.StatusCode, Header: res.Header, received: time.Now()}, nil
	}
	body, err := outbound.ReadBody(res.Body)
	if err != nil {
		failed.Err = err
		return nil, failed
	}
	if res.StatusCode < 200 || res.StatusCode > 299 || name != "userinfo" && holdsError(body) {
		failed.readError(body, secrets)
		if name == "userinfo" {
			failed.readChallenge(res.Header, secrets)
		}
		return nil, failed
	}
	return &Answer{Status: res.StatusCode, Header: res.Header, Body: body, received: time.Now()}, nil
}

// holdsError reports whether a body is an OAuth error, which some providers send with status 200.
func holdsError(body []byte) bool {
	o, err := strictjson.Parse(body)
	return err == nil && o.Present("error")
}

// withoutURL drops the URL of a *url.Error: the endpoint's name says enough, and a URL may carry
// anything.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%s: %w", u.Op, u.Err)
	}
	return err
}
