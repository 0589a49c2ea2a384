package relay

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/signet-go/signet/internal/outbound"
)

// Why a path does not lead to the API.
var (
	ErrElsewhere = errors.New("the path is not below the proxy's prefix")
	errTricks    = errors.New("the path has an empty or dot segment, plain or encoded: use the clean path")
	errBytes     = errors.New("the path has a control character, or bytes that aren't UTF-8")
)

// Rest returns what follows prefix, which ends in a slash, in an escaped path, byte for byte and
// with that slash in front.
//
// Everyone on the way must see the same path, or one path is guarded and another one served: dot
// segments are refused, plain or encoded, once or twice, also with the parameters that some servers
// cut off ("..;x"), or behind a backslash. Any other escape is data (RFC 3986 §2.2).
func Rest(escaped, prefix string) (string, error) {
	rest, below := strings.CutPrefix(escaped, strings.TrimSuffix(prefix, "/"))
	if !below || !strings.HasPrefix(rest, "/") {
		return "", ErrElsewhere
	}
	plain, err := url.PathUnescape(rest)
	if err != nil {
		return "", errBytes
	}
	if strings.Contains(rest, "//") || strings.HasPrefix(plain, "//") || hasDots(plain) {
		return "", errTricks
	}
	if !utf8.ValidString(plain) || strings.ContainsFunc(plain, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "", errBytes
	}
	if twice, err := url.PathUnescape(plain); err == nil && hasDots(twice) {
		return "", errTricks
	}
	return rest, nil
}

// hasDots reports whether a decoded path has a dot segment in anybody's eyes.
func hasDots(plain string) bool {
	for segment := range strings.FieldsFuncSeq(plain, func(c rune) bool { return c == '/' || c == '\\' }) {
		name, _, _ := strings.Cut(segment, ";")
		if name == "." || name == ".." {
			return true
		}
	}
	return false
}

// Target returns the URL on the API at base for rest, which Rest returned, and a raw query.
func Target(base *url.URL, rest, query string) *url.URL {
	u := *base
	u.RawPath = strings.TrimSuffix(base.EscapedPath(), "/") + rest
	u.Path, _ = url.PathUnescape(u.RawPath) // Rest has done so
	u.RawQuery = query
	return &u
}

// Location returns where a redirect of the API at base, in the answer to a request for from, leads
// in the eyes of a browser that has the API below prefix: "" for anywhere else.
func Location(location string, from, base *url.URL, prefix string) string {
	to, err := from.Parse(location)
	if err != nil || outbound.Origin(to) != outbound.Origin(base) || to.User != nil || to.Opaque != "" {
		return ""
	}
	rest, err := Rest(to.EscapedPath(), base.EscapedPath())
	if err != nil {
		return ""
	}
	here := url.URL{RawQuery: to.RawQuery, ForceQuery: to.ForceQuery, Fragment: to.Fragment, RawFragment: to.RawFragment}
	return strings.TrimSuffix(prefix, "/") + rest + here.String()
}
