package oidcauthtest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"time"
)

// Middleware sits between a request and the provider's own response to it.
type Middleware = func(next http.Handler) http.Handler

// Intercept puts these layers in front of an endpoint, the first outermost, replacing previous
// ones; without any, the endpoint behaves normally again. Those of [Any] come before those of the
// endpoint.
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

// Endless answers 200 with start and then again, over and over, until the client gives up. Sent in the
// request's record says how much was sent: in memory, what the client read and at most 64 KiB more.
func Endless(contentType, start, again string) Middleware {
	return instead(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, err := io.WriteString(w, start)
		chunk := bytes.Repeat([]byte(again), 1+4096/max(1, len(again)))
		for err == nil && r.Context().Err() == nil {
			_, err = w.Write(chunk)
		}
	})
}

// Stall answers 200 with the start of a body and then sends nothing until the client gives up.
func Stall(contentType, start string) Middleware {
	return instead(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, start)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
}

// Cut breaks the connection after n bytes of the body of the provider's response.
func Cut(n int) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := answerOf(next, r)
			a.Header.Set("Content-Length", strconv.Itoa(len(a.Body)))
			a.Body = a.Body[:min(n, len(a.Body))]
			a.write(w)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
	}
}

// Hang answers nothing until release is closed; then the provider answers as usual. A client that
// gives up ends it too. A nil channel hangs forever.
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

// Delay delays the response; a client that gives up ends it.
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

// Drop closes the connection instead of answering; the provider never acts on the request.
func Drop() Middleware {
	return instead(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// Lose lets the provider act on the request and then closes the connection: the response is lost.
func Lose() Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		})
	}
}

// SetHeader sets a header of the response, overriding the provider's.
func SetHeader(name, value string) Middleware {
	return Rewrite(func(a *Answer) { a.Header.Set(name, value) })
}

// Answer is a complete response of the provider.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Rewrite passes the provider's finished response through f.
func Rewrite(f func(*Answer)) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := answerOf(next, r)
			f(a)
			a.write(w)
		})
	}
}

// answerOf lets h answer into memory.
func answerOf(h http.Handler, r *http.Request) *Answer {
	held := httptest.NewRecorder()
	h.ServeHTTP(held, r)
	return &Answer{held.Code, held.Header(), held.Body.Bytes()}
}

// write sends the answer, with its headers and no others.
func (a *Answer) write(w http.ResponseWriter) {
	clear(w.Header())
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// Times applies a layer to the first n requests and lets later ones pass.
func Times(n int, layer Middleware) Middleware {
	var count atomic.Int64
	return When(func(*http.Request) bool { return count.Add(1) <= int64(n) }, layer)
}

// After lets the first n requests pass and applies a layer to later ones.
func After(n int, layer Middleware) Middleware {
	var count atomic.Int64
	return When(func(*http.Request) bool { return count.Add(1) > int64(n) }, layer)
}

// When applies a layer to requests that meet a condition, such as one on a form value: it may parse
// the body, which the provider can still read.
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

// Challenge answers 401 with this WWW-Authenticate value, like an API whose requirements the access
// token doesn't meet (RFC 6750 §3, RFC 9470 §3).
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

// instead makes a layer of a handler that never lets the provider answer.
func instead(h http.HandlerFunc) Middleware {
	return func(http.Handler) http.Handler { return h }
}
