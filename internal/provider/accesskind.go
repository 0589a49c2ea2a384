package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// checkKind refuses what the same keys have signed for another purpose (RFC 8725 §3.11, §3.12). An
// explicit type settles it (RFC 9068 §2.1). Real providers leave it out, or say JWT: then the token
// must be meant for no client of this process, for whom ID tokens and responses are.
func checkKind(jws *jwt.JWS, t *AccessToken, rules AccessRules) error {
	switch kind := jws.Type(); kind {
	case accessTokenType:
	case "", "jwt":
		if slices.ContainsFunc(t.Audience, rules.IsClient) {
			return fmt.Errorf("typ: expected %s of a token that is meant for a client of this process, got %s", accessTokenType, logtext.Quote(kind))
		}
		// A signed authorization response has no type of its own (JARM §2.1).
		if jws.Payload.Has("code") || t.Subject == "" && t.ClientID == "" {
			return errors.New("sub, client_id: expected an access token of a user or client, got another kind of token")
		}
	default:
		return fmt.Errorf("typ: expected %s, got %s", accessTokenType, logtext.Quote(kind))
	}
	return checkClaimedKind(jws.Payload, t)
}

// otherKinds are members that only ID tokens and logout tokens have.
var otherKinds = []string{"nonce", "at_hash", "c_hash", "s_hash", "events"}

// checkClaimedKind refuses what gives itself away by its claims. typ is the kind as Keycloak writes
// it, token_use as Hydra and Cognito do.
func checkClaimedKind(o strictjson.Object, t *AccessToken) error {
	for _, name := range otherKinds {
		if o.Has(name) {
			return fmt.Errorf("%s: expected an access token, got another kind of token", name)
		}
	}
	kind, err := o.Text("typ")
	if err != nil {
		return err
	}
	if bound := strings.EqualFold(kind, "DPoP") && t.Thumbprint != ""; kind != "" && !strings.EqualFold(kind, "Bearer") && !bound {
		return fmt.Errorf("typ: expected Bearer, got %s", logtext.Quote(kind))
	}
	use, err := o.Text("token_use")
	if err == nil && use != "" && use != "access" && use != "access_token" {
		err = fmt.Errorf("token_use: expected access_token, got %s", logtext.Quote(use))
	}
	return err
}

// checkTokenType compares token_type, where an introspection answer has it (RFC 7662 §2.2), with
// what the token is bound to: a refresh token is active, too.
func checkTokenType(o strictjson.Object, t *AccessToken) error {
	got, err := o.Text("token_type")
	if err != nil || got == "" {
		return err
	}
	dpop := strings.EqualFold(got, "DPoP")
	switch {
	case !dpop && !strings.EqualFold(got, "Bearer") && !strings.EqualFold(got, "access_token"):
		return fmt.Errorf("token_type: expected Bearer or DPoP, got %s", logtext.Quote(got))
	case dpop && t.Thumbprint == "":
		return errors.New("token_type: DPoP, and cnf.jkt doesn't say which key")
	}
	return nil
}
