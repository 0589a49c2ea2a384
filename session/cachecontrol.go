package session

import (
	"net/http"
	"strings"
)

// describe tells caches that the response depends on the cookie, and reports whether the handler
// lets shared caches keep it.
func (x *exchange) describe(h http.Header) (shared bool) {
	if vary := h["Vary"]; vary == nil {
		x.vary[0] = "Cookie"
		h["Vary"] = x.vary[:]
	} else if !lists(vary, "cookie") && !lists(vary, "*") {
		h.Add("Vary", "Cookie")
	}
	if control := h["Cache-Control"]; control == nil {
		x.control[0] = privateResponse
		h["Cache-Control"] = x.control[:]
	} else if !private(control) {
		return true
	}
	if len(h) == 2 { // these two alone, as in most responses: looking costs a tenth of a microsecond
		return false
	}
	for name, control := range h {
		if targeted(name) && !private(control) {
			return true
		}
	}
	return false
}

// privateResponse keeps a response out of every cache (RFC 9111 §5.2.2).
const privateResponse = "private, no-store"

// keepPrivate makes sure that no cache for many people keeps a response that sets or expires a
// session's cookie, and hands it to somebody else (RFC 9111 §7.3). What the handler says to its own
// user's cache stays.
func keepPrivate(h http.Header) {
	dropTargeted(h)
	if control := h["Cache-Control"]; private(control) {
		h.Set("Cache-Control", strings.Join(control, ", "))
	} else {
		h.Set("Cache-Control", privateResponse)
	}
}

// private reports whether a Cache-Control keeps shared caches off. A private that names fields
// keeps them off these alone (RFC 9111 §5.2.2.7).
func private(control []string) bool { return lists(control, "private") || lists(control, "no-store") }

// targeted reports whether some caches heed the field in place of Cache-Control: the targeted
// fields, whose names end in it by convention (RFC 9213 §2), and what there was before them.
func targeted(name string) bool {
	const suffix = "-cache-control"
	if start := len(name) - len(suffix); start >= 0 && strings.EqualFold(name[start:], suffix) {
		return true
	}
	return strings.EqualFold(name, "Surrogate-Control") || strings.EqualFold(name, "Edge-Control") || strings.EqualFold(name, "X-Accel-Expires")
}

// dropTargeted leaves Cache-Control as the one that every cache heeds.
func dropTargeted(h http.Header) {
	for name := range h {
		if targeted(name) {
			delete(h, name)
		}
	}
}

// lists reports whether member, in any case, is an element of a comma-separated list (RFC 9110
// §5.6.1) that may take several lines.
func lists(lines []string, member string) bool {
	for _, line := range lines {
		start, quoted := 0, false
		for i := 0; i <= len(line); i++ {
			switch {
			case i < len(line) && line[i] == '"':
				quoted = !quoted
			case i == len(line) || line[i] == ',' && !quoted:
				if strings.EqualFold(strings.Trim(line[start:i], " \t"), member) {
					return true
				}
				start = i + 1
			}
		}
	}
	return false
}
