package oidcauthtest

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxRecorded bounds how much of a request's body the provider reads.
const maxRecorded = 16 << 20

// Request is one request that the provider received, and how it was answered.
type Request struct {
	Endpoint Endpoint
	Time     time.Time // by the provider's clock
	Method   string
	URL      *url.URL // as received: path and query
	Header   http.Header
	Body     []byte
	// Form has the query's parameters and, after them, those of a form body.
	Form url.Values

	Status int   // of the answer; 0 while it is under way, or when it was dropped
	Sent   int64 // bytes of the answer's body
}

// Requests returns what the provider received at these endpoints, oldest first; without an
// argument, everything. Pending requests are included.
func (p *Provider) Requests(endpoints ...Endpoint) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []Request
	for _, r := range p.record {
		if len(endpoints) == 0 || slices.Contains(endpoints, r.Endpoint) || slices.Contains(endpoints, Any) {
			list = append(list, *r)
		}
	}
	return list
}

// Count returns the number of requests at these endpoints; without an argument, at all of them.
func (p *Provider) Count(endpoints ...Endpoint) int { return len(p.Requests(endpoints...)) }

// Last returns the newest request at an endpoint, or the zero Request if there was none.
func (p *Provider) Last(e Endpoint) Request {
	list := p.Requests(e)
	if len(list) == 0 {
		return Request{}
	}
	return list[len(list)-1]
}

// Forget empties the record of requests.
func (p *Provider) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.record = nil
}

// observe records a request, and gives it back its body.
func (p *Provider) observe(e Endpoint, w http.ResponseWriter, r *http.Request) (*Request, *recorder) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxRecorded))
	r.Body = io.NopCloser(bytes.NewReader(body))
	entry := &Request{Endpoint: e, Method: r.Method, URL: r.URL, Header: r.Header.Clone(), Body: body, Form: r.URL.Query()}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, _ := url.ParseQuery(string(body))
		for name, values := range form {
			entry.Form[name] = append(entry.Form[name], values...)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	entry.Time = p.settings.Now()
	p.record = append(p.record, entry)
	return entry, &recorder{ResponseWriter: w}
}

// concluded completes the record when the answer has gone out, or was dropped.
func (p *Provider) concluded(entry *Request, rec *recorder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry.Status, entry.Sent = rec.status, rec.sent
}

// recorder is a ResponseWriter that remembers the status and the body's length.
type recorder struct {
	http.ResponseWriter
	status int
	sent   int64
}

// Unwrap lets http.ResponseController flush.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader remembers the first status that is not informational.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts what was taken, which ends short when the client leaves.
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.sent += int64(n)
	return n, err
}
