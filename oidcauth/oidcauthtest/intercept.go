package oidcauthtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"
)

// Middleware stands between a request and the provider's own answer to it.
type Middleware = func(next http.Handler) http.Handler

// Intercept puts these in front of an endpoint, the first outermost, in place
// of those that were there; without any, the endpoint is itself again. Those of
// [Any] stand before those of the endpoint.
//
//	p.Intercept(oidcauthtest.TokenEndpoint,
//		oidcauthtest.Times(2, oidcauthtest.Reply(503, "text/html", "<h1>Later</h1>")))
func (p *Provider) Intercept(e Endpoint, layers ...Middleware) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.intercepts[e] = layers
}

// Reply answers with this status, content type and body instead of the provider.
func Reply(status int, contentType, body string) Middleware {
	return instead(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// Redirect answers with a redirect to exactly this location.
func Redirect(status int, location string) Middleware {
	return instead(func(w http.ResponseWriter, _ *http.Request) { redirect(w, status, location) })
}

// Endless answers 200 and repeats body until the client has had enough. The
// Sent of the request's record then tells how much it took.
func Endless(contentType, body string) Middleware {
	return instead(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		chunk := bytes.Repeat([]byte(body), 1+4096/max(1, len(body)))
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
}

// Hang answers nothing until release is closed; the provider then answers as
// ever. A client that gives up ends it too. A nil channel hangs for good.
func Hang(release <-chan struct{}) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			}
		})
	}
}

// Delay has the answer wait so long; a client that gives up ends it.
func Delay(d time.Duration) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			timer := time.NewTimer(d)
			defer timer.Stop()
			select {
			case <-timer.C:
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			}
		})
	}
}

// Drop closes the connection in place of an answer; the provider never acts on
// the request.
func Drop() Middleware {
	return instead(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// Lose lets the provider act on the request and then closes the connection: the
// answer is lost on its way.
func Lose() Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		})
	}
}

// SetHeader sets a header of the answer, over what the provider says.
func SetHeader(name, value string) Middleware {
	return Rewrite(func(a *Answer) { a.Header.Set(name, value) })
}

// Answer is a whole answer of the provider's.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Rewrite passes the provider's finished answer through f.
func Rewrite(f func(*Answer)) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			held := httptest.NewRecorder()
			next.ServeHTTP(held, r)
			a := &Answer{held.Code, held.Header(), held.Body.Bytes()}
			f(a)
			clear(w.Header())
			for name, values := range a.Header {
				w.Header()[name] = values
			}
			w.WriteHeader(a.Status)
			_, _ = w.Write(a.Body)
		})
	}
}

// Times applies a layer to the first n requests and lets later ones pass.
func Times(n int, layer Middleware) Middleware {
	var count atomic.Int64
	return func(next http.Handler) http.Handler {
		bent := layer(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if count.Add(1) <= int64(n) {
				bent.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// After lets the first n requests pass and applies a layer to later ones.
func After(n int, layer Middleware) Middleware {
	var count atomic.Int64
	return func(next http.Handler) http.Handler {
		bent := layer(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if count.Add(1) <= int64(n) {
				next.ServeHTTP(w, r)
				return
			}
			bent.ServeHTTP(w, r)
		})
	}
}

// When applies a layer to the requests that a condition holds for, such as one
// on a form value: the body may be parsed and is still there for the provider.
func When(condition func(*http.Request) bool, layer Middleware) Middleware {
	return func(next http.Handler) http.Handler {
		bent := layer(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if condition(r) {
				bent.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Challenge answers 401 with this WWW-Authenticate value, as an API does whose
// wishes the access token does not meet (RFC 6750 §3, RFC 9470 §3).
func Challenge(value string) Middleware {
	return instead(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", value)
		writeJSON(w, http.StatusUnauthorized, []byte(`{"error":"challenge"}`))
	})
}

// OAuthError answers with an error of RFC 6749 §5.2, such as invalid_grant with 400.
func OAuthError(status int, code string) Middleware {
	return instead(func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, &oauthError{status, code, "as the test wishes"})
	})
}

func instead(h http.HandlerFunc) Middleware {
	return func(http.Handler) http.Handler { return h }
}
