package provider_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/providertest"
)

// What becomes of a session by the ID token of a refresh.
var (
	errNotKept = errors.New("goes on with the claims of the login") // any error that is none of the others
	otherLogin = provider.ErrOtherLogin
	forged     = provider.ErrForged
)

// requireVerdict compares an error with what becomes of the session.
func requireVerdict(t *testing.T, want, err error) {
	t.Helper()
	if want == nil {
		require.NoError(t, err)
		return
	}
	if unavailable := new(pace.Outage); !errors.As(err, &unavailable) {
		requireTokenError(t, err)
	}
	require.Equal(t, errors.Is(want, otherLogin), errors.Is(err, otherLogin), "%v", err)
	require.Equal(t, errors.Is(want, forged), errors.Is(err, forged), "%v", err)
}

// Each row changes one thing in the ID token of a refresh that is otherwise good (Core §12.2).
func TestIDTokensOfRefreshes(t *testing.T) {
	now := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for _, row := range []struct {
		name    string
		change  func() m
		verdict error
	}{
		{"the same claims are accepted", func() m { return nil }, nil},
		{"no nonce is accepted", func() m { return m{"nonce": nil} }, nil},
		{"a null nonce is accepted as none", func() m { return m{"nonce": raw("null")} }, nil},
		{"another nonce is another login's", func() m { return m{"nonce": nonce + "1"} }, otherLogin},
		{"an empty nonce is another login's", func() m { return m{"nonce": ""} }, otherLogin},
		{"a nonce that is a list is another login's", func() m { return m{"nonce": []string{nonce}} }, otherLogin},
		{"another sub is another login's", func() m { return m{"sub": "alice1"} }, otherLogin},
		{"a sub in another case is another login's", func() m { return m{"sub": "Alice"} }, otherLogin},
		{"a sub that is another number is another login's", func() m { return m{"sub": 7} }, otherLogin},
		{"a missing sub is not kept", func() m { return m{"sub": nil} }, errNotKept},
		{"another issuer is another login's", func() m { return m{"iss": issuer + "1"} }, otherLogin},
		{"a missing issuer is not kept", func() m { return m{"iss": nil} }, errNotKept},
		{"an audience without us is another login's", func() m { return m{"aud": "other"} }, otherLogin},
		{"an empty audience is another login's", func() m { return m{"aud": []string{}} }, otherLogin},
		{"an audience that is an object is another login's", func() m { return m{"aud": m{clientID: true}} }, otherLogin},
		{"a missing audience is not kept", func() m { return m{"aud": nil} }, errNotKept},
		{"an audience list with us and a number is not kept", func() m { return m{"aud": []any{clientID, 7}, "azp": clientID} }, errNotKept},
		{"an audience that grew is accepted", func() m { return m{"aud": []string{clientID, "api"}, "azp": clientID} }, nil},
		{"an audience that grew without azp is not kept", func() m { return m{"aud": []string{clientID, "api"}} }, errNotKept},
		{"a foreign azp is another login's", func() m { return m{"azp": "evil"} }, otherLogin},
		{"an azp that is new and ours is accepted", func() m { return m{"azp": clientID} }, nil},
		{"an iat of the login is accepted", func() m { return m{"iat": now(-8 * time.Hour)} }, nil},
		{"an iat before the login's, within the skew, is accepted", func() m { return m{"iat": now(-8*time.Hour - time.Minute)} }, nil},
		{"an earlier iat is not kept", func() m { return m{"iat": now(-8*time.Hour - 61*time.Second)} }, errNotKept},
		{"an iat in the future is not kept", func() m { return m{"iat": now(2 * time.Minute)} }, errNotKept},
		{"a missing iat is not kept", func() m { return m{"iat": nil} }, errNotKept},
		{"an expired token is not kept", func() m { return m{"exp": now(-time.Hour)} }, errNotKept},
		{"a missing exp is not kept", func() m { return m{"exp": nil} }, errNotKept},
		{"an exp in a string is not kept", func() m { return m{"exp": "9999999999"} }, errNotKept},
		{"an nbf ahead is not kept", func() m { return m{"nbf": now(2 * time.Minute)} }, errNotKept},
		{"an auth_time that moved is accepted", func() m { return m{"auth_time": now(-time.Second)} }, nil},
		{"an auth_time in the future is accepted", func() m { return m{"auth_time": now(time.Hour)} }, nil},
		{"an amr that is an object is not kept", func() m { return m{"amr": m{}} }, errNotKept},
		{"an acr that is a number is not kept", func() m { return m{"acr": 2} }, errNotKept},
		{"a long sid is not kept", func() m { return m{"sid": strings.Repeat("s", 513)} }, errNotKept},
		{"a claim that is too much like another is not kept", func() m { return m{"SUB": "alice"} }, errNotKept},
		{"an at_hash of the new access token is accepted", func() m { return m{"at_hash": atHash("at-2")} }, nil},
		{"an at_hash of the old access token is not kept", func() m { return m{"at_hash": atHash("at-1")} }, errNotKept},
		{"an event token is not kept", func() m { return m{"events": m{}} }, errNotKept},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				want := provider.RefreshExpectation{Subject: "alice", Nonce: nonce, IssuedAt: time.Now().Add(-8 * time.Hour), AccessToken: "at-2"}
				claimed := with(claims(), row.change())
				op := providertest.New(t)
				token, err := op.Verifier().Refresh(background(), sign(rsaKey(), header, claimed), want)
				requireVerdict(t, row.verdict, err)
				if row.verdict == nil {
					require.Equal(t, "alice", token.Subject)
					require.True(t, token.AuthTime.IsZero(), "a refresh freshens nothing")
				}

				// The same claims in a token that can't be verified, or was signed by somebody else.
				unverified, forgery := row.verdict, row.verdict
				if !errors.Is(row.verdict, otherLogin) {
					unverified, forgery = errNotKept, forged
				}
				_, err = op.Verifier().Refresh(background(), sign(otherRSA(), m{"alg": "RS256", "kid": "of tomorrow"}, claimed), want)
				requireVerdict(t, unverified, err)
				_, err = op.Verifier().Refresh(background(), sign(otherRSA(), header, claimed), want)
				requireVerdict(t, forgery, err)
				op.Handle("/jwks", 500, "", "")
				_, err = op.Verifier().Refresh(background(), sign(rsaKey(), header, claimed), want)
				requireVerdict(t, unverified, err)
			})
		})
	}
}

// Tokens whose flaw is in their form, not in a claim.
func TestFormsOfIDTokensOfRefreshes(t *testing.T) {
	twice := func(names string) string {
		return strings.Replace(string(must(json.Marshal(claims()))), "{", "{"+names+",", 1)
	}
	unsigned := func(alg string) string { return segment(m{"alg": alg}) + "." + segment(claims()) + "." }
	good := sign(rsaKey(), header, claims())
	for _, row := range []struct {
		name, token string
		verdict     error
	}{
		{"none", unsigned("none"), forged},
		{"nOnE", unsigned("nOnE"), forged},
		{"an HMAC", unsigned("HS256"), forged},
		{"another algorithm", sign(ecKey(), m{"alg": "ES256", "kid": "k1"}, claims()), forged},
		{"no algorithm", segment(m{"kid": "k1"}) + "." + segment(claims()) + ".c2ln", forged},
		{"an algorithm that is a number", segment(m{"alg": 7}) + "." + segment(claims()) + ".c2ln", forged},
		{"no signature under a known kid", good[:strings.LastIndex(good, ".")+1], forged},
		{"a foreign key without kid", sign(otherRSA(), m{"alg": "RS256"}, claims()), errNotKept},
		{"our key without kid", sign(rsaKey(), m{"alg": "RS256"}, claims()), nil},
		{"words", "nonsense", errNotKept},
		{"nothing between dots", "..", errNotKept},
		{"five parts", "a.b.c.d.e", errNotKept},
		{"a token beyond all bounds", good + strings.Repeat("a", jwt.MaxToken), errNotKept},
		{"sub twice, the same", sign(rsaKey(), header, twice(`"sub":"alice"`)), errNotKept},
		{"sub twice, another", sign(rsaKey(), header, twice(`"sub":"mallory"`)), otherLogin},
		{"aud twice, another", sign(rsaKey(), header, twice(`"aud":"other"`)), otherLogin},
		{"another sub, then nonsense", segment(header) + "." + segment(`{"sub":"mallory","x":`) + ".c2ln", otherLogin},
		{"a token without kid, and another's keys without", "kidless", errNotKept},
		{"a foreign key, and a claim twice", sign(otherRSA(), header, twice(`"sub":"alice"`)), forged},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := providertest.New(t)
			if row.token == "kidless" {
				op.Publish(jwkOf(rsaKey().Public(), ""))
				row.token = sign(otherRSA(), m{"alg": "RS256"}, claims())
			}
			_, err := op.Verifier().Refresh(background(), row.token, provider.RefreshExpectation{Subject: "alice", Nonce: nonce, IssuedAt: time.Now()})
			requireVerdict(t, row.verdict, err)
		})
	}
}

// Nodes that rotate one by one, and caches: refreshes that name a key of tomorrow must not keep logins from looking for it.
func TestRefreshesWithUnknownKeysLeaveLoginsTheirRefetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		v := op.Verifier()
		tomorrow := m{"alg": "RS256", "kid": "of tomorrow"}
		want := provider.RefreshExpectation{Subject: "alice", Nonce: nonce, IssuedAt: time.Now()}
		for range 50 {
			_, err := v.Refresh(background(), sign(otherRSA(), tomorrow, claims()), want)
			requireVerdict(t, errNotKept, err)
			_, err = v.Refresh(background(), sign(otherRSA(), header, claims()), want)
			require.Error(t, err)
		}
		require.LessOrEqual(t, op.Hits("/jwks"), 7, "the refetches are braked")
		_, err := v.Refresh(background(), sign(otherRSA(), header, claims()), want)
		requireVerdict(t, errNotKept, err) // nobody knows, for the keys may be old
		op.Publish(jwkOf(rsaKey().Public(), "k1"), jwkOf(otherRSA().Public(), "of tomorrow"))
		_, err = v.Login(background(), sign(otherRSA(), tomorrow, claims()), expectation())
		require.NoError(t, err)
	})
}

func TestARefreshStaysInItsTenant(t *testing.T) {
	const one, two = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
	op := providertest.New(t)
	op.Metadata["issuer"] = issuer + "/{tenantid}"
	verifier := op.Verifier(func(c *providertest.Config) { c.Issuer, c.Tenants = issuer+"/{tenantid}", []string{one, two} })
	op.HandleFunc("/organizations"+discovery, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, op.Metadata) })
	want := provider.RefreshExpectation{Issuer: issuer + "/" + one, Subject: "alice", Nonce: nonce, IssuedAt: time.Now()}
	of := func(tenant string) string {
		return sign(rsaKey(), header, with(claims(), m{"iss": issuer + "/" + tenant, "tid": tenant}))
	}
	_, err := verifier.Refresh(background(), of(one), want)
	require.NoError(t, err)
	_, err = verifier.Refresh(background(), of(two), want)
	requireVerdict(t, otherLogin, err)
}
