package oidcauth

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/oauth2"
)

type tokens struct{}

// Machine is one of the application's own clients.
type Machine struct{}

func (a *Authenticator) revokeTokens(ctx context.Context, refreshToken string, accessTokens ...string) {
}

var errStub = errors.New("oidcauth: no tokens yet")

type TokenOption func()
type noTokens struct{}

func (noTokens) Token() (*oauth2.Token, error)                              { return nil, errStub }
func (noTokens) RoundTrip(*http.Request) (*http.Response, error)            { return nil, errStub }
func Resource(uri string) TokenOption                                       { return func() {} }
func Scopes(s ...string) TokenOption                                        { return func() {} }
func ForceRefresh() TokenOption                                             { return func() {} }
func (a *Authenticator) Machine(name string) *Machine                       { return &Machine{} }
func (a *Authenticator) Transport(base http.RoundTripper) http.RoundTripper { return noTokens{} }
func (a *Authenticator) Client(ctx context.Context, o ...TokenOption) *http.Client {
	return &http.Client{Transport: noTokens{}}
}
func (a *Authenticator) TokenSource(ctx context.Context, o ...TokenOption) oauth2.TokenSource {
	return noTokens{}
}
func (m *Machine) TokenSource(ctx context.Context) oauth2.TokenSource { return noTokens{} }
func (m *Machine) Client(ctx context.Context) *http.Client {
	return &http.Client{Transport: noTokens{}}
}
