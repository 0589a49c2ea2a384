package reply

import "net/http"

// A Probe learns what a handler would answer: status and header. The body is dropped. The zero
// value has no header to be set: make one with NewProbe.
type Probe struct {
	header http.Header
	// Status is 0 when the handler wrote without one, which means 200.
	Status int
}

// NewProbe returns one that has seen no answer.
func NewProbe() *Probe { return &Probe{header: make(http.Header)} }

// Header implements http.ResponseWriter.
func (p *Probe) Header() http.Header { return p.header }

// WriteHeader implements http.ResponseWriter.
func (p *Probe) WriteHeader(status int) { p.Status = status }

// Write implements http.ResponseWriter.
func (p *Probe) Write(b []byte) (int, error) { return len(b), nil }
