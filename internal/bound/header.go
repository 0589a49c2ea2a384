package bound

import (
	"net/http"
	"strings"
)

// Names of the headers (Device Bound Session Credentials §9). Their values are structured fields
// (RFC 9651), or plain texts where browsers send them so.
const (
	headerRegistration = "Secure-Session-Registration"
	headerChallenge    = "Secure-Session-Challenge"
	headerResponse     = "Secure-Session-Response"
	headerSkipped      = "Secure-Session-Skipped"
	headerID           = "Sec-Secure-Session-Id"
)

// SetRegistration invites the browser to register a key: it posts its proof to path. Where other
// managers invite too, each does.
func SetRegistration(h http.Header, path, challenge string) {
	h.Add(headerRegistration, "("+es256+" "+rs256+");path="+quoted(path)+";challenge="+quoted(challenge))
}

// Invited reports whether h invites to register at path already.
func Invited(h http.Header, path string) bool {
	for _, value := range h.Values(headerRegistration) {
		if strings.Contains(value, ";path="+quoted(path)+";") {
			return true
		}
	}
	return false
}

// SetChallenge asks for a proof of the session with this identifier.
func SetChallenge(h http.Header, identifier, challenge string) {
	h.Set(headerChallenge, quoted(challenge)+";id="+quoted(identifier))
}

// quoted is s as a string of a structured field (RFC 9651 §3.3.3). What stands in ours is sealed
// text, or a path.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// ResponseIn returns the proof that a request brings, "" where it brings none, or several.
func ResponseIn(h http.Header) string { return single(h, headerResponse) }

// IdentifierIn returns the session identifier that a renewal is for, "" where there is none, or
// several.
func IdentifierIn(h http.Header) string { return single(h, headerID) }

// single returns the one value of a header, without the quotes of a string.
func single(h http.Header, name string) string {
	values := h.Values(name)
	if len(values) != 1 {
		return ""
	}
	value := strings.Trim(values[0], " \t")
	if inner, ok := strings.CutPrefix(value, `"`); ok {
		inner, ok = strings.CutSuffix(inner, `"`)
		if !ok || strings.ContainsAny(inner, `"\`) {
			return ""
		}
		return inner
	}
	return value
}

// A Skip is what a browser says of a request that it sent without a bound cookie.
type Skip struct {
	Reason     string // quota_exceeded, server_error, unreachable
	Identifier string // of the session that it could not renew; may be ""
}

// maxSkips bounds what is read of a request: one session of one origin is what there should be.
const maxSkips = 8

// SkipsIn returns what a request says of renewals that its browser could not make. Whoever sends it
// may say what they like: it chooses between refusals, and lets nobody pass.
func SkipsIn(h http.Header) (skips []Skip) {
	for _, value := range h.Values(headerSkipped) {
		for value != "" && len(skips) < maxSkips {
			var item string
			item, value = cut(value, ',')
			reason, parameters := cut(item, ';')
			skip := Skip{Reason: strings.Trim(reason, " \t")}
			for parameters != "" {
				var parameter string
				parameter, parameters = cut(parameters, ';')
				if id, ok := strings.CutPrefix(strings.Trim(parameter, " \t"), `session_identifier="`); ok {
					skip.Identifier = strings.TrimSuffix(id, `"`)
				}
			}
			skips = append(skips, skip)
		}
	}
	return skips
}

// cut cuts s at the first sep that stands in no string.
func cut(s string, sep byte) (before, after string) {
	inside := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			inside = !inside
		case s[i] == sep && !inside:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
