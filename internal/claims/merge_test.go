package claims_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/claims"
)

// What takes the square of its length takes minutes for this one.
func TestNamesOfManyDotsAreCheap(t *testing.T) {
	name := strings.Repeat(".", 4<<20)
	for _, row := range [][2]string{{`{"` + name + `":1}`, `{}`}, {`{"sub":"a"}`, `{"` + name + `":1}`}} {
		got, err := claims.Merge(json.RawMessage(row[0]), json.RawMessage(row[1]))
		require.NoError(t, err)
		require.Equal(t, row[0], string(got))
	}
}

func TestMergedClaims(t *testing.T) {
	for _, row := range []struct{ name, idToken, userinfo, want string }{
		{"userinfo adds what the ID token lacks", `{"sub":"a"}`, `{"sub":"a","name":"Alice"}`, `{"sub":"a","name":"Alice"}`},
		{"userinfo replaces nothing that was signed", `{"sub":"a","email":"signed@x"}`, `{"email":"other@x"}`, `{"sub":"a","email":"signed@x"}`},
		{"protocol claims never come from userinfo", `{"sub":"a"}`,
			`{"iss":"e","aud":"e","exp":9,"iat":9,"nonce":"e","sid":"e","acr":"e","amr":["e"],"auth_time":9,"azp":"e","at_hash":"e","session_expiry":9,"events":{}}`, `{"sub":"a"}`},
		{"nor in another spelling", `{"sub":"a"}`, `{"SUB":"b","ACR":"gold","ſid":"x"}`, `{"sub":"a"}`},
		{"without userinfo the ID token's claims stay as they are", `{ "sub": "a" }`, ``, `{ "sub": "a" }`},
		{"the result is compact and in order", `{ "sub" : "a" }`, `{"z": [1, 2], "b": {"c": null}}`, `{"sub":"a","z":[1,2],"b":{"c":null}}`},
		{"odd names stay what they are", `{"sub":"a"}`, `{"a\"<b>\u2028":1}`, `{"sub":"a","a\"\u003cb\u003e\u2028":1}`},
		{"a path through a claim that was signed adds nothing", `{"sub":"a","realm":{"roles":["user"]}}`, `{"realm.roles":["admin"]}`, `{"sub":"a","realm":{"roles":["user"]}}`},
		{"nor does the beginning of a name that was signed", `{"a.b.c":1}`, `{"a":{"b.c":2},"a.b":{"c":2}}`, `{"a.b.c":1}`},
		{"nor one with many dots", `{"a.b.1.2.3.4.5.6.7.8.9":1}`, `{"a":2,"a.b":2,"a.b.1.2.3.4.5.6.7":2,"a.b.1.2.3.4.5.6.7.8":2}`, `{"a.b.1.2.3.4.5.6.7.8.9":1}`},
		{"a name of up to eight dots is added", `{"sub":"a"}`, `{"1.2.3.4.5.6.7.8.9":1,"1.2.3.4.5.6.7.8.9.10":1}`, `{"sub":"a","1.2.3.4.5.6.7.8.9":1}`},
		{"a name of up to 256 bytes is added", `{}`, `{"` + strings.Repeat("x", 256) + `":1,"` + strings.Repeat("y", 257) + `":1}`, `{"` + strings.Repeat("x", 256) + `":1}`},
		{"empty objects make an empty object", `{}`, `{}`, `{}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			var userinfo json.RawMessage
			if row.userinfo != "" {
				userinfo = json.RawMessage(row.userinfo)
			}
			got, err := claims.Merge(json.RawMessage(row.idToken), userinfo)
			require.NoError(t, err)
			require.Equal(t, row.want, string(got))
		})
	}
	_, err := claims.Merge(json.RawMessage(`{"sub":"a"}`), json.RawMessage(`[]`))
	require.Error(t, err)
}
