package oidcauth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
	"slices"
	"strings"
)

// maxToken bounds a token before anything is parsed. Real ones stay below 20
// kB; a group list may be long.
const maxToken = 128 << 10

// A compactJWS is a token in compact form (RFC 7515 §7.1), taken apart but not
// verified.
type compactJWS struct {
	// raw is the token itself.
	raw string

	// header and payload are its two objects; body is the payload's text.
	header, payload strictjson.Object
	body            []byte
}

// parseJWS takes a token apart. It is stricter than RFC 7515 asks of a parser,
// and stricter than go-jose: one spelling per token, no white space, no unused
// bits, so that a token which differs in any character is another token.
func parseJWS(raw string) (*compactJWS, error) {
	decoded, err := decodeSegments(raw, 3)
	if err != nil {
		return nil, err
	}
	t := &compactJWS{raw: raw, body: decoded[1]}
	if t.header, err = strictjson.Parse(decoded[0]); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if t.payload, err = strictjson.Parse(t.body); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return t, nil
}

// decodeSegments cuts a token at its dots, after looking at its size and the
// number of dots only, and undoes base64url. What would not come back the same
// is refused: padding, line ends, unused bits.
func decodeSegments(raw string, count int) ([][]byte, error) {
	if len(raw) > maxToken {
		return nil, fmt.Errorf("expected a token of at most %d bytes, got %d", maxToken, len(raw))
	}
	if got := strings.Count(raw, ".") + 1; got != count {
		return nil, fmt.Errorf("expected a token of %d parts, got %d", count, got)
	}
	segments := make([][]byte, 0, count)
	for part := range strings.SplitSeq(raw, ".") {
		decoded, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || base64.RawURLEncoding.EncodeToString(decoded) != part {
			return nil, errors.New("expected base64url without padding")
		}
		segments = append(segments, decoded)
	}
	return segments, nil
}

// adviceOnAlg says what to do about another algorithm than the configured one. There is no advice to take one that is never accepted.
func adviceOnAlg(got string) string {
	if !slices.Contains(signingAlgs, got) {
		return ""
	}
	return "; if the provider is meant to sign with that, set Config.SigningAlg"
}

// checkHeader accepts a header with exactly this algorithm, without extensions
// that change what is signed (RFC 7515 §4.1.11, RFC 7797), and of no other kind
// of token: types lists the explicit types that are welcome besides JWT (RFC
// 8725 §3.11). Keys in the header (jwk, jku, x5c, x5u) are never looked at.
func (t *compactJWS) checkHeader(alg string, types ...string) error {
	got, err := t.header.Text("alg")
	if err != nil {
		return err
	}
	if got != alg {
		return fmt.Errorf("alg: expected exactly %s, got %s%s", alg, logtext.Quote(got), adviceOnAlg(got))
	}
	for _, name := range []string{"crit", "b64", "zip", "enc"} {
		if t.header.Has(name) {
			return fmt.Errorf("%s: not understood in a header", name)
		}
	}
	if _, err := t.header.Text("kid"); err != nil {
		return err
	}
	return t.checkType(types)
}

// checkType compares typ without case and "application/" (RFC 7515 §4.1.9). A
// type that names no kind of JWT says nothing and passes; one that does must be
// welcome.
func (t *compactJWS) checkType(welcome []string) error {
	typ, err := t.header.Text("typ")
	if err != nil {
		return err
	}
	kind := strings.TrimPrefix(strings.ToLower(typ), "application/")
	if strings.Contains(kind, "+jwt") && !slices.Contains(welcome, kind) {
		return fmt.Errorf("typ: expected JWT, got %s", logtext.Quote(typ))
	}
	return nil
}

// signingAlgs are the algorithms that Config.SigningAlg may name: asymmetric ones (RFC 7518 §3.1, RFC 8037 §3.1).
var signingAlgs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
