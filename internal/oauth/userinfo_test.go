package oauth_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/providertest"
)

var bearer = &oauth.TokenAnswer{AccessToken: "at-4711-of-alice", TokenType: "Bearer"}

func TestUserinfoIsFetchedWithTheAccessToken(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/userinfo", 200, "application/json", `{"sub":"alice","name":"Alice"}`)
	claims, err := op.Endpoint().Userinfo(background(), bearer, "alice")
	require.NoError(t, err)
	require.JSONEq(t, `{"sub":"alice","name":"Alice"}`, string(claims))
	r := op.Last("/userinfo")
	require.Equal(t, "GET", r.Method)
	require.Equal(t, "Bearer at-4711-of-alice", r.Header.Get("Authorization"))
	require.Empty(t, r.URL.RawQuery)
}

func TestWithoutAnEndpointThereIsNoUserinfo(t *testing.T) {
	op := providertest.New(t)
	delete(op.Metadata, "userinfo_endpoint")
	claims, err := op.Endpoint().Userinfo(background(), bearer, "alice")
	require.NoError(t, err)
	require.Nil(t, claims)
}

func TestPlainUserinfoAnswers(t *testing.T) {
	for _, row := range []struct {
		name        string
		status      int
		contentType string
		body        string
		ok          bool
	}{
		{"an unnamed content type is accepted", 200, "", `{"sub":"alice"}`, true},
		{"a member called error is accepted", 200, "application/json", `{"sub":"alice","error":"margin"}`, true},
		{"another sub is refused", 200, "application/json", `{"sub":"aliceinvalid"}`, false},
		{"sub in another case is refused", 200, "application/json", `{"sub":"ALICE"}`, false},
		{"a missing sub is refused", 200, "application/json", `{"name":"Alice"}`, false},
		{"a null sub is refused", 200, "application/json", `{"sub":null}`, false},
		{"a sub twice is refused", 200, "application/json", `{"sub":"bob","sub":"alice"}`, false},
		{"SUB beside sub is refused", 200, "application/json", `{"sub":"alice","SUB":"bob"}`, false},
		{"a list is refused", 200, "application/json", `[{"sub":"alice"}]`, false},
		{"a string is refused", 200, "application/json", `"alice"`, false},
		{"HTML is refused", 200, "text/html", `<html>`, false},
		{"nothing is refused", 200, "application/json", ``, false},
		{"2 MiB are refused", 200, "application/json", `{"sub":"alice","x":"` + strings.Repeat("a", 2<<20) + `"}`, false},
		{"10 000 levels are refused", 200, "application/json", `{"sub":"alice","x":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`, false},
		{"a 500 is refused", 500, "application/json", `{"sub":"alice"}`, false},
		{"a redirect is refused", 302, "application/json", `{"sub":"alice"}`, false},
		{"a JWT that calls itself JSON is refused", 200, "application/json", sign(rsaKey(), header, m{"sub": "alice"}), false},
		{"JSON that calls itself a JWT is refused", 200, "application/jwt", `{"sub":"alice"}`, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := providertest.New(t)
			op.Handle("/userinfo", row.status, row.contentType, row.body)
			claims, err := op.Endpoint().Userinfo(background(), bearer, "alice")
			if row.ok {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.Nil(t, claims)
			require.NotContains(t, err.Error(), "at-4711")
			require.Less(t, len(err.Error()), 400)
		})
	}
}

func TestA401NamesTheWayOut(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/userinfo", 401, "text/plain", "at-4711-of-alice is bad")
	_, err := op.Endpoint().Userinfo(background(), bearer, "alice")
	failed := requireEndpointError(t, err)
	require.Equal(t, 401, failed.Status)
	require.ErrorContains(t, err, `set Config.UserInfo to UserInfoOff`)
	require.NotContains(t, err.Error(), "at-4711")
}

func TestSignedUserinfo(t *testing.T) {
	full := func() m { return m{"sub": "alice", "iss": issuer, "aud": clientID, "name": "Alice"} }
	for _, row := range []struct {
		name string
		jwt  func() string
		ok   bool
	}{
		{"a good one is accepted", func() string { return sign(rsaKey(), header, full()) }, true},
		{"without iss and aud it is accepted", func() string { return sign(rsaKey(), header, m{"sub": "alice"}) }, true},
		{"an audience among others with azp is accepted", func() string {
			return sign(rsaKey(), header, with(full(), m{"aud": []string{"x", clientID}, "azp": clientID}))
		}, true},
		{"a line end behind it is accepted", func() string { return sign(rsaKey(), header, full()) + "\n" }, true},
		{"another sub is refused", func() string { return sign(rsaKey(), header, with(full(), m{"sub": "bob"})) }, false},
		{"another issuer is refused", func() string { return sign(rsaKey(), header, with(full(), m{"iss": "https://evil.example"})) }, false},
		{"another audience is refused", func() string { return sign(rsaKey(), header, with(full(), m{"aud": "other"})) }, false},
		{"a null audience is refused", func() string { return sign(rsaKey(), header, with(full(), m{"aud": json.RawMessage("null")})) }, false},
		{"alg none is refused", func() string { return segment(m{"alg": "none"}) + "." + segment(full()) + "." }, false},
		{"another published key's alg is refused", func() string { return sign(ecKey(), m{"alg": "ES256", "kid": "ec"}, full()) }, false},
		{"another key's signature is refused", func() string { return sign(otherRSA(), header, full()) }, false},
		{"the login's ID token is refused", func() string { return sign(rsaKey(), header, claims()) }, false},
		{"a logout token is refused", func() string { return sign(rsaKey(), logoutHeader, logoutClaims()) }, false},
		{"a logout token without typ is refused", func() string { return sign(rsaKey(), header, logoutClaims()) }, false},
		{"an access token is refused", func() string { return sign(rsaKey(), with(header, m{"typ": "at+jwt"}), full()) }, false},
		{"an expired one is refused", func() string { return sign(rsaKey(), header, with(full(), m{"exp": time.Now().Unix() - 600})) }, false},
		{"one of the future is refused", func() string { return sign(rsaKey(), header, with(full(), m{"nbf": time.Now().Unix() + 600})) }, false},
		{"an encrypted one is refused", func() string { return segment(m{"alg": "RSA-OAEP-256", "enc": "A256GCM"}) + ".a.b.c.d" }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := providertest.New(t)
			op.Publish(jwkOf(rsaKey().Public(), "k1"), jwkOf(ecKey().Public(), "ec"))
			op.Handle("/userinfo", 200, "Application/JWT; charset=utf-8", row.jwt())
			claims, err := op.Endpoint().Userinfo(background(), bearer, "alice")
			if row.ok {
				require.NoError(t, err)
				require.Contains(t, string(claims), `"sub":"alice"`)
				return
			}
			requireTokenError(t, err)
			require.Nil(t, claims)
		})
	}
}

func TestUserinfoWithoutKeysIsAnOutage(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/jwks", 500, "", "")
	op.Handle("/userinfo", 200, "application/jwt", sign(rsaKey(), header, m{"sub": "alice"}))
	_, err := op.Endpoint().Userinfo(background(), bearer, "alice")
	requireUnavailable(t, err)
}
