package oidcauthtest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const requestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// pushLifetime is how long a pushed request waits for its browser.
const pushLifetime = time.Minute

// pushedRequest waits for the browser that brings its request_uri.
type pushedRequest struct {
	params  url.Values
	expires time.Time
}

// servePAR takes a pushed authorization request (RFC 9126 §2).
func (p *Provider) servePAR(w http.ResponseWriter, r *http.Request) {
	s := p.current()
	p.offerNonce(&s, w)
	params, err := p.pushable(&s, r)
	if err != nil {
		writeError(w, err)
		return
	}
	uri := requestURIPrefix + rand.Text()
	p.mu.Lock()
	p.pushed[uri] = &pushedRequest{params, s.Now().Add(pushLifetime)}
	p.mu.Unlock()
	writeJSON(w, http.StatusCreated, object("request_uri", uri, "expires_in", int(pushLifetime.Seconds())).Bytes())
}

// pushable authenticates the client and checks its request as the authorization endpoint would, so
// that mistakes show before a browser is sent.
func (p *Provider) pushable(s *Settings, r *http.Request) (url.Values, *oauthError) {
	form, c, err := p.clientRequest(s, r)
	if err != nil {
		return nil, err
	}
	if form.Has("request_uri") {
		return nil, badRequest("invalid_request", "request_uri can't be pushed")
	}
	form.Set("client_id", c.ID)
	params, err := unpackRequestObject(s, c, form)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		params.Del(name)
	}
	if err := checkClient(s, params); err != nil {
		return nil, err
	}
	if err := checkRequest(params); err != nil {
		return nil, err
	}
	return params, p.bindToProof(s, r, params)
}

// effectiveRequest returns the parameters that count at the authorization endpoint.
func (p *Provider) effectiveRequest(s *Settings, r *http.Request) (url.Values, *oauthError) {
	query := r.URL.Query()
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			return nil, badRequest("invalid_request", "the body is not a form")
		}
		query = r.PostForm
	}
	if uri := query.Get("request_uri"); uri != "" {
		return p.takePushed(uri, query.Get("client_id"))
	}
	if s.RequirePAR {
		return nil, badRequest("invalid_request", "authorization requests must be pushed")
	}
	return unpackRequestObject(s, s.client(query.Get("client_id")), query)
}

// takePushed returns a pushed request once (RFC 9126 §4).
func (p *Provider) takePushed(uri, clientID string) (url.Values, *oauthError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	request := p.pushed[uri]
	if request == nil || request.params.Get("client_id") != clientID || p.settings.Now().After(request.expires) {
		return nil, badRequest("invalid_request_uri", "request_uri is unknown, used, expired, or another client's")
	}
	delete(p.pushed, uri)
	return request.params, nil
}

// unpackRequestObject verifies a request object, if there is one, and returns its parameters;
// nothing outside of it counts then (RFC 9101 §6.3). It must be meant for the provider, and young.
func unpackRequestObject(s *Settings, c *Client, params url.Values) (url.Values, *oauthError) {
	compact := params.Get("request")
	if compact == "" || c == nil {
		return params, nil
	}
	jws, err := jose.ParseSignedCompact(compact, signatureAlgs)
	if err != nil {
		return nil, badRequest("invalid_request_object", err.Error())
	}
	payload, err := verifyByAny(jws, c.Keys)
	if err != nil {
		return nil, badRequest("invalid_request_object", "its signature fits no key of the client")
	}
	var claims map[string]json.RawMessage
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, badRequest("invalid_request_object", "it is not a JSON object")
	}
	inside := url.Values{}
	for name, value := range claims {
		inside[name] = parameter(value)
	}
	exp, _ := strconv.ParseInt(inside.Get("exp"), 10, 64)
	switch now := s.Now().Unix(); {
	case inside.Get("client_id") != c.ID || inside.Get("iss") != c.ID:
		return nil, badRequest("invalid_request_object", "client_id must be inside and outside, and the same, and so must iss")
	case inside.Get("aud") != s.Issuer:
		return nil, badRequest("invalid_request_object", "aud must be "+s.Issuer)
	case exp <= now || exp > now+3600:
		return nil, badRequest("invalid_request_object", "exp must be at most an hour ahead")
	}
	for _, name := range []string{"iss", "aud", "exp", "iat", "nbf", "jti"} {
		inside.Del(name)
	}
	return inside, nil
}

// parameter is a request object's claim as the parameter that it stands for: text, a list of texts,
// or JSON, as max_age and claims are.
func parameter(value json.RawMessage) []string {
	var text string
	var list []string
	switch {
	case json.Unmarshal(value, &text) == nil:
		return []string{text}
	case json.Unmarshal(value, &list) == nil:
		return list
	}
	return []string{string(value)}
}
