package claims

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// protocolClaims are the names that this package gives meaning to. Only exactly these spellings
// count, and userinfo never provides them.
var protocolClaims = []string{
	"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "nonce", "azp", "at_hash", "c_hash", "s_hash", "auth_time", "acr", "amr",
	"sid", "tid", "events", "session_expiry", "cnf", "_claim_names", "_claim_sources",
}

// CheckNames refuses claims that look like a protocol claim to a lenient reader: "SUB", or "ſub"
// with a long s, which encoding/json, and with it go-oidc, takes for "sub".
func CheckNames(claims strictjson.Object) error {
	for _, name := range claims.Names {
		if p := FoldsTo(name); p != "" && p != name {
			return fmt.Errorf("claim %s is too much like %s", logtext.Quote(name), p)
		}
	}
	return nil
}

// FoldsTo returns the protocol claim that equals name under Unicode case folding, or "".
func FoldsTo(name string) string {
	i := slices.IndexFunc(protocolClaims, func(p string) bool { return strings.EqualFold(p, name) })
	if i < 0 {
		return ""
	}
	return protocolClaims[i]
}
