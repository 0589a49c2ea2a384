package gallery

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// Names below .invalid, which resolve nowhere (RFC 6761 §6.4): should a request leave the process
// by mistake, it gets nowhere.
const (
	stageOrigin = "https://app.invalid"
	stageIssuer = "https://provider.invalid"
)

// A scene makes the library answer with one kind of error.
//
// It plays on an Authenticator of its own, with keys of its own and a provider that exists as a
// function only: no socket is opened, no session of a real user is read or written.
type scene struct {
	when    string
	path    string            // what the browser asks for
	answers map[string]string // what the callback gets in addition to the state of a login; nil: no login was begun
	timeout time.Duration     // of the login
	token   roundTrip         // the token endpoint's answer; nil: none is asked for
	down    bool              // the provider can't be reached at all
}

// scenes are the library's kinds of errors, as far as one request and one answer lead there.
//
// What needs more, a cookie that never sticks or a step-up that fails, is not in it.
var scenes = []scene{
	{when: "A sign-in that was finished before, began in another browser, or lost its cookie.", path: "/auth/callback?code=x&state=y"},
	{when: "A callback that no provider sends.", path: "/auth/callback?code=x&code=y&state=z"},
	{when: "A sign-in that took longer than OIDC_LOGIN_TIMEOUT.", timeout: time.Nanosecond, answers: map[string]string{"code": "x"}},
	{when: "The person, or the provider, said no.", answers: map[string]string{"error": "access_denied"}},
	{when: "The provider does not like what it was asked.", answers: map[string]string{"error": "invalid_scope"}},
	{when: "The provider sends the browser back with an error of its own.", answers: map[string]string{"error": "server_error"}},
	{when: "The provider's answer fails a check.", answers: map[string]string{"code": "x"}, token: stageJSON("[]")},
	{when: "The provider does not answer in time.", answers: map[string]string{"code": "x"}, token: stageTimeout},
	{when: "The provider can't be reached when a sign-in begins.", path: "/auth/login", down: true},
	{when: "A user who lacks a role.", path: "/members-only"},
}

// A roundTrip answers a request of the library's in place of a provider.
//
// As with http.RoundTripper, an error means that there was no answer.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// play returns the error that the library answers with in s, nil when it does not.
//
// The error comes out where the app's own handler would render it, complete with title, advice and
// status.
func play(s scene, base string) *oidcauth.Problem {
	var caught *oidcauth.Problem
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer: stageIssuer, ClientID: "stage", RedirectURL: stageOrigin + base + "/auth/callback", StrippedPrefix: base, LoginTimeout: s.timeout,
		Session: session.Config{Keys: []string{session.NewKey()}}, HTTPClient: &http.Client{Transport: s.provider()},
		Logger:       slog.New(slog.DiscardHandler),
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { errors.As(err, &caught) },
	})
	if err != nil {
		panic(err) // nothing of it comes from outside
	}
	nobodyMay := auth.Require(func(*oidcauth.User) error { return errOnStage })
	stage := http.NewServeMux()
	stage.Handle("/auth/", auth)
	stage.Handle("/members-only", nobodyMay(http.NotFoundHandler()))
	ctx := oidcauth.WithUser(context.Background(), &oidcauth.User{Issuer: stageIssuer, Subject: "extra"})

	path, cookies := s.path, http.Header{}
	if s.answers != nil {
		path, cookies = s.callback(ctx, stage)
	}
	visit(ctx, stage, path, cookies)
	return caught
}

// callback begins a login and returns the way back from the provider, with the cookies of the
// login.
//
// The library makes the state and seals it into a cookie; this is the browser that keeps both until
// the provider, whom nobody asks, has answered.
func (s scene) callback(ctx context.Context, stage http.Handler) (path string, cookies http.Header) {
	header := visit(ctx, stage, "/auth/login", nil)
	there, err := url.Parse(header.Get("Location"))
	if err != nil {
		return "", nil
	}
	answer := url.Values{"state": {there.Query().Get("state")}}
	for name, value := range s.answers {
		answer.Set(name, value)
	}
	cookies = http.Header{}
	for _, line := range header.Values("Set-Cookie") {
		pair, _, _ := strings.Cut(line, ";")
		cookies.Add("Cookie", pair)
	}
	return "/auth/callback?" + answer.Encode(), cookies
}

// visit opens path as a browser does, and returns the header of the answer.
//
// Each visit is a browser that opens a page: the library answers scripts otherwise.
func visit(ctx context.Context, stage http.Handler, path string, cookies http.Header) http.Header {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, stageOrigin+path, nil)
	if err != nil {
		return http.Header{}
	}
	r.Header.Set("Accept", "text/html")
	r.Header["Cookie"] = cookies["Cookie"]
	answer := reply.NewProbe()
	stage.ServeHTTP(answer, r)
	return answer.Header()
}

// provider answers what the library asks of one: its metadata, and what the scene has at the token
// endpoint.
func (s scene) provider() roundTrip {
	metadata := stageJSON(`{"issuer":"` + stageIssuer + `","authorization_endpoint":"` + stageIssuer + `/authorize","token_endpoint":"` +
		stageIssuer + `/token","jwks_uri":"` + stageIssuer + `/keys","response_types_supported":["code"]}`)
	return func(r *http.Request) (*http.Response, error) {
		switch {
		case s.down:
			return nil, errOnStage
		case r.URL.Path == "/token" && s.token != nil:
			return s.token(r)
		}
		return metadata(r)
	}
}

// stageJSON answers every request with a JSON text.
//
// The answer is created for each request, since its body can be read once.
func stageJSON(body string) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	}
}

// stageTimeout is a provider that says nothing.
func stageTimeout(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded }
