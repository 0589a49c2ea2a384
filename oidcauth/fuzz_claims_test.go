package oidcauth_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	claimspkg "github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/oidcauth"
)

// Whatever a document says of its sources: they are few, each is of one type, and no claim has two.
func FuzzClaimSources(f *testing.F) {
	for _, seed := range []string{
		`{"_claim_names":{"score":"src1"},"_claim_sources":{"src1":{"JWT":"a.b.c"}}}`,
		`{"_claim_names":{"score":"src1","sub":"src1","x":"src2"},"_claim_sources":{"src1":{"endpoint":"https://a.example/","access_token":"t"}}}`,
		`{"_claim_names":{"a":"1","b":"2","c":"3","d":"4","e":"5","f":"6","g":"7","h":"8","i":"9"},"_claim_sources":{}}`,
		`{"_claim_names":{"score":""},"_claim_sources":{"":{"JWT":"a"}}}`, `{"_claim_names":{"a":"b"}}`, `{"_claim_names":[],"_claim_sources":[]}`,
		`{"_claim_names":{"a":"b","\u0061":"c"},"_claim_sources":{"b":{"JWT":"x","endpoint":"y"}}}`, `{"_claim_sources":null,"_claim_names":null}`,
		`{"_claim_names":{"a":"b"},"_claim_sources":{"b":{"endpoint":"x","access_token":"a\r\nb"}}}`, `[`, ``,
	} {
		f.Add([]byte(seed))
	}
	unwanted := func(name string) bool { return name == "sub" || name == "acr" }
	f.Fuzz(func(t *testing.T, document []byte) {
		sources, err := oidcauth.ParseClaimSources(document, func(name string) bool { return !unwanted(name) })
		if err != nil {
			require.Less(t, len(err.Error()), 1000)
			return
		}
		require.LessOrEqual(t, len(sources), oidcauth.MaxClaimSources)
		names, taken := map[string]bool{}, map[string]bool{}
		for _, s := range sources {
			require.NotEmpty(t, s.Name)
			require.False(t, names[s.Name], "a source comes once")
			names[s.Name] = true
			require.NotEmpty(t, s.Claims)
			require.NotEqual(t, s.JWT == "", s.Endpoint == "", "of one type")
			require.Regexp(t, `^[!-~]*$`, s.AccessToken)
			for _, claim := range s.Claims {
				require.False(t, taken[claim], "a claim has one source")
				require.False(t, unwanted(claim))
				taken[claim] = true
			}
		}
		merged, err := claimspkg.MergeSourced(json.RawMessage(`{"sub":"alice","acr":"low","email":"a@x"}`), document)
		if err != nil {
			return
		}
		var after lenient
		require.NoError(t, json.Unmarshal(merged, &after))
		require.Equal(t, lenient{Subject: "alice", ACR: "low"}, after, "no protocol claim changes")
		members, err := oidcauth.ParseMembers(merged)
		require.NoError(t, err)
		require.JSONEq(t, `"a@x"`, string(members["email"]))
		require.NotContains(t, members, "email_verified")
	})
}
