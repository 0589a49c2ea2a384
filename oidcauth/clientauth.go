package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/signet-go/signet/internal/provider"
)

// A clientAuthenticator proves who the client is, in one configured way, to
// every endpoint alike: token, PAR, revocation (RFC 6749 §2.3,
// OpenID Connect Core §9). It never tries a second way: a code that was sent
// once is spent.
type clientAuthenticator struct {
	// clientID names the client; secret is Config.ClientSecret, unused when auth
	// has a SecretFunc.
	clientID, secret string
	auth             ClientAuth

	// method is never empty.
	method AuthMethod

	// audience is what client assertions are addressed to; issuer is for messages.
	audience, issuer string

	log *slog.Logger
}

// newClientAuthenticator fixes method and audience once.
func newClientAuthenticator(c *Config) *clientAuthenticator {
	a := &clientAuthenticator{clientID: c.ClientID, secret: c.ClientSecret, auth: c.ClientAuth, method: c.ClientAuth.withDefaults(c.ClientSecret).Method, issuer: c.Issuer, log: c.Logger}
	a.audience = c.ClientAuth.Audience
	if a.audience == "" {
		a.audience = c.Issuer // never an endpoint from metadata, which a malicious provider could borrow from another
	}
	return a
}

// apply adds the proof to a request's form and header, and returns the secrets
// in it, for masking.
func (a *clientAuthenticator) apply(ctx context.Context, form url.Values, header http.Header) (secrets []string, err error) {
	switch a.method {
	case ClientSecretBasic:
		secret, err := a.currentSecret(ctx)
		if err != nil {
			return nil, err
		}
		// Both are form-encoded first (RFC 6749 §2.3.1), so that a colon in the
		// client id doesn't end it.
		setBasicAuth(header, url.QueryEscape(a.clientID), url.QueryEscape(secret))
		return []string{secret, basicCredentials(url.QueryEscape(a.clientID), url.QueryEscape(secret))}, nil
	case ClientSecretPost:
		secret, err := a.currentSecret(ctx)
		if err != nil {
			return nil, err
		}
		form.Set("client_id", a.clientID)
		form.Set("client_secret", secret)
		return []string{secret}, nil
	case PublicClient, TLSClientAuth:
		form.Set("client_id", a.clientID)
		return nil, nil
	case PrivateKeyJWT:
		return a.applyAssertion(form)
	}
	return nil, fmt.Errorf("oidcauth: ClientAuth.Method: expected a known method, got %q", a.method)
}

// currentSecret returns the secret of the moment. Some providers' secrets
// expire, so SecretFunc is asked each time; it may cache.
func (a *clientAuthenticator) currentSecret(ctx context.Context) (string, error) {
	if a.auth.SecretFunc == nil {
		return a.secret, nil
	}
	secret, err := a.auth.SecretFunc(ctx)
	if err != nil {
		return "", fmt.Errorf("oidcauth: ClientAuth.SecretFunc: %w", err)
	}
	if secret == "" {
		return "", errors.New("oidcauth: ClientAuth.SecretFunc: expected a secret, got an empty one")
	}
	return secret, nil
}

// basicCredentials encodes a user and password for the Basic scheme (RFC 7617
// §2).
func basicCredentials(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")[len("Basic "):]
}

// setBasicAuth is http.Request.SetBasicAuth before there is a request.
func setBasicAuth(header http.Header, user, password string) {
	header.Set("Authorization", "Basic "+basicCredentials(user, password))
}

// explain logs and returns what to try when the provider doesn't accept the client at
// the endpoint called name; sent is what apply returned.
func (a *clientAuthenticator) explain(ctx context.Context, m *provider.Metadata, name string, sent []string) string {
	hint := a.hint(m, sent)
	var supported []string
	if m != nil {
		supported = m.TokenEndpointAuthMethods
	}
	a.log.ErrorContext(ctx, "client authentication refused", "issuer", a.issuer, "client_id", a.clientID, "endpoint", name,
		"method", string(a.method), "supported", supported, "hint", hint)
	return hint
}

// hint names the fields to look at, the likeliest mistakes first.
func (a *clientAuthenticator) hint(m *provider.Metadata, sent []string) string {
	encoded := func(s string) bool { return url.QueryEscape(s) != s }
	switch {
	case m != nil && m.LacksAuthMethod(string(a.method)):
		return "the provider's metadata doesn't list this method: set ClientAuth.Method to one of theirs"
	case a.method == ClientSecretBasic && (encoded(a.clientID) || len(sent) > 0 && encoded(sent[0])):
		return "client id or secret need form encoding, which some providers forget to undo: try ClientAuth.Method client_secret_post, or a secret of letters and digits"
	}
	hint := fmt.Sprintf("check ClientID and the secret or key that the provider has for it, and ClientAuth.Method, which is %s", a.method)
	if a.method == PrivateKeyJWT {
		hint += fmt.Sprintf("; some providers want their token URL as ClientAuth.Audience, which is %q", a.audience)
	}
	return hint
}
