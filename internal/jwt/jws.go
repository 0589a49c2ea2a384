// Package jwt reads and writes tokens as bytes: JWS and JWE in compact form, key sets, signatures
// with keys that may be in an HSM, and the keys and proofs of DPoP (RFC 7515 to 7518, RFC 9449 §4).
// Start at [Open], which takes a token apart. It believes no token: whose it is, for whom, and
// whether it is still good, package provider decides.
package jwt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// MaxToken bounds a token before anything is parsed. Real ones stay below 20 kB; a group list may
// be long.
const MaxToken = 128 << 10

// A JWS is a token in compact form (RFC 7515 §7.1), taken apart but not verified.
type JWS struct {
	// Raw is the token itself.
	Raw string

	// header and payload are its two objects; body is the payload's text.
	header, Payload strictjson.Object
	Body            []byte
}

// Parse takes a token apart. It is stricter than RFC 7515 asks of a parser, and stricter than
// go-jose: one spelling per token, no white space, no unused bits, so that a token which differs in
// any character is another token.
func Parse(raw string) (*JWS, error) { return parse(raw, strictjson.Parse) }

// ParseRepeating is Parse for tokens whose payload may say the same thing twice, as the response
// JWTs of some providers do. What it says twice in different ways is refused.
func ParseRepeating(raw string) (*JWS, error) { return parse(raw, strictjson.ParseRepeating) }

func parse(raw string, payload func([]byte) (strictjson.Object, error)) (*JWS, error) {
	decoded, err := decodeSegments(raw, 3)
	if err != nil {
		return nil, err
	}
	t := &JWS{Raw: raw, Body: decoded[1]}
	if t.header, err = strictjson.Parse(decoded[0]); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if t.Payload, err = payload(t.Body); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return t, nil
}

// oneSpelling is base64url in which no two texts mean the same bytes.
var oneSpelling = base64.RawURLEncoding.Strict()

// decodeSegments cuts a token at its dots, after looking at its size and the number of dots only,
// and undoes base64url. What would not come back the same is refused: padding, line ends, unused
// bits.
func decodeSegments(raw string, count int) ([][]byte, error) {
	if len(raw) > MaxToken {
		return nil, fmt.Errorf("expected a token of at most %d bytes, got %d", MaxToken, len(raw))
	}
	if got := strings.Count(raw, ".") + 1; got != count {
		return nil, fmt.Errorf("expected a token of %d parts, got %d", count, got)
	}
	segments := make([][]byte, 0, count)
	for part := range strings.SplitSeq(raw, ".") {
		decoded, err := oneSpelling.DecodeString(part)
		if err != nil || strings.ContainsAny(part, "\r\n") { // which the decoder passes over
			return nil, errors.New("expected base64url without padding")
		}
		segments = append(segments, decoded)
	}
	return segments, nil
}

// adviceOnAlg says what to do about another algorithm than the configured one. There is no advice
// to take one that is never accepted.
func adviceOnAlg(got string) string {
	if !slices.Contains(SigningAlgs, got) {
		return ""
	}
	return "; if the provider is meant to sign with that, set Config.SigningAlg"
}

// KeyID returns kid, "" where the token has none.
func (t *JWS) KeyID() string {
	kid, _ := t.header.Text("kid")
	return kid
}

// CheckHeader accepts a header with exactly this algorithm, without extensions that change what is
// signed (RFC 7515 §4.1.11, RFC 7797), and of no other kind of token: types lists the explicit
// types that are welcome besides JWT (RFC 8725 §3.11). Keys in the header (jwk, jku, x5c, x5u) are
// never looked at.
func (t *JWS) CheckHeader(alg string, types ...string) error {
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

// checkType compares typ without case and "application/" (RFC 7515 §4.1.9). A type that names no
// kind of JWT says nothing and passes; one that does must be welcome.
func (t *JWS) checkType(welcome []string) error {
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

// SigningAlgs are the algorithms that Config.SigningAlg may name: asymmetric ones (RFC 7518 §3.1,
// RFC 8037 §3.1).
var SigningAlgs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// BeginsObject reports whether the first part of a token begins a JSON object, as a header does.
func BeginsObject(raw string) bool {
	if len(raw) < 4 {
		return false
	}
	decoded, err := base64.RawURLEncoding.DecodeString(raw[:4])
	return err == nil && decoded[0] == '{'
}
