package oauth

import (
	"net/http"
	"strings"
)

// maxChallenges bounds the bytes of WWW-Authenticate that are read.
const maxChallenges = 8 << 10

// A challenge is one challenge of a WWW-Authenticate header (RFC 9110 §11.6.1).
type challenge struct {
	// Scheme is in lower case.
	Scheme string

	// Params are by name in lower case; the first of a name counts.
	Params map[string]string
}

// tokenChallenge is the first challenge for access tokens that has an error, else an empty one.
func tokenChallenge(h http.Header) challenge {
	for _, c := range parseChallenges(h.Values("WWW-Authenticate")) {
		if (c.Scheme == "bearer" || c.Scheme == "dpop") && c.Params["error"] != "" {
			return c
		}
	}
	return challenge{}
}

// parseChallenges reads header values that may hold several challenges each. Commas separate both
// challenges and their parameters, so that only what follows a word tells which it is: "=" and a
// value make it a parameter, anything else a scheme. What can't be understood ends the reading of
// its value.
func parseChallenges(values []string) (found []challenge) {
	budget := maxChallenges
	for _, value := range values {
		value = value[:min(len(value), budget)]
		budget -= len(value)
		found = append(found, parseChallengeValue(value)...)
	}
	return found
}

// parseChallengeValue is parseChallenges for one value.
func parseChallengeValue(value string) (found []challenge) {
	rest := value
	for {
		rest = strings.TrimLeft(rest, " \t,")
		word, after := cutToken(rest)
		if word == "" {
			return found
		}
		if v, tail, ok := paramValue(after); ok && len(found) > 0 {
			params := found[len(found)-1].Params
			if name := strings.ToLower(word); params[name] == "" {
				params[name] = v
			}
			rest = tail
			continue
		}
		if after != "" && !strings.ContainsAny(after[:1], " \t,") {
			return found
		}
		found = append(found, challenge{Scheme: strings.ToLower(word), Params: map[string]string{}})
		rest = skipToken68(after)
	}
}

// paramValue reads "=value" with optional blanks, where value is a token or a quoted string.
func paramValue(s string) (value, rest string, ok bool) {
	s, ok = strings.CutPrefix(strings.TrimLeft(s, " \t"), "=")
	if !ok {
		return "", "", false
	}
	s = strings.TrimLeft(s, " \t")
	if strings.HasPrefix(s, `"`) {
		return cutQuoted(s[1:])
	}
	value, rest = cutToken(s)
	return value, rest, value != ""
}

// cutQuoted reads a quoted string whose opening quote is gone.
func cutQuoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// skipToken68 drops the credentials that some schemes have in place of parameters (RFC 9110 §11.2).
func skipToken68(s string) string {
	trimmed := strings.TrimLeft(s, " \t")
	end := strings.IndexAny(trimmed, " \t,")
	if end < 0 {
		end = len(trimmed)
	}
	blob := trimmed[:end]
	bare := strings.TrimRight(blob, "=")
	if blob == "" || strings.ContainsAny(bare, `="`) {
		return s
	}
	if next := strings.TrimLeft(trimmed[end:], " \t"); next != "" && next[0] != ',' {
		return s // a parameter with blanks around its "="
	}
	return trimmed[end:]
}

// cutToken cuts a token (RFC 9110 §5.6.2) off the front of s.
func cutToken(s string) (token, rest string) {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// BlamesToken reports whether an API's 401 says that the token is at fault (RFC 6750 §3.1), or
// nothing at all.
func BlamesToken(h http.Header) bool {
	code := tokenChallenge(h).Params["error"]
	return code == "" || code == "invalid_token"
}
