package oauth

import (
	"cmp"
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/signet-go/signet/internal/provider"
)

// A clientAuthenticator proves who the client is, in one configured way, to every endpoint alike:
// token, PAR, revocation (RFC 6749 §2.3, OpenID Connect Core §9). It never tries a second way: a
// code that was sent once is spent.
type clientAuthenticator struct {
	Client

	// audience is what client assertions are addressed to.
	audience string
}

// A Method is a client authentication method, by its registered name (Core §9, RFC 8705 §2).
type Method string

// Client authentication methods.
const (
	clientSecretBasic Method = "client_secret_basic"
	clientSecretPost  Method = "client_secret_post"
	publicClient      Method = "none"
	privateKeyJWT     Method = "private_key_jwt"
	tlsClientAuth     Method = "tls_client_auth"
)

// Client say who the client is and how it proves it.
type Client struct {
	// ClientID names the client at Issuer.
	ClientID, Issuer string

	// Method is never empty.
	Method Method

	// Secret is the client's secret, unused where there is a SecretFunc, which is asked for each
	// request.
	Secret     string
	SecretFunc func(context.Context) (string, error)

	// Key signs client assertions with Alg, and KeyID is its kid; Alg "" follows the key's type.
	// Audience is whom they are addressed to; "" means Issuer.
	Key                  crypto.Signer
	KeyID, Alg, Audience string

	// Certificate is that of mutual TLS, nil for none.
	Certificate *tls.Certificate

	// Log hears of authentication that is refused.
	Log *slog.Logger
}

// newClientAuthenticator fixes the audience once.
func newClientAuthenticator(s Client) *clientAuthenticator {
	// Never an endpoint from metadata, which a malicious provider could borrow from another.
	return &clientAuthenticator{Client: s, audience: cmp.Or(s.Audience, s.Issuer)}
}

// apply adds the proof to a request's form and header, and returns the secrets in it, for masking.
func (a *clientAuthenticator) apply(ctx context.Context, form url.Values, header http.Header) (secrets []string, err error) {
	switch a.Method {
	case clientSecretBasic:
		secret, err := a.currentSecret(ctx)
		if err != nil {
			return nil, err
		}
		// Both are form-encoded first (RFC 6749 §2.3.1), so that a colon in the client id doesn't
		// end it.
		setBasicAuth(header, url.QueryEscape(a.ClientID), url.QueryEscape(secret))
		return []string{secret, basicCredentials(url.QueryEscape(a.ClientID), url.QueryEscape(secret))}, nil
	case clientSecretPost:
		secret, err := a.currentSecret(ctx)
		if err != nil {
			return nil, err
		}
		form.Set("client_id", a.ClientID)
		form.Set("client_secret", secret)
		return []string{secret}, nil
	case publicClient, tlsClientAuth:
		form.Set("client_id", a.ClientID)
		return nil, nil
	case privateKeyJWT:
		return a.applyAssertion(form)
	}
	return nil, fmt.Errorf("oidcauth: ClientAuth.Method: expected a known method, got %q", a.Method)
}

// currentSecret returns the secret of the moment. Some providers' secrets expire, so SecretFunc is
// asked each time; it may cache.
func (a *clientAuthenticator) currentSecret(ctx context.Context) (string, error) {
	if a.SecretFunc == nil {
		return a.Secret, nil
	}
	secret, err := a.SecretFunc(ctx)
	if err != nil {
		return "", fmt.Errorf("oidcauth: ClientAuth.SecretFunc: %w", err)
	}
	if secret == "" {
		return "", errors.New("oidcauth: ClientAuth.SecretFunc: expected a secret, got an empty one")
	}
	return secret, nil
}

// basicCredentials encodes a user and password for the Basic scheme (RFC 7617 §2).
func basicCredentials(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")[len("Basic "):]
}

// setBasicAuth is http.Request.SetBasicAuth before there is a request.
func setBasicAuth(header http.Header, user, password string) {
	header.Set("Authorization", "Basic "+basicCredentials(user, password))
}

// explain logs and returns what to try when the provider doesn't accept the client at the endpoint
// called name; sent is what apply returned.
func (a *clientAuthenticator) explain(ctx context.Context, m *provider.Metadata, name string, sent []string) string {
	hint := a.hint(m, sent)
	var supported []string
	if m != nil {
		supported = m.TokenEndpointAuthMethods
	}
	a.Log.ErrorContext(ctx, "client authentication refused", "issuer", a.Issuer, "client_id", a.ClientID, "endpoint", name,
		"method", string(a.Method), "supported", supported, "hint", hint)
	return hint
}

// hint names the fields to look at, the likeliest mistakes first.
func (a *clientAuthenticator) hint(m *provider.Metadata, sent []string) string {
	encoded := func(s string) bool { return url.QueryEscape(s) != s }
	switch {
	case m != nil && m.LacksAuthMethod(string(a.Method)):
		return "the provider's metadata doesn't list this method: set ClientAuth.Method to one of theirs"
	case a.Method == clientSecretBasic && (encoded(a.ClientID) || len(sent) > 0 && encoded(sent[0])):
		return "client id or secret need form encoding, which some providers forget to undo: try ClientAuth.Method client_secret_post, or a secret of letters and digits"
	}
	hint := fmt.Sprintf("check ClientID and the secret or key that the provider has for it, and ClientAuth.Method, which is %s", a.Method)
	if a.Method == privateKeyJWT {
		hint += fmt.Sprintf("; some providers want their token URL as ClientAuth.Audience, which is %q", a.audience)
	}
	return hint
}
