package oidcauthtest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Authorization is one authorization request and the decision on it. A hook may change the
// decision.
type Authorization struct {
	// Request has the parameters in effect: those pushed before (RFC 9126) or taken from the
	// request object (RFC 9101) where there was one.
	Request  url.Values
	ClientID string

	// Error, when set, refuses: "access_denied", "login_required", "server_error"…
	Error, ErrorDescription string

	User     *User     // who signs in
	Session  string    // the sid
	AuthTime time.Time // when the user last signed in
	ACR      string    // what the request asks for: essential in claims, or first in acr_values
	AMR      []string  // [pwd]
	Scope    string    // what is granted; offline_access brings a refresh token
}

// AuthorizationResponse is what the browser carries back to the client.
type AuthorizationResponse struct {
	RedirectURI string
	Mode        string     // query, form_post, query.jwt or form_post.jwt
	Params      url.Values // code or error, state, iss
}

// serveAuthorize answers an authorization request (OpenID Connect Core §3.1.2).
func (p *Provider) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	s := p.current()
	request, err := p.effectiveRequest(&s, r)
	if err == nil {
		err = checkClient(&s, request)
	}
	if err != nil { // never redirect to where nobody vouches for (RFC 6749 §4.1.2.1)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a := &Authorization{Request: request, ClientID: request.Get("client_id"), User: s.User, AMR: []string{"pwd"}, Scope: request.Get("scope")}
	if err := checkRequest(request); err != nil {
		a.Error, a.ErrorDescription = err.code, err.description
	} else {
		p.decide(w, r, &s, a)
		apply(p.hook().authorization, a)
	}
	p.respond(w, &s, a)
}

// checkClient finds mistakes that must not be answered by a redirect.
func checkClient(s *Settings, request url.Values) *oauthError {
	for name, values := range request {
		if len(values) > 1 && name != "resource" {
			return badRequest("invalid_request", "the parameter "+name+" occurs more than once")
		}
	}
	c := s.client(request.Get("client_id"))
	switch {
	case c == nil:
		return badRequest("invalid_client", "no client is registered as "+strconv.Quote(request.Get("client_id")))
	case !slices.Contains(c.RedirectURIs, request.Get("redirect_uri")):
		return badRequest("invalid_request", "redirect_uri is not registered: "+strconv.Quote(request.Get("redirect_uri")))
	}
	return nil
}

// checkRequest finds mistakes that the client is told of.
func checkRequest(request url.Values) *oauthError {
	prompt := strings.Fields(request.Get("prompt"))
	switch {
	case request.Get("response_type") != "code":
		return badRequest("unsupported_response_type", "response_type must be code")
	case !slices.Contains(strings.Fields(request.Get("scope")), "openid"):
		return badRequest("invalid_scope", "scope must contain openid")
	case request.Get("code_challenge_method") != "S256" || len(request.Get("code_challenge")) != 43:
		return badRequest("invalid_request", "PKCE with S256 is required")
	case request.Get("response_mode") != "" && !slices.Contains(responseModes, request.Get("response_mode")):
		return badRequest("invalid_request", "response_mode must be one of "+strings.Join(responseModes, ", "))
	case slices.Contains(prompt, "none") && len(prompt) > 1:
		return badRequest("invalid_request", "prompt=none stands alone")
	}
	return nil
}

// decide answers a sound request as a correct provider does: yes at once, as the current user,
// after a new sign-in where the request wants one.
func (p *Provider) decide(w http.ResponseWriter, r *http.Request, s *Settings, a *Authorization) {
	a.ACR = requestedACR(a.Request)
	prompt := strings.Fields(a.Request.Get("prompt"))
	session := p.session(r)
	switch {
	case session != nil && !wantsLogin(s, session, a.Request, prompt):
	case slices.Contains(prompt, "none"):
		a.Error, a.ErrorDescription = "login_required", "nobody is signed in"
		return
	case s.Nobody:
		a.Error, a.ErrorDescription = "access_denied", "nobody wants to sign in"
		return
	default:
		session = p.startSession(w, s)
	}
	a.Session, a.AuthTime = session.ID, session.AuthTime
}

// requestedACR returns the authentication context that the request likes best: the essential one of
// the claims parameter (OpenID Connect Core §5.5.1.1), else the first of acr_values.
func requestedACR(request url.Values) string {
	var claims struct {
		IDToken struct {
			ACR struct {
				Value  string
				Values []string
			}
		} `json:"id_token"`
	}
	_ = json.Unmarshal([]byte(request.Get("claims")), &claims) // without claims the struct stays empty
	wanted := claims.IDToken.ACR
	first, _, _ := strings.Cut(request.Get("acr_values"), " ")
	if len(wanted.Values) > 0 {
		first = wanted.Values[0]
	}
	return orDefault(wanted.Value, first)
}

// wantsLogin reports whether the session at the provider does not do for the request.
func wantsLogin(s *Settings, session *Session, request url.Values, prompt []string) bool {
	maxAge, err := strconv.Atoi(request.Get("max_age"))
	tooOld := err == nil && s.Now().Sub(session.AuthTime) >= time.Duration(maxAge)*time.Second
	return tooOld || s.Nobody || session.Subject != s.User.Subject || slices.Contains(prompt, "login")
}

// respond turns the decision into a code or an error and sends the browser back.
func (p *Provider) respond(w http.ResponseWriter, s *Settings, a *Authorization) {
	response := &AuthorizationResponse{
		RedirectURI: a.Request.Get("redirect_uri"),
		Mode:        orDefault(a.Request.Get("response_mode"), "query"),
		Params:      url.Values{"iss": {s.Issuer}},
	}
	if state := a.Request.Get("state"); state != "" {
		response.Params.Set("state", state)
	}
	if a.Error != "" {
		response.Params.Set("error", a.Error)
		response.Params.Set("error_description", a.ErrorDescription)
	} else {
		response.Params.Set("code", p.issueCode(s, a))
	}
	apply(p.hook().response, response)
	if mode, ok := strings.CutSuffix(response.Mode, ".jwt"); ok {
		response.Mode, response.Params = mode, url.Values{"response": {p.responseJWT(s, a.ClientID, response.Params)}}
	}
	w.Header().Set("Cache-Control", "no-store")
	// No referrer: a form_post then comes with Origin: null, as from the strictest providers.
	w.Header().Set("Referrer-Policy", "no-referrer")
	if response.Mode == "form_post" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		writeFormPost(w, response.RedirectURI, response.Params)
		return
	}
	// 303, so that a POST to this endpoint does not become one to the client (RFC 9700 §4.12).
	redirect(w, http.StatusSeeOther, withQuery(response.RedirectURI, response.Params))
}

// responseModes are how the provider answers (OAuth 2.0 Multiple Response Type Encoding Practices
// §2.1, JARM §2.3).
var responseModes = []string{"query", "form_post", "query.jwt", "form_post.jwt"}

// responseLifetime is how long a browser may take to carry a response JWT to the client.
const responseLifetime = time.Minute

// responseJWT signs the parameters of a response (JARM §2.1).
func (p *Provider) responseJWT(s *Settings, client string, params url.Values) string {
	claims := object("iss", s.Issuer, "aud", client, "exp", s.Now().Add(responseLifetime).Unix())
	for _, name := range slices.Sorted(maps.Keys(params)) {
		claims.Set(name, params.Get(name))
	}
	t := newToken(p.Key(), "JWT", claims)
	t.ClientID = client
	apply(p.hook().responseJWT, t)
	return t.Compact()
}

// writeFormPost writes the page of OAuth 2.0 Form Post Response Mode §2.
func writeFormPost(w io.Writer, redirectURI string, params url.Values) {
	fmt.Fprintf(w, "<!DOCTYPE html>\n<html><head><title>Back to the application</title></head>\n<body onload=\"document.forms[0].submit()\"><form method=\"post\" action=\"%s\">\n", html.EscapeString(redirectURI))
	for _, name := range slices.Sorted(maps.Keys(params)) {
		for _, value := range params[name] {
			fmt.Fprintf(w, "<input type=\"hidden\" name=\"%s\" value=\"%s\">\n", html.EscapeString(name), html.EscapeString(value))
		}
	}
	fmt.Fprint(w, "<noscript><button>Continue</button></noscript></form></body></html>\n")
}

// redirect sends the browser to exactly this address; http.Redirect would clean its path.
func redirect(w http.ResponseWriter, status int, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(status)
}

// withQuery adds parameters to a URI that may have a query of its own, which RFC 6749 §3.1.2 wants
// kept.
func withQuery(uri string, params url.Values) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + params.Encode()
}

// issueCode remembers what was agreed to under a new authorization code.
func (p *Provider) issueCode(s *Settings, a *Authorization) string {
	value := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes[value] = &code{
		grant: &grant{
			client: a.ClientID, user: a.User, scope: a.Scope, session: a.Session, authTime: a.AuthTime,
			acr: a.ACR, amr: a.AMR, nonce: a.Request.Get("nonce"), resource: a.Request["resource"],
		},
		redirectURI: a.Request.Get("redirect_uri"),
		challenge:   a.Request.Get("code_challenge"),
		jkt:         a.Request.Get("dpop_jkt"),
		expires:     s.Now().Add(s.CodeLifetime),
	}
	return value
}
