package claims_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/claims"
)

func TestRolesAreReadFromTheNamedClaim(t *testing.T) {
	for name, row := range map[string]struct {
		claims, claim string
		want          []string
	}{
		"a list":                           {`{"roles":["a","b"]}`, "roles", []string{"a", "b"}},
		"a string":                         {`{"roles":"a"}`, "roles", []string{"a"}},
		"an exact name with dots":          {`{"https://x.example/roles":["a"]}`, "https://x.example/roles", []string{"a"}},
		"a dotted path":                    {`{"realm_access":{"roles":["a"]}}`, "realm_access.roles", []string{"a"}},
		"an exact name before a path":      {`{"a.b":"exact","a":{"b":"path"}}`, "a.b", []string{"exact"}},
		"a path through a name with a dot": {`{"a.b":{"c":"x"}}`, "a.b.c", []string{"x"}},
		"members that are not strings":     {`{"roles":["a",7,null,{}]}`, "roles", []string{"a"}},
		"an object":                        {`{"roles":{"a":true}}`, "roles", nil},
		"a number":                         {`{"roles":7}`, "roles", nil},
		"an empty string":                  {`{"roles":""}`, "roles", nil},
		"no such claim":                    {`{"groups":["a"]}`, "roles", nil},
		"a path that ends early":           {`{"realm_access":"x"}`, "realm_access.roles", nil},
		"no object":                        {`[]`, "roles", nil},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.want, claims.Roles([]byte(row.claims), row.claim))
		})
	}
}
