package browser

import (
	"iter"
	"net/http"
	"strconv"
	"strings"
)

// beginsWithHTML reports whether the first type that r accepts is HTML, as in every navigation.
func beginsWithHTML(r *http.Request) bool {
	for name := range mediaRanges(r) {
		return name == "text/html"
	}
	return false
}

// prefersHTML reports whether r names HTML, and does not like JSON better. A type that comes first
// is preferred to one of the same quality.
func prefersHTML(r *http.Request) bool {
	return quality(r, "text/html") > 0 && quality(r, "text/html") >= quality(r, "application/json")
}

// quality returns how much r likes a type that it names (RFC 9110 §12.5.1), a little less for each
// type before; 0 when it doesn't. Wildcards name nothing.
func quality(r *http.Request, want string) float64 {
	before := 0.0
	for name, params := range mediaRanges(r) {
		if name == want {
			return weight(params) - before
		}
		before += 1e-6
	}
	return 0
}

// weight reads q among a media range's parameters.
func weight(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		if q, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && q >= 0 && q <= 1 {
			return q
		}
		return 0
	}
	return 1
}

// maxRanges bounds the media ranges that are looked at.
const maxRanges = 32

// mediaRanges yields the types of Accept in lower case, each with its parameters.
func mediaRanges(r *http.Request) iter.Seq2[string, string] {
	return func(yield func(name, params string) bool) {
		left := maxRanges
		for _, line := range r.Header.Values("Accept") {
			for entry := range strings.SplitSeq(line, ",") {
				name, params, _ := strings.Cut(entry, ";")
				if left--; left < 0 || !yield(strings.ToLower(strings.TrimSpace(name)), params) {
					return
				}
			}
		}
	}
}
