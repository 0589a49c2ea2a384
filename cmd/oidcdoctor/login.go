package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/signet-go/signet/internal/logtext"
)

// tryLogin sends the authorization request of a browser that nobody is signed in at (prompt=none,
// Core §3.1.2.1), and reads the answer without following it. A provider that knows client and
// redirect URI sends the browser back there with an error, or on to its own pages; one that doesn't
// must show a page of its own (RFC 6749 §4.1.2.1).
func (x *examination) tryLogin(ctx context.Context) {
	switch {
	case x.patient.clientID == "":
		return
	case x.metadata.RequirePAR:
		x.add(note, "your client", "can't be tried: this provider accepts only pushed requests, which need the client's secret")
		return
	}
	state := rand.Text()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.authorizationURL(state), http.NoBody)
	if err != nil {
		x.add(trouble, "your client", "%v", err)
		return
	}
	req.Header.Set("Accept", "text/html")
	res, err := x.client.Do(req)
	if err != nil {
		x.add(trouble, "your client", "%s", explainFetch(err))
		return
	}
	defer res.Body.Close()
	x.judgeAnswer(res, state)
}

// authorizationURL is the request that a login begins with.
func (x *examination) authorizationURL(state string) string {
	c := oauth2.Config{
		ClientID: x.patient.clientID, RedirectURL: x.patient.redirect, Scopes: x.scopes(),
		Endpoint: oauth2.Endpoint{AuthURL: x.metadata.AuthorizationEndpoint},
	}
	options := []oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(oauth2.GenerateVerifier()), oauth2.SetAuthURLParam("nonce", rand.Text()), oauth2.SetAuthURLParam("prompt", "none"),
	}
	if mode := x.responseMode(); mode != "" {
		options = append(options, oauth2.SetAuthURLParam("response_mode", string(mode)))
	}
	return c.AuthCodeURL(state, options...)
}

// judgeAnswer says what the answer to that request tells about the client.
func (x *examination) judgeAnswer(res *http.Response, state string) {
	location, err := res.Location()
	switch {
	case res.StatusCode >= 500:
		x.add(trouble, "your client", "the authorization endpoint answered %d: the provider isn't working", res.StatusCode)
	case res.StatusCode == http.StatusTooManyRequests:
		x.add(note, "your client", "the authorization endpoint answered 429: the provider is rate-limiting this machine; try again later")
	case res.StatusCode >= 400:
		x.add(trouble, "your client", "the authorization endpoint answered %d with a page of its own: it doesn't know this client ID, or this redirect URI isn't registered for it, byte for byte", res.StatusCode)
	case res.StatusCode == http.StatusOK:
		x.add(note, "your client", "the authorization endpoint answered with a page of its own: open it in a browser to see whether it is a login or a refusal")
	case err != nil:
		x.add(note, "your client", "the authorization endpoint answered %d without saying where to go", res.StatusCode)
	case !isBelow(location, x.patient.redirect):
		x.elsewhere(location)
	default:
		x.judgeResponse(location.Query(), state)
	}
}

// elsewhere judges a redirect that stays at the provider: some show their refusals so.
func (x *examination) elsewhere(location *url.URL) {
	query := location.Query()
	if !query.Has("error") && !strings.Contains(strings.ToLower(location.Path), "error") {
		x.add(well, "your client", "known: the provider goes on to sign somebody in")
		return
	}
	says := ""
	if query.Has("error") {
		says = "it says " + saying(query) + ": "
	}
	x.add(trouble, "your client", "the provider redirects to its own error page (%s): %sit doesn't know this client ID, or this redirect URI isn't registered for it, byte for byte",
		logtext.Clip(location.Path, logtext.Max), says)
}

// saying is what a response says of an error, bounded.
func saying(response url.Values) string {
	quote := func(s string) string { return strconv.Quote(logtext.Clip(s, logtext.Max)) }
	if description := response.Get("error_description"); description != "" {
		return quote(response.Get("error")) + " " + quote(description)
	}
	return quote(response.Get("error"))
}

// judgeResponse reads an authorization response: that it came at all means that client and redirect
// URI are known.
func (x *examination) judgeResponse(response url.Values, state string) {
	if response.Has("response") { // JARM: state and error are inside
		x.add(well, "your client", "known, and the redirect URI is registered; the answer is signed, and was not opened")
		return
	}
	if iss := response.Get("iss"); iss != "" && iss != x.metadata.Issuer {
		x.add(trouble, "your client", "the response names another issuer: expected %q, got %s", x.metadata.Issuer, logtext.Quote(iss))
		return
	}
	if got := response.Get("state"); got != state {
		x.add(trouble, "your client", "the response doesn't return the state that was sent: logins can't complete")
		return
	}
	switch code := response.Get("error"); code {
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		x.add(well, "your client", "known, and the redirect URI is registered")
	case "":
		x.add(note, "your client", "known, and the redirect URI is registered; the answer was a code although no user is signed in")
	default:
		x.add(trouble, "your client", "known, and the redirect URI is registered, but a login is refused with %s%s", saying(response), x.remedy(code))
	}
}

// remedy is what usually helps against an error code of RFC 6749 §4.1.2.1.
func (x *examination) remedy(code string) string {
	switch code {
	case "invalid_scope":
		return "; it was asked for " + quoted(x.scopes()) + ": let Scopes name only what this client may ask for"
	case "unauthorized_client", "unsupported_response_type":
		return "; at the provider, let it use the authorization code flow (response type code)"
	case "invalid_request":
		if x.metadata.PushedAuthorizationRequestEndpoint != "" {
			return "; if the provider wants requests of this client pushed, set PAR: oidcauth.PAROn"
		}
	}
	return ""
}

// isBelow reports whether u is the redirect URI with a response in its query.
func isBelow(u *url.URL, redirect string) bool {
	registered, err := url.Parse(redirect)
	return err == nil && u.Host == registered.Host && u.Scheme == registered.Scheme && u.Path == registered.Path
}
