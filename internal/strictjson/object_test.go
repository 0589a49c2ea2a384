package strictjson_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/strictjson"
)

func TestJSONObjectsAreReadStrictly(t *testing.T) {
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for _, row := range []struct {
		name, text string
		names      []string // nil: refused
	}{
		{"an empty object", `{}`, []string{}},
		{"white space everywhere", " {\n\"a\" :\t1 ,\r\"b\":[ ] } ", []string{"a", "b"}},
		{"every kind of value", `{"a":1,"b":-1.5e3,"c":true,"d":null,"e":"x","f":[1,"]",{}],"g":{"h":"}"}}`, []string{"a", "b", "c", "d", "e", "f", "g"}},
		{"quotes and braces in strings", `{"a":"\"}{\\","b}":"{\"b\":1}"}`, []string{"a", "b}"}},
		{"escapes in names", `{"\u0061\n\"":1}`, []string{"a\n\""}},
		{"an empty name", `{"":1}`, []string{""}},
		{"names that differ by case", `{"a":1,"A":2}`, []string{"a", "A"}},
		{"the same name in two objects", `{"a":{"x":1},"b":{"x":1},"x":[{"x":1},{"x":1}]}`, []string{"a", "b", "x"}},
		{"32 levels", nested(32), []string{"a"}},
		{"33 levels", nested(33), nil},
		{"33 levels of arrays", `{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, nil},
		{"100 000 levels", nested(100_000), nil},
		{"a name twice", `{"a":1,"a":1}`, nil},
		{"a name twice, once escaped", `{"a":1,"\u0061":1}`, nil},
		{"a name twice inside", `{"a":{"b":1,"b":1}}`, nil},
		{"a name twice inside a list", `{"a":[[{"b":1,"b":1}]]}`, nil},
		{"nothing", ``, nil},
		{"white space", ` `, nil},
		{"a list", `[{}]`, nil},
		{"a string", `"{}"`, nil},
		{"null", `null`, nil},
		{"something behind", `{}{}`, nil},
		{"a comma before", `,{}`, nil},
		{"a cut object", `{"a":1`, nil},
		{"a cut string", `{"a":"`, nil},
		{"a cut escape", `{"a":"\`, nil},
		{"a comma too many", `{"a":1,}`, nil},
		{"no comma", `{"a":1 "b":2}`, nil},
		{"no colon", `{"a" 1}`, nil},
		{"a name without quotes", `{a:1}`, nil},
		{"single quotes", `{'a':1}`, nil},
		{"a comment", `{/**/}`, nil},
		{"NaN", `{"a":NaN}`, nil},
		{"a number with a leading zero", `{"a":01}`, nil},
		{"a byte order mark", "\ufeff{}", nil},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", nil},
		{"a line end in a string", "{\"a\":\"\n\"}", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			object, err := strictjson.Parse([]byte(row.text))
			if row.names == nil {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.ElementsMatch(t, row.names, object.Names)
		})
	}
}

// Whatever is accepted means the same to encoding/json, member for member.
func FuzzJSONObject(f *testing.F) {
	for _, seed := range []string{`{}`, ` { "a" : [ 1 , { "b" : "\"}" } ] , "\u0062\\" : -1e5 } `, `{"a":{"x":null},"A":true}`, `{"a":"\ud800"}`, `{"a":1,"a":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		object, err := strictjson.Parse(bytes.Clone(text))
		if err != nil {
			return
		}
		var theirs map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &theirs))
		require.Equal(t, len(theirs), len(object.Values))
		for name, value := range theirs {
			require.Equal(t, string(value), string(object.Values[name]))
		}
	})
}
