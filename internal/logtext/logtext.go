// Package logtext makes text from outside fit for a log line or an error: cut, without what could
// forge a line, and without telling who somebody is. It never decides what is logged. Start reading
// at [Clip] and [Quote]; [Fingerprint] is for people, [WithoutSecrets] for texts of a provider's.
package logtext

import (
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
)

// Max bounds each piece of foreign text in a log line. It leaves room for what the provider says
// and for what to do.
const Max = 1000

// Reason is the attribute that carries an error's text, cut and cleaned: parts of it may come from
// a browser or a provider.
func Reason(err error) slog.Attr {
	if err == nil {
		return slog.String("reason", "")
	}
	return slog.String("reason", Clip(err.Error(), Max))
}

// Fingerprint is the attribute that names a user or session in logs without telling who it is.
func Fingerprint(name, value string) slog.Attr {
	if value == "" {
		return slog.String(name, "")
	}
	return slog.String(name, Short(value))
}

// Short is a name of 12 characters for parts, the same wherever it is made, which tells nothing of
// them that can't be guessed: SHA-256, cut to 72 bits. It keeps things apart, and proves nothing.
// Two lists of parts have different names unless a NUL stands in one: what may hold one is quoted
// first, or alone.
func Short(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// Clip returns s with what could forge or flood a log line replaced, and cut after max bytes.
func Clip(s string, max int) string {
	if len(s) > max {
		s = strings.ToValidUTF8(s[:max], "") + "…"
	}
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '·'
	}, s)
}

// Quote makes text from outside fit for an error or a log line: quoted in ASCII and cut.
func Quote(s string) string {
	const limit = 64
	if len(s) > limit {
		return strconv.QuoteToASCII(s[:limit]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
