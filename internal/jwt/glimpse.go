package jwt

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// A Glimpse is what can be read of a token that may be flawed in any part. It serves to refuse a
// token, never to believe one.
type Glimpse struct {
	// Raw is the signed token, decrypted if it was encrypted and can be.
	Raw string

	// Header and Claims hold every value that each name has; nil when there is nothing to read.
	Header, Claims map[string][]json.RawMessage
}

// GlimpseOf reads what it can.
func GlimpseOf(raw string, decryption []crypto.PrivateKey) Glimpse {
	g := Glimpse{Raw: raw}
	if signed, err := signedIn(raw, decryption); err == nil {
		g.Raw = signed
	}
	if len(g.Raw) > MaxToken {
		return g
	}
	if parts := strings.SplitN(g.Raw, ".", 4); len(parts) == 3 {
		g.Header, g.Claims = membersOf(parts[0]), membersOf(parts[1])
	}
	return g
}

// membersOf returns the members of an object in base64url, up to where it stops being one, with all
// values of a name that occurs more than once.
func membersOf(segment string) map[string][]json.RawMessage {
	text, _ := base64.RawURLEncoding.DecodeString(strings.TrimRight(segment, "=")) // up to a fault
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\uFEFF"))))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil
	}
	members := map[string][]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			break
		}
		name := fmt.Sprint(token)
		members[name] = append(members[name], value)
	}
	return members
}
