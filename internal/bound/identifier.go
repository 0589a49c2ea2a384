package bound

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/signet-go/signet/internal/seal"
)

// An Identifier is what the browser calls a bound session by. It is all that a renewal needs: the
// browser may send no cookie with it. It authorizes nothing.
type Identifier struct {
	// Session is the session without what it holds: its id, its limits and what can end it, in the
	// form of its own package.
	Session []byte

	// Key is the one that proofs have to be of.
	Key Key
}

// ErrIdentifier is returned for a session identifier that is not ours.
var ErrIdentifier = errors.New("session identifier: not one of ours")

// maxIdentifier bounds an identifier before it is opened.
const maxIdentifier = 4 << 10

// Identifier seals id. Error: [ErrIdentifier], for one that OpenIdentifier would find too long.
func (s *Seals) Identifier(id Identifier) (string, error) {
	b := binary.AppendUvarint(nil, uint64(len(id.Session)))
	b, err := id.Key.append(append(b, id.Session...))
	if err != nil {
		return "", err
	}
	text, err := s.identifiers.Seal(s.name, b)
	if err != nil || len(text) <= maxIdentifier {
		return text, err
	}
	return "", fmt.Errorf("%w: %d bytes, at most %d are read", ErrIdentifier, len(text), maxIdentifier)
}

// OpenIdentifier reads what Identifier has sealed, and names the one of our keys that did. Errors:
// [ErrIdentifier], also for one that none of our keys opens any more.
func (s *Seals) OpenIdentifier(text string) (id Identifier, keyID string, err error) {
	if len(text) > maxIdentifier {
		return id, "", ErrIdentifier
	}
	plain, _, err := s.identifiers.Open(s.name, text)
	if err != nil {
		return id, "", ErrIdentifier
	}
	size, n := binary.Uvarint(plain)
	if n <= 0 || size > uint64(len(plain)-n) {
		return id, "", ErrIdentifier
	}
	id.Session = plain[n:][:size]
	if id.Key, err = parseKey(plain[n+int(size):]); err != nil {
		return id, "", ErrIdentifier
	}
	return id, seal.KeyID(text), nil
}
