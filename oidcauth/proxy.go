package oidcauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/relay"
)

// Proxy returns a handler through which scripts of the application's pages call the API that c
// describes, with the signed-in user's access token: a backend for frontend, in which no token
// reaches the browser. Mount it at c.Prefix; one Authenticator may have any number. The
// error joins every mistake in c. It does no I/O, and is safe for concurrent use.
//
// Only this origin's scripts are served, whatever the method, judged by Fetch Metadata or Origin if
// the browser sends them. The API's responses never become a page, a script or an image of this
// origin, and are never cached. Neither the browser's cookies and credentials nor the API's are
// passed on. Requests are retried as [Authenticator.Client] does. Responses are streamed as they
// arrive, and end with the session at the latest: see [session.Done]. Protocol upgrades are
// refused.
//
// Refusals are JSON: 401 with "error" and "login_url", where to send the page for a login or for
// exactly the step-up that the API asked for (RFC 9470), 403 for requests from other sites, 400 for
// ambiguous paths, 405 for CONNECT and TRACE, 413, 502, 503 and 504. The API's own refusals are
// passed on, including a final 401.
func (a *Authenticator) Proxy(c ProxyConfig) (http.Handler, error) {
	p, err := a.newProxy(c)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// A proxy passes requests of scripts on to one API.
type proxy struct {
	auth *Authenticator
	api  *url.URL

	// prefix is where this process serves the API, browserPrefix where browsers find it.
	prefix, browserPrefix string

	maxRequest, maxResponse int64

	// ofUser says that the token is the user's, so that a login can bring a better one.
	ofUser bool

	transport *access.Transport
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protectAnswer(w)
	rest, problem := p.judge(r)
	if problem != nil {
		if problem.Status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", proxyMethods)
		}
		p.auth.fail(w, asScript(r), problem)
		return
	}
	p.auth.sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := guardUser(r.Context(), []*Authenticator{p.auth}); err != nil {
			p.auth.deny(w, asScript(r), nil, err)
			return
		}
		p.pass(w, r, relay.Target(p.api, rest, r.URL.RawQuery))
	})).ServeHTTP(w, r)
}

// proxyMethods are those that are named to whoever comes with CONNECT or TRACE. Any other passes,
// too.
const proxyMethods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

// judge decides whether r may be passed on, whoever is signed in, and to which path. Other sites are
// refused first: they learn nothing else.
func (p *proxy) judge(r *http.Request) (rest string, refused *Problem) {
	if err := relay.CheckSender(r, p.auth.site.Origin); err != nil {
		return "", &Problem{Status: http.StatusForbidden, Code: "cross_origin", Err: err}
	}
	if strings.EqualFold(r.Method, http.MethodConnect) || strings.EqualFold(r.Method, http.MethodTrace) {
		return "", &Problem{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed"}
	}
	if relay.UpgradeWanted(r) {
		return "", &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: errUpgrade}
	}
	rest, err := relay.Rest(r.URL.EscapedPath(), p.prefix)
	switch {
	case errors.Is(err, relay.ErrElsewhere):
		err = fmt.Errorf("path %s is not below ProxyConfig.Prefix %s: mount the proxy there, and don't strip the prefix before it", logtext.Clip(r.URL.Path, 100), p.prefix)
		return "", &Problem{Status: http.StatusNotFound, Code: "not_found", Err: err}
	case err != nil:
		return "", &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: err}
	case r.ContentLength > p.maxRequest:
		return "", &Problem{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Err: fmt.Errorf("the body has %d bytes, MaxRequestBody is %d", r.ContentLength, p.maxRequest)}
	}
	return rest, nil
}

// errUpgrade is for the log.
var errUpgrade = errors.New("protocol upgrades are not passed on")

// asScript is r as answers to a script are made from it: JSON and no page, whoever sent it.
func asScript(r *http.Request) *http.Request {
	script := r.WithContext(r.Context())
	script.Header = r.Header.Clone()
	script.Header.Set("Sec-Fetch-Mode", "cors")
	script.Header.Set("Sec-Fetch-Dest", "empty")
	script.Header.Set("Accept", "application/json")
	return script
}
