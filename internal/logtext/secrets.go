package logtext

import (
	"net/url"
	"regexp"
	"strings"
)

const (
	// removed stands for what repeats a secret, withheld for a whole text of which it can't be cut.
	removed  = "[removed]"
	withheld = "[withheld: repeats what was sent]"

	// secretPiece is how many bytes of a secret are long enough to matter: a message may be cut by
	// the provider already.
	secretPiece = 12

	// maxSearched bounds what is searched for secrets: every piece of each is looked for.
	maxSearched = 4 << 10
)

// tokenLike is what looks like a token or a hash of one: a provider that shows a statement of its
// database shows tokens that we have not even seen.
var tokenLike = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)*|[\w-]{40,}`)

// WithoutSecrets returns the beginning of a provider's text with all removed that repeats a piece
// of a secret, plain or as a form spells it, or that looks like a token.
func WithoutSecrets(s string, secrets []string) string {
	if len(s) > maxSearched { // only the beginning is ever shown
		s = s[:maxSearched]
		if i := strings.LastIndexByte(s, '%'); i > maxSearched-3 {
			s = s[:i] // half an escape would keep the rest from being unescaped
		}
	}
	for _, secret := range secrets {
		s = without(without(s, secret), url.QueryEscape(secret))
	}
	s = tokenLike.ReplaceAllString(s, removed)
	if plain, err := url.QueryUnescape(s); err == nil {
		for _, secret := range secrets {
			if without(plain, secret) != plain {
				return withheld // in a spelling of its own
			}
		}
	}
	return s
}

// without cuts every piece of secret out of s.
func without(s, secret string) string {
	size := min(len(secret), secretPiece)
	if size == 0 {
		return s
	}
	hidden := make([]bool, len(s))
	found := false
	for i := 0; i+size <= len(secret); i++ {
		piece := secret[i : i+size]
		for at, rest := 0, s; ; {
			next := strings.Index(rest, piece)
			if next < 0 {
				break
			}
			for j := range size {
				hidden[at+next+j] = true
			}
			at, rest, found = at+next+1, rest[next+1:], true
		}
	}
	if !found {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		switch {
		case !hidden[i]:
			b.WriteByte(s[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(removed)
		}
	}
	return b.String()
}
