package provider_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/providertest"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

func TestAGoodLogoutTokenIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token, err := providertest.New(t).Verifier().Logout(background(), sign(rsaKey(), logoutHeader, logoutClaims()))
		require.NoError(t, err)
		require.Equal(t, issuer, token.Issuer)
		require.Equal(t, "alice", token.Subject)
		require.Equal(t, "s-1", token.SID)
		require.Equal(t, "j-1", token.ID)
		require.True(t, time.Now().Equal(token.IssuedAt))
		require.True(t, time.Now().Add(2*time.Minute).Equal(token.Expiry))
	})
}

func TestClaimsOfLogoutTokens(t *testing.T) {
	now := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for _, row := range []struct {
		name   string
		change func() m
		ok     bool
	}{
		{"an unknown claim is accepted", func() m { return m{"x": 1} }, true},
		{"sid alone is accepted", func() m { return m{"sub": nil} }, true},
		{"sub alone is accepted", func() m { return m{"sid": nil} }, true},
		{"neither sid nor sub is refused", func() m { return m{"sid": nil, "sub": nil} }, false},
		{"an empty sid alone is refused", func() m { return m{"sid": "", "sub": nil} }, false},
		{"an empty sub is refused", func() m { return m{"sub": ""} }, false},
		{"a sub that is a number is refused", func() m { return m{"sub": 1} }, false},
		{"a missing exp is accepted", func() m { return m{"exp": nil} }, true},
		{"an exp that is past is refused", func() m { return m{"exp": now(-61 * time.Second)} }, false},
		{"an exp within the skew is accepted", func() m { return m{"exp": now(-59 * time.Second)} }, true},
		{"an exp in the year 9999 is refused", func() m { return m{"exp": 253402300799} }, false},
		{"an exp of 1e300 is refused", func() m { return m{"exp": raw("1e300")} }, false},
		{"an exp that is null is refused", func() m { return m{"exp": raw("null")} }, false},
		{"an exp in a string is refused", func() m { return m{"exp": "9999999999"} }, false},
		{"a missing iat is refused", func() m { return m{"iat": nil} }, false},
		{"an iat of five minutes and the skew ago is accepted", func() m { return m{"iat": now(-6 * time.Minute)} }, true},
		{"an older iat is refused", func() m { return m{"iat": now(-361 * time.Second)} }, false},
		{"an iat in the future is refused", func() m { return m{"iat": now(61 * time.Second)} }, false},
		{"an nbf in the future is refused", func() m { return m{"nbf": now(time.Hour)} }, false},
		{"a missing jti is refused", func() m { return m{"jti": nil} }, false},
		{"an empty jti is refused", func() m { return m{"jti": ""} }, false},
		{"a jti that is a number is refused", func() m { return m{"jti": 1} }, false},
		{"a jti of 10 kB is refused", func() m { return m{"jti": strings.Repeat("j", 10000)} }, false},
		{"a nonce is refused", func() m { return m{"nonce": nonce} }, false},
		{"an empty nonce is refused", func() m { return m{"nonce": ""} }, false},
		{"a null nonce is refused", func() m { return m{"nonce": raw("null")} }, false},
		{"Nonce in another case is refused", func() m { return m{"NONCE": nonce} }, false},
		{"no events are refused", func() m { return m{"events": nil} }, false},
		{"events that are a list are refused", func() m { return m{"events": []string{logoutEvent}} }, false},
		{"events that are a string are refused", func() m { return m{"events": logoutEvent} }, false},
		{"another event is refused", func() m { return m{"events": m{"urn:x": m{}}} }, false},
		{"an event in another case is refused", func() m { return m{"events": m{strings.ToUpper(logoutEvent): m{}}} }, false},
		{"an event that is true is refused", func() m { return m{"events": m{logoutEvent: true}} }, false},
		{"an event that is null is refused", func() m { return m{"events": m{logoutEvent: raw("null")}} }, false},
		{"an event beside another is accepted", func() m { return m{"events": m{logoutEvent: m{}, "urn:x": m{}}} }, true},
		{"another issuer is refused", func() m { return m{"iss": issuer + "1"} }, false},
		{"a missing issuer is refused", func() m { return m{"iss": nil} }, false},
		{"another audience is refused", func() m { return m{"aud": "other-client"} }, false},
		{"a missing audience is refused", func() m { return m{"aud": nil} }, false},
		{"an audience list of one is accepted", func() m { return m{"aud": []string{clientID}} }, true},
		{"an audience of two without azp is accepted", func() m { return m{"aud": []string{clientID, "other"}} }, true},
		{"an audience of two with our azp is accepted", func() m { return m{"aud": []string{"other", clientID}, "azp": clientID} }, true},
		{"an audience of two others is refused", func() m { return m{"aud": []string{"other", "third"}} }, false},
		{"an audience of two with a foreign azp is refused", func() m { return m{"aud": []string{clientID, "other"}, "azp": "other"} }, false},
		{"an azp that is no text is refused", func() m { return m{"azp": 1} }, false},
		{"an event that is an empty text is refused", func() m { return m{"events": m{logoutEvent: ""}} }, false},
		{"a foreign azp is refused", func() m { return m{"azp": "evil"} }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				op := providertest.New(t)
				_, err := op.Verifier().Logout(background(), sign(rsaKey(), logoutHeader, with(logoutClaims(), row.change())))
				if row.ok {
					require.NoError(t, err)
					return
				}
				requireTokenError(t, err)
				require.Zero(t, op.Hits("/jwks"), "what needs no key is looked at first")
			})
		})
	}
}

func TestHeadersOfLogoutTokens(t *testing.T) {
	for _, row := range []struct {
		name string
		raw  func() string
		ok   bool
	}{
		{"no typ is accepted", func() string { return sign(rsaKey(), with(logoutHeader, m{"typ": nil}), logoutClaims()) }, true},
		{"typ JWT is accepted", func() string { return sign(rsaKey(), with(logoutHeader, m{"typ": "JWT"}), logoutClaims()) }, true},
		{"the long typ in odd case is accepted", func() string {
			return sign(rsaKey(), with(logoutHeader, m{"typ": "application/Logout+JWT"}), logoutClaims())
		}, true},
		{"an access token's typ is refused", func() string { return sign(rsaKey(), with(logoutHeader, m{"typ": "at+jwt"}), logoutClaims()) }, false},
		{"alg none is refused", func() string { return segment(m{"alg": "none"}) + "." + segment(logoutClaims()) + "." }, false},
		{"ES256 with a published key is refused", func() string { return sign(ecKey(), m{"alg": "ES256", "kid": "ec"}, logoutClaims()) }, false},
		{"another key's signature is refused", func() string { return sign(otherRSA(), logoutHeader, logoutClaims()) }, false},
		{"a crit header is refused", func() string {
			return sign(rsaKey(), with(logoutHeader, m{"crit": []string{"x"}, "x": 1}), logoutClaims())
		}, false},
		{"a real ID token is refused", func() string { return sign(rsaKey(), header, claims()) }, false},
		{"an ID token with an events claim is refused", func() string {
			return sign(rsaKey(), header, with(claims(), m{"events": m{logoutEvent: m{}}, "jti": "j"}))
		}, false},
		{"5 MB are refused", func() string { return strings.Repeat("a", 5<<20) }, false},
		{"nothing is refused", func() string { return "" }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := providertest.New(t)
			op.Publish(jwkOf(rsaKey().Public(), "k1"), jwkOf(ecKey().Public(), "ec"))
			_, err := op.Verifier().Logout(background(), row.raw())
			if row.ok {
				require.NoError(t, err)
			} else {
				requireTokenError(t, err)
			}
		})
	}
}
