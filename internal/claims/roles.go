package claims

import (
	"encoding/json"
	"strings"

	"github.com/signet-go/signet/internal/strictjson"
)

// Roles returns the values of the claim called name: the member of exactly that name, else the one
// at the dotted path.
func Roles(claims json.RawMessage, name string) []string {
	value, ok := At(claims, name)
	if !ok {
		return nil
	}
	return rolesOf(value)
}

// rolesOf returns the roles in a claim's value.
func rolesOf(value json.RawMessage) []string {
	var one string
	if json.Unmarshal(value, &one) == nil && one != "" {
		return []string{one}
	}
	var list []any
	_ = json.Unmarshal(value, &list) // anything but a list has no roles
	var roles []string
	for _, v := range list {
		if s, ok := v.(string); ok && s != "" {
			roles = append(roles, s)
		}
	}
	return roles
}

// RolesIn is Roles for claims that were read before: o is the object of text.
func RolesIn(o strictjson.Object, text json.RawMessage, name string) []string {
	value, ok := o.Values[name]
	switch {
	case ok:
		return rolesOf(value)
	case strings.IndexByte(name, '.') < 0:
		return nil
	}
	return Roles(text, name)
}
