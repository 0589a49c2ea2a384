package claims_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/claims"
)

func TestPick(t *testing.T) {
	for name, row := range map[string]struct{ raw, sub string }{
		"a member among others":              {`{"a":[{"sub":"x"}],"sub":"s","b":1}`, `"s"`},
		"the last of two":                    {`{"sub":"a","sub":"b"}`, `"b"`},
		"spelled with escapes":               {`{"\u0073ub":"s"}`, `"s"`},
		"of any kind":                        {`{"sub" : {"a":"}"} }`, `{"a":"}"}`},
		"a number at the end":                {`{"sub":1}`, `1`},
		"a string of brackets":               {`{"a":"}\"{","sub":"\\"}`, `"\\"`},
		"not one in another spelling":        {`{"SUB":"s"}`, ``},
		"not one inside another":             {`{"a":{"sub":"s"}}`, ``},
		"not the name as a value":            {`{"a":"sub","b":"s"}`, ``},
		"nothing of an array":                {`["sub","s"]`, ``},
		"nothing of what is broken":          {`{"sub":"s"`, ``},
		"nothing of what follows the object": {`{}{"sub":"s"}`, ``},
		"nothing of nothing":                 {``, ``},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.sub, string(claims.Pick(json.RawMessage(row.raw), "iss", "sub")[1]))
		})
	}
}

func TestTexts(t *testing.T) {
	for raw, want := range map[string][]string{
		`["pwd","otp"]`:         {"pwd", "otp"},
		`[ "a\u0062" , "\"]" ]`: {"ab", `"]`},
		`["pwd",1,"otp"]`:       {"pwd", "", "otp"},
		`[]`:                    {},
		`"pwd"`:                 nil,
		`{"pwd":"otp"}`:         nil,
		`null`:                  nil,
		``:                      nil,
	} {
		require.Equal(t, want, claims.Texts(json.RawMessage(raw)), raw)
	}
}

// FuzzPick compares Pick, Text and Texts with encoding/json.
func FuzzPick(f *testing.F) {
	for _, seed := range []string{`{"sub":"s","n":[1,{"sub":2}]}`, `{"\u0073ub":"\ud800"}`, ` { "a" : -1e3 , "sub":null } `, `{"sub":"\\\""}`, "{\"sub\":\"\xff\"}", `[]`, `{"sub":["a","\n", "b" ]}`, `{"sub":["a",1]}`} {
		f.Add([]byte(seed), "sub")
	}
	f.Fuzz(func(t *testing.T, raw []byte, name string) {
		var members map[string]json.RawMessage
		_ = json.Unmarshal(raw, &members)
		if name == "" || !json.Valid([]byte(`"`+name+`"`)) {
			return // no claim's name
		}
		var same string
		if json.Unmarshal([]byte(`"`+name+`"`), &same); same != name {
			return
		}
		picked := claims.Pick(raw, "x"+name, name)[1]
		require.Equal(t, string(members[name]), string(picked))
		var text string
		_ = json.Unmarshal(members[name], &text)
		require.Equal(t, text, claims.Text(picked))
		var list []string
		_ = json.Unmarshal(members[name], &list)
		require.Equal(t, list, claims.Texts(picked))
	})
}
