package claims

import "encoding/json"

// Roles returns the values of the claim called name: the member of exactly that name, else the one
// at the dotted path.
func Roles(claims json.RawMessage, name string) []string {
	value, ok := At(claims, name)
	if !ok {
		return nil
	}
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
