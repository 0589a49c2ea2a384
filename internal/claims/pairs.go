package claims

import (
	"bytes"
	"encoding/json"
)

// pairs are addresses and the marks that say whether they are verified (Core §5.1). What one party
// says of a mark means the address that the same party knows, so that a pair is taken whole or not
// at all.
var pairs = [][2]string{{"email", "email_verified"}, {"phone_number", "phone_number_verified"}}

// otherHalf returns the name that makes a pair with name, if there is one.
func otherHalf(name string) (string, bool) {
	for _, pair := range pairs {
		switch name {
		case pair[0]:
			return pair[1], true
		case pair[1]:
			return pair[0], true
		}
	}
	return "", false
}

// isMark reports whether name says whether an address is verified.
func isMark(name string) bool {
	for _, pair := range pairs {
		if name == pair[1] {
			return true
		}
	}
	return false
}

// Verified reads a mark of the provider's: true, or exactly the text "true", which some providers
// write.
func Verified(mark json.RawMessage) bool {
	return string(mark) == "true" || Text(mark) == "true"
}

// sameHalf reports whether two values of a half of a pair say the same; a mark may be a boolean
// here and a text there.
func sameHalf(name string, a, b json.RawMessage) bool {
	return bytes.Equal(a, b) || isMark(name) && Verified(a) && Verified(b)
}
