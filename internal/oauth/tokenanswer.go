package oauth

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// maxExpiresIn caps how long an access token is believed to live. Sessions end long before.
const maxExpiresIn = 30 * 24 * time.Hour

// A TokenAnswer is a successful answer of a token endpoint (RFC 6749 §5.1). Unlike x/oauth2's
// reading of it, an expires_in of 0 is not for ever, a string or a fraction is a number, and an
// error in a 200 is an error.
type TokenAnswer struct {
	// AccessToken is visible ASCII, fit for a header. Never empty.
	AccessToken string

	// TokenType is "Bearer" or "DPoP", in whatever case the provider wrote it.
	TokenType string

	// RefreshToken is "" when the answer has none: a refresh then keeps the old one (RFC 6749 §6).
	// It goes into forms only, and so may hold spaces.
	RefreshToken string

	// IDToken is not verified yet. It is "" when the answer has none.
	IDToken string

	// Scope is what was granted, "" when the answer doesn't say: what was asked for (RFC 6749
	// §5.1).
	Scope string

	// IssuedType is issued_token_type, the kind of token that AccessToken is after an exchange (RFC
	// 8693 §2.2.1); "" when the answer doesn't say.
	IssuedType string

	// Details are the authorization_details as granted (RFC 9396 §7), a JSON list; nil when the
	// answer has none, or none that makes sense.
	Details json.RawMessage

	// Expiry is when the access token expires; zero when the answer doesn't say.
	Expiry time.Time
}

// String keeps tokens out of logs and debug dumps.
func (t *TokenAnswer) String() string { return "token answer (redacted)" }

// GoString is String.
func (t *TokenAnswer) GoString() string { return t.String() }

// parseTokenAnswer reads the body of a 200. dpop says that a DPoP-bound token was asked for: no
// other type will do then, and DPoP will not do otherwise (RFC 9449 §5).
func parseTokenAnswer(body []byte, received time.Time, dpop bool) (*TokenAnswer, error) {
	o, err := strictjson.Parse(body)
	if err != nil {
		return nil, err
	}
	t := &TokenAnswer{}
	var errs [6]error
	t.AccessToken, errs[0] = requiredCredential(o, "access_token")
	t.TokenType, errs[1] = tokenType(o, dpop)
	t.RefreshToken, errs[2] = refreshToken(o)
	t.IDToken, errs[3] = o.Credential("id_token")
	t.Expiry, errs[4] = expiresIn(o, received)
	t.IssuedType, errs[5] = o.Credential("issued_token_type")
	if err := cmp.Or(errs[:]...); err != nil {
		return nil, err
	}
	scopes, _ := o.Texts("scope") // informative, and a list with some providers
	t.Scope = strings.Join(scopes, " ")
	t.Details = authorizationDetails(o)
	return t, nil
}

// requiredCredential is Object.Credential for a member that must be there.
func requiredCredential(o strictjson.Object, name string) (string, error) {
	s, err := o.Credential(name)
	if err == nil && s == "" {
		err = fmt.Errorf("%s: expected, got none", name)
	}
	return s, err
}

// refreshToken returns the refresh token, printable ASCII with spaces (RFC 6749 appendix A.17). One
// that is lost over a space can't be had again: the token that it replaces may be spent.
func refreshToken(o strictjson.Object) (string, error) {
	s, err := o.Text("refresh_token")
	if err == nil && strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		err = errors.New("refresh_token: expected printable ASCII characters only")
	}
	return s, err
}

// maxDetails bounds the authorization_details that are kept. Longer ones are left out: they would
// crowd the session.
const maxDetails = 4 << 10

// authorizationDetails returns the list as it was granted, without white space.
func authorizationDetails(o strictjson.Object) json.RawMessage {
	var list []json.RawMessage
	var compact bytes.Buffer
	raw := o.Values["authorization_details"]
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 || json.Compact(&compact, raw) != nil || compact.Len() > maxDetails {
		return nil
	}
	return compact.Bytes()
}

// tokenType compares token_type, which has no case (RFC 6749 §5.1), with the one that was asked
// for.
func tokenType(o strictjson.Object, dpop bool) (string, error) {
	got, err := o.Text("token_type")
	if err != nil {
		return "", err
	}
	want := "Bearer"
	if dpop {
		want = "DPoP"
	}
	if !strings.EqualFold(got, want) {
		return "", fmt.Errorf("token_type: expected %s, got %s", want, logtext.Quote(got))
	}
	return want, nil
}

// expiresIn returns when the access token expires: zero when the answer doesn't say, received when
// it says zero or less, capped when it says more than anybody needs. Numbers in strings count: some
// providers write them so.
func expiresIn(o strictjson.Object, received time.Time) (time.Time, error) {
	if !o.Present("expires_in") {
		return time.Time{}, nil
	}
	value := o.Values["expires_in"]
	text := string(value)
	if value[0] == '"' {
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return time.Time{}, err
		}
		text = strings.TrimSpace(s)
	}
	// Out of range is an answer, too: ParseFloat says ±Inf, and the caps below apply. NaN is not.
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || seconds != seconds {
		return time.Time{}, fmt.Errorf("expires_in: expected a number of seconds, got %s", strictjson.KindOf(value))
	}
	seconds = max(0, min(seconds, maxExpiresIn.Seconds()))
	return received.Add(time.Duration(seconds * float64(time.Second))), nil
}
