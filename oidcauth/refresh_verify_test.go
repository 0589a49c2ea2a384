package oidcauth_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/oidcauth"
	"github.com/stretchr/testify/require"
)

// Each row changes one thing in the ID token of a refresh that is otherwise good (Core §12.2).
func TestIDTokensOfRefreshes(t *testing.T) {
	now := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for _, row := range []struct {
		name   string
		change func() m
		ok     bool
	}{
		{"the same claims are accepted", func() m { return nil }, true},
		{"no nonce is accepted", func() m { return m{"nonce": nil} }, true},
		{"a null nonce is accepted as none", func() m { return m{"nonce": json.RawMessage("null")} }, true},
		{"another nonce is refused", func() m { return m{"nonce": nonce + "1"} }, false},
		{"an empty nonce is refused", func() m { return m{"nonce": ""} }, false},
		{"another sub is refused", func() m { return m{"sub": "alice1"} }, false},
		{"a missing sub is refused", func() m { return m{"sub": nil} }, false},
		{"another issuer is refused", func() m { return m{"iss": issuer + "1"} }, false},
		{"an audience without us is refused", func() m { return m{"aud": "other"} }, false},
		{"an audience that grew is accepted", func() m { return m{"aud": []string{clientID, "api"}, "azp": clientID} }, true},
		{"a foreign azp is refused", func() m { return m{"azp": "evil"} }, false},
		{"an azp that is new and ours is accepted", func() m { return m{"azp": clientID} }, true},
		{"an iat of the login is accepted", func() m { return m{"iat": now(-8 * time.Hour)} }, true},
		{"an iat before the login's, within the skew, is accepted", func() m { return m{"iat": now(-8*time.Hour - time.Minute)} }, true},
		{"an earlier iat is refused", func() m { return m{"iat": now(-8*time.Hour - 61*time.Second)} }, false},
		{"an iat in the future is refused", func() m { return m{"iat": now(time.Hour)} }, false},
		{"a missing iat is refused", func() m { return m{"iat": nil} }, false},
		{"an expired token is refused", func() m { return m{"exp": now(-time.Hour)} }, false},
		{"an auth_time that moved is accepted", func() m { return m{"auth_time": now(-time.Second)} }, true},
		{"an auth_time in the future is accepted", func() m { return m{"auth_time": now(time.Hour)} }, true},
		{"an at_hash of the new access token is accepted", func() m { return m{"at_hash": atHash("at-2")} }, true},
		{"an at_hash of the old access token is refused", func() m { return m{"at_hash": atHash("at-1")} }, false},
		{"an event token is refused", func() m { return m{"events": m{}} }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				want := oidcauth.RefreshExpectation{Subject: "alice", Nonce: nonce, IssuedAt: time.Now().Add(-8 * time.Hour), AccessToken: "at-2"}
				raw := sign(rsaKey(), header, with(claims(), row.change()))
				token, err := newFakeOP(t).verifier().Refresh(background(), raw, want)
				if !row.ok {
					requireTokenError(t, err)
					return
				}
				require.NoError(t, err)
				require.Equal(t, "alice", token.Subject)
				require.True(t, token.AuthTime.IsZero(), "a refresh freshens nothing")
			})
		})
	}
}

func TestARefreshStaysInItsTenant(t *testing.T) {
	const one, two = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
	op := newFakeOP(t)
	op.metadata["issuer"] = issuer + "/{tenantid}"
	verifier := op.verifier(func(c *oidcauth.Config) { c.Issuer, c.Tenants = issuer+"/{tenantid}", []string{one, two} })
	op.handleFunc("/organizations"+discovery, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, op.metadata) })
	want := oidcauth.RefreshExpectation{Issuer: issuer + "/" + one, Subject: "alice", Nonce: nonce, IssuedAt: time.Now()}
	of := func(tenant string) string {
		return sign(rsaKey(), header, with(claims(), m{"iss": issuer + "/" + tenant, "tid": tenant}))
	}
	_, err := verifier.Refresh(background(), of(one), want)
	require.NoError(t, err)
	_, err = verifier.Refresh(background(), of(two), want)
	requireTokenError(t, err)
}

func TestARefreshedTokenNeedsASignature(t *testing.T) {
	want := oidcauth.RefreshExpectation{Subject: "alice", Nonce: nonce, IssuedAt: time.Now()}
	op := newFakeOP(t)
	_, err := op.verifier().Refresh(background(), sign(otherRSA(), header, claims()), want)
	requireTokenError(t, err)
	op.handle("/jwks", 500, "", "")
	_, err = op.verifier().Refresh(background(), sign(rsaKey(), header, claims()), want)
	requireUnavailable(t, err)
}
