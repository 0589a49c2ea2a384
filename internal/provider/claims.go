package provider

import (
	"cmp"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// Bounds of what a token may say. They are generous to providers and mean to whoever tries to fill
// a cookie or a store with one token.
const (
	maxSubject   = 255 // bytes (OpenID Connect Core §2)
	MaxSessionID = 512 // of sid and jti, for which no specification has a limit
	maxIssuedAgo = 10 * time.Minute
	maxLifetime  = 24 * time.Hour
)

// subjectOf returns sub: a string of 1 to 255 bytes. Control characters and U+FFFD, which stands
// for text that was no Unicode and could be anybody's, are refused.
func subjectOf(claims strictjson.Object) (string, error) {
	sub, err := claims.Text("sub")
	if err != nil {
		return "", err
	}
	if sub == "" || len(sub) > maxSubject {
		return "", fmt.Errorf("sub: expected a string of 1 to %d bytes, got %d", maxSubject, len(sub))
	}
	return sub, checkPlain("sub", sub)
}

// identifierOf returns an optional identifier, such as sid or jti, "" when it is absent.
func identifierOf(claims strictjson.Object, name string) (string, error) {
	id, err := claims.Text(name)
	if err != nil {
		return "", err
	}
	if len(id) > MaxSessionID {
		return "", fmt.Errorf("%s: expected at most %d bytes, got %d", name, MaxSessionID, len(id))
	}
	return id, checkPlain(name, id)
}

// checkPlain keeps identifiers fit for logs, store keys and comparisons. JSON decoding turns lone
// surrogates into U+FFFD, so that two users whose subs differ only there would become one.
func checkPlain(name, value string) error {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		return fmt.Errorf("%s: expected text without control characters", name)
	}
	return nil
}

// checkAudience demands that the token is for the client, and for it alone unless azp says that the
// client is the party it was issued to (Core §3.1.3.7, steps 3 to 5).
func checkAudience(claims strictjson.Object, clientID string) error {
	if err := checkListed(claims, clientID); err != nil {
		return err
	}
	if audience, _ := claims.Texts("aud"); len(audience) > 1 && !claims.Present("azp") {
		return errors.New("azp: expected with more than one audience, got none")
	}
	return nil
}

// checkListed demands that the token is for the client, if for others too, and that azp, where it
// is present, says nothing else.
func checkListed(claims strictjson.Object, clientID string) error {
	audience, err := claims.Texts("aud")
	if err != nil {
		return err
	}
	if !slices.Contains(audience, clientID) {
		return fmt.Errorf("aud: expected %q in it, got %d other values: is ClientID right? At some providers the client's registration lists the audiences", clientID, len(audience))
	}
	azp, err := claims.Text("azp")
	if err != nil {
		return err
	}
	if claims.Present("azp") && azp != clientID {
		return fmt.Errorf("azp: expected %q, got %s", clientID, logtext.Quote(azp))
	}
	return nil
}

// A clock compares the provider's times with ours, which may differ by skew in either direction.
type clock struct {
	now  time.Time
	skew time.Duration
}

// clockHint closes messages about times: they are the usual sign of a wrong clock.
const clockHint = "; if that is unexpected, check this machine's clock"

// expiry returns exp, which must be there and not past. A date more than 24 h ahead counts as 24 h.
func (c clock) expiry(claims strictjson.Object) (time.Time, error) {
	exp, ok, err := claims.Date("exp")
	if err != nil || !ok {
		return time.Time{}, cmp.Or(err, errors.New("exp: expected a date, got none"))
	}
	if !c.now.Before(exp.Add(c.skew)) {
		return time.Time{}, fmt.Errorf("exp: expired %v ago"+clockHint, c.now.Sub(exp).Round(time.Second))
	}
	if limit := c.now.Add(maxLifetime); exp.After(limit) {
		return limit, nil
	}
	return exp, nil
}

// issuedAt returns iat, which must be there and not in the future; maxAge 0 sets no limit to how
// long ago it may be.
func (c clock) issuedAt(claims strictjson.Object, maxAge time.Duration) (time.Time, error) {
	iat, ok, err := claims.Date("iat")
	if err != nil || !ok {
		return time.Time{}, cmp.Or(err, errors.New("iat: expected a date, got none"))
	}
	if iat.After(c.now.Add(c.skew)) {
		return time.Time{}, fmt.Errorf("iat: issued %v in the future"+clockHint, iat.Sub(c.now).Round(time.Second))
	}
	if maxAge > 0 && c.now.Sub(iat) > maxAge+c.skew {
		return time.Time{}, fmt.Errorf("iat: issued %v ago, expected at most %v"+clockHint, c.now.Sub(iat).Round(time.Second), maxAge)
	}
	return iat, nil
}

// notBefore refuses a token whose nbf is still to come.
func (c clock) notBefore(claims strictjson.Object) error {
	nbf, ok, err := claims.Date("nbf")
	if err != nil {
		return err
	}
	if ok && nbf.After(c.now.Add(c.skew)) {
		return fmt.Errorf("nbf: valid only in %v"+clockHint, nbf.Sub(c.now).Round(time.Second))
	}
	return nil
}

// equalText compares two secrets without telling by time where they differ.
func equalText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// checkTokenHash compares at_hash, if present, with the access token (Core §3.1.3.6): the left half
// of the hash that the signature algorithm uses. For EdDSA that is the SHA-512 of Ed25519.
func checkTokenHash(claims strictjson.Object, alg, accessToken string) error {
	got, err := claims.Text("at_hash")
	if err != nil || !claims.Present("at_hash") {
		return err
	}
	var half []byte
	switch {
	case strings.HasSuffix(alg, "256"):
		sum := sha256.Sum256([]byte(accessToken))
		half = sum[:16]
	case strings.HasSuffix(alg, "384"):
		sum := sha512.Sum384([]byte(accessToken))
		half = sum[:24]
	default:
		sum := sha512.Sum512([]byte(accessToken))
		half = sum[:32]
	}
	if !equalText(got, base64.RawURLEncoding.EncodeToString(half)) {
		return errors.New("at_hash: expected the hash of the access token, got another")
	}
	return nil
}
