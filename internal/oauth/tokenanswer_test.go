package oauth_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/oauth"
)

func TestTokenAnswers(t *testing.T) {
	const base = `"access_token":"at","token_type":"Bearer"`
	for _, row := range []struct {
		name, body string
		ok         bool
	}{
		{"the least is accepted", `{` + base + `}`, true},
		{"an unknown member is accepted", `{` + base + `,"x":[1]}`, true},
		{"a null refresh token is accepted", `{` + base + `,"refresh_token":null}`, true},
		{"a scope in a list is accepted", `{` + base + `,"scope":["a","b"]}`, true},
		{"a scope of an odd type is accepted", `{` + base + `,"scope":7}`, true},
		{"bEaReR is accepted", `{"access_token":"at","token_type":"bEaReR"}`, true},
		{"a missing token_type is refused", `{"access_token":"at"}`, false},
		{"an empty token_type is refused", `{"access_token":"at","token_type":""}`, false},
		{"token_type mac is refused", `{"access_token":"at","token_type":"mac"}`, false},
		{"token_type N_A is refused", `{"access_token":"at","token_type":"N_A"}`, false},
		{"token_type DPoP unasked is refused", `{"access_token":"at","token_type":"DPoP"}`, false},
		{"token_type Bearer with more is refused", `{"access_token":"at","token_type":"Bearer "}`, false},
		{"a token_type that is a list is refused", `{"access_token":"at","token_type":["Bearer"]}`, false},
		{"a missing access token is refused", `{"token_type":"Bearer"}`, false},
		{"an empty access token is refused", `{"access_token":"","token_type":"Bearer"}`, false},
		{"an access token that is a number is refused", `{"access_token":7,"token_type":"Bearer"}`, false},
		{"an access token with a line end is refused", `{"access_token":"a\r\nX: y","token_type":"Bearer"}`, false},
		{"an access token with a space is refused", `{"access_token":"a b","token_type":"Bearer"}`, false},
		{"an access token beyond ASCII is refused", `{"access_token":"é","token_type":"Bearer"}`, false},
		{"a refresh token with a line end is refused", `{` + base + `,"refresh_token":"a\r\nb"}`, false},
		{"a refresh token with DEL is refused", `{` + base + `,"refresh_token":"a\u007f"}`, false},
		{"a refresh token beyond ASCII is refused", `{` + base + `,"refresh_token":"é"}`, false},
		{"an ID token with a space is refused", `{` + base + `,"id_token":"a.b .c"}`, false},
		{"a refresh token that is an object is refused", `{` + base + `,"refresh_token":{}}`, false},
		{"an ID token that is a list is refused", `{` + base + `,"id_token":["a.b.c"]}`, false},
		{"another case of a name doesn't count", `{"Access_Token":"at","token_type":"Bearer"}`, false},
		{"an access token twice is refused", `{"access_token":"at2",` + base + `}`, false},
		{"a name twice deep inside is refused", `{` + base + `,"x":{"y":[{"z":1,"z":2}]}}`, false},
		{"expires_in that is true is refused", `{` + base + `,"expires_in":true}`, false},
		{"expires_in that is words is refused", `{` + base + `,"expires_in":"soon"}`, false},
		{"expires_in NaN in a string is refused", `{` + base + `,"expires_in":"NaN"}`, false},
		{"expires_in that is an object is refused", `{` + base + `,"expires_in":{}}`, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			answer, err := oauth.ParseTokenAnswer([]byte(row.body), time.Now(), false)
			if !row.ok {
				require.Error(t, err)
				require.Nil(t, answer)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "at", answer.AccessToken)
			require.Equal(t, "Bearer", answer.TokenType)
			require.Empty(t, answer.RefreshToken)
		})
	}
}

// It goes into forms only, which can carry a space.
func TestARefreshTokenMayHoldSpaces(t *testing.T) {
	for _, token := range []string{"a b", " a", "a ", `a"\\b`, "~!"} {
		answer, err := oauth.ParseTokenAnswer(fmt.Appendf(nil, `{"access_token":"at","token_type":"Bearer","refresh_token":%q}`, token), time.Now(), false)
		require.NoError(t, err)
		require.Equal(t, token, answer.RefreshToken)
	}
}

func TestExpiresIn(t *testing.T) {
	const month = 30 * 24 * time.Hour
	received := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, life := range map[string]time.Duration{
		"3600": time.Hour, `"3600"`: time.Hour, `" 3600 "`: time.Hour, "1.5": 1500 * time.Millisecond, `"1.5"`: 1500 * time.Millisecond,
		"3.6e3": time.Hour, "0": 0, "-5": 0, `"-5"`: 0, "-1e300": 0, "1e12": month, "1e300": month, "1e400": month, `"Infinity"`: month, "2592001": month,
	} {
		answer, err := oauth.ParseTokenAnswer(fmt.Appendf(nil, `{"access_token":"at","token_type":"Bearer","expires_in":%s}`, value), received, false)
		require.NoError(t, err, value)
		require.Equal(t, received.Add(life), answer.Expiry, value)
	}
	for _, absent := range []string{"", `,"expires_in":null`} {
		answer, err := oauth.ParseTokenAnswer([]byte(`{"access_token":"at","token_type":"Bearer"`+absent+`}`), received, false)
		require.NoError(t, err)
		require.True(t, answer.Expiry.IsZero(), "the caller's default applies")
	}
}

func TestATokenTypeOtherThanTheOneAskedForIsRefused(t *testing.T) {
	for _, row := range []struct {
		typ  string
		dpop bool
		ok   bool
	}{{"DPoP", true, true}, {"dPOP", true, true}, {"Bearer", true, false}, {"", true, false}, {"dPOP", false, false}, {"bearer", false, true}} {
		answer, err := oauth.ParseTokenAnswer(fmt.Appendf(nil, `{"access_token":"at","token_type":%q}`, row.typ), time.Now(), row.dpop)
		require.Equal(t, row.ok, err == nil, "%+v", row)
		if row.ok && row.dpop {
			require.Equal(t, "DPoP", answer.TokenType)
		}
	}
}

func TestTokenAnswersDoNotPrintTheirTokens(t *testing.T) {
	answer, err := oauth.ParseTokenAnswer([]byte(strings.ReplaceAll(goodAnswer, "-1", "-secret")), time.Now(), false)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, answer), "secret")
	}
}

func FuzzTokenAnswer(f *testing.F) {
	f.Add([]byte(goodAnswer), false)
	f.Add([]byte(`{"access_token":"a","token_type":"dpop","expires_in":"1e400","scope":["a",null]}`), true)
	f.Add([]byte(`{"access_token":"a","access_token":"b","token_type":"bearer"}`), false)
	f.Fuzz(func(t *testing.T, body []byte, dpop bool) {
		received := time.Now()
		answer, err := oauth.ParseTokenAnswer(body, received, dpop)
		if err != nil {
			require.Nil(t, answer)
			return
		}
		require.Regexp(t, `^[!-~]+$`, answer.AccessToken)
		require.Regexp(t, `^[!-~]*$`, answer.RefreshToken+answer.IDToken)
		require.Equal(t, map[bool]string{true: "DPoP", false: "Bearer"}[dpop], answer.TokenType)
		if !answer.Expiry.IsZero() {
			require.False(t, answer.Expiry.Before(received))
			require.False(t, answer.Expiry.After(received.Add(30*24*time.Hour)))
		}
	})
}
