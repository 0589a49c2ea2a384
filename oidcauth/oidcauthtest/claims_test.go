package oidcauthtest_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

func TestSourcesOfClaims(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://bureau.test/tenant/"})
	claims := map[string]any{"score": 650, "iss": "https://evil.test"}
	bent := func(tok *oidcauthtest.Token) { tok.Claims.Set("bent", tok.ClientID) }
	aggregated := p.AggregatedSource("app", claims, bent)
	distributed := p.DistributedSource("app", claims, bent)
	require.Equal(t, "https://bureau.test/tenant/claims", distributed["endpoint"])

	ask := func(method, authorization string) (*http.Response, string) {
		r, err := http.NewRequest(method, distributed["endpoint"].(string), http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", authorization)
		res, err := p.Client().Do(r)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, string(body)
	}
	res, answer := ask(http.MethodGet, "Bearer "+distributed["access_token"].(string))
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "application/jwt", res.Header.Get("Content-Type"))
	for _, compact := range []string{aggregated["JWT"].(string), answer} {
		token := oidcauthtest.ParseToken(compact)
		require.Equal(t, p.Issuer(), token.Claims.Text("iss"), "a protocol claim is not the caller's")
		require.Equal(t, "app", token.Claims.Text("aud"))
		require.Equal(t, "app", token.Claims.Text("bent"))
		require.EqualValues(t, 650, token.Claims.Get("score"))
		require.Equal(t, p.Key().ID, token.Header.Text("kid"))
	}
	for _, wrong := range []string{"", "Bearer x", "Basic " + distributed["access_token"].(string)} {
		res, _ := ask(http.MethodGet, wrong)
		require.Equal(t, http.StatusUnauthorized, res.StatusCode, wrong)
	}
	res, _ = ask(http.MethodPost, "Bearer "+distributed["access_token"].(string))
	require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode)
}

func TestATokenNamesItsSources(t *testing.T) {
	tok := new(oidcauthtest.Token)
	tok.AddSource("src1", map[string]any{"JWT": "a.b.c"}, "score", "address")
	tok.AddSource("src2", 7, "licence")
	require.JSONEq(t, `{"_claim_names":{"score":"src1","address":"src1","licence":"src2"},"_claim_sources":{"src1":{"JWT":"a.b.c"},"src2":7}}`,
		string(tok.Claims.Bytes()))
}
