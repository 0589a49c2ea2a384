package oidcauth

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/oauth"
)

// A Requirement decides whether a user is admitted: nil admits, a *StepUpError asks for a fresher
// or stronger login, any other error refuses with 403. The error's text only goes to the log. It
// may be called concurrently.
type Requirement func(*User) error

// of asks r about u. A nil Requirement, or a nil *StepUpError in an error, is a mistake that lets
// nobody pass.
func (r Requirement) of(u *User) error {
	if r == nil {
		return &DeniedError{Requirement: "a Requirement that is nil"}
	}
	err := r(u)
	if stepUp, ok := errors.AsType[*StepUpError](err); ok && stepUp == nil {
		return &DeniedError{Requirement: "a *StepUpError that is nil"}
	}
	return err
}

// known is u, or somebody without any claim in place of nobody.
func known(u *User) *User {
	if u == nil {
		return new(User)
	}
	return u
}

// rolePrefix is how the text of a missing role begins.
const rolePrefix = "role "

// Role requires the role, exactly.
func Role(role string) Requirement {
	return func(u *User) error {
		if u.HasRole(role) {
			return nil
		}
		return &DeniedError{Requirement: rolePrefix + role}
	}
}

// HasScope requires an access token with all of these scopes: a request without them gets 403
// insufficient_scope, and the challenge names them (RFC 6750 §3.1). Users who are signed in with a
// session have no scopes.
func HasScope(scopes ...string) Requirement {
	if len(scopes) == 0 || slices.ContainsFunc(scopes, func(scope string) bool { return !oauth.IsScope(scope) }) {
		panic("oidcauth: HasScope needs scope tokens (RFC 6749 §3.3)")
	}
	all := strings.Join(scopes, " ")
	return func(u *User) error {
		for _, scope := range scopes {
			if !known(u).caller.HasScope(scope) {
				return &scopeError{DeniedError{Requirement: "scope " + all}, all}
			}
		}
		return nil
	}
}

// A scopeError is a caller whose token lacks scopes.
type scopeError struct {
	DeniedError

	// scope is what would do.
	scope string
}

// HasAudience requires an access token that is meant for one of names, if ResourceConfig.Audience
// accepts several.
func HasAudience(names ...string) Requirement {
	if len(names) == 0 {
		panic("oidcauth: HasAudience needs a name")
	}
	return func(u *User) error {
		if c := known(u).caller; c != nil && slices.ContainsFunc(c.Audience, func(name string) bool { return slices.Contains(names, name) }) {
			return nil
		}
		return &DeniedError{Requirement: "audience " + strings.Join(names, " or ")}
	}
}

// Claim requires the claim called name, an exact name or otherwise a dotted path, to be one of
// values or, if it is a list, to contain one of them. A claim of true or a number matches its JSON
// text. Without values, the claim must be present and not null or false.
func Claim(name string, values ...string) Requirement {
	return func(u *User) error {
		raw, ok := claims.At(known(u).Claims, name)
		if ok && claimMatches(raw, values) {
			return nil
		}
		return &DeniedError{Requirement: "claim " + name + " " + strings.Join(values, " or ")}
	}
}

func claimMatches(raw json.RawMessage, values []string) bool {
	if len(values) == 0 {
		return string(raw) != "null" && string(raw) != "false"
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	return slices.ContainsFunc(list, func(item json.RawMessage) bool {
		var text string
		if json.Unmarshal(item, &text) != nil {
			text = string(item)
		}
		return slices.Contains(values, text)
	})
}

// ACR requires the login's authentication context class reference to be one of values (Core §2); a
// page asks the provider for it as essential, and verifies it on return. It panics without values.
func ACR(values ...string) Requirement {
	if len(values) == 0 {
		panic("oidcauth: ACR needs a value")
	}
	return func(u *User) error {
		if u != nil && slices.Contains(values, u.ACR) && u.ACR != "" {
			return nil
		}
		return &StepUpError{ACRValues: values}
	}
}

// AMR requires all of methods to have been used in the login (RFC 8176); a page asks the provider
// for a new login, and verifies it on return. It panics without methods, since every user would be
// admitted.
func AMR(methods ...string) Requirement {
	if len(methods) == 0 {
		panic("oidcauth: AMR needs a method (RFC 8176)")
	}
	return func(u *User) error {
		if missingAMR(u, methods) == "" {
			return nil
		}
		return &StepUpError{AMR: methods}
	}
}

func missingAMR(u *User, methods []string) string {
	for _, m := range methods {
		if !slices.Contains(known(u).AMR, m) {
			return m
		}
	}
	return ""
}

// justNow is how long a login that was verified for a max_age counts as that fresh: the time it
// takes to come back from the provider to the page that asked.
const justNow = 10 * time.Second

// MaxAge requires a login no older than d, which is at least one second, by the provider's
// auth_time; a page asks the provider for a new one and verifies it on return. Providers that send
// no auth_time can't satisfy it.
func MaxAge(d time.Duration) Requirement {
	if d < time.Second {
		panic("oidcauth: MaxAge needs at least one second")
	}
	return func(u *User) error {
		u, now := known(u), time.Now()
		if !u.AuthTime.IsZero() && now.Sub(u.AuthTime) <= d {
			return nil
		}
		if u.maxAge != nil && *u.maxAge <= d && now.Sub(u.LoginTime) <= justNow {
			return nil
		}
		return &StepUpError{MaxAge: d}
	}
}
