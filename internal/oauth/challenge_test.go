package oauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/oauth"
)

func TestAChallengeSaysWhetherTheTokenIsToBlame(t *testing.T) {
	for _, c := range []struct {
		name   string
		header []string
		want   bool
	}{
		{"no header", nil, true},
		{"a scheme alone", []string{`Bearer`}, true},
		{"a realm alone", []string{`Bearer realm="api"`}, true},
		{"invalid_token", []string{`Bearer realm="api", error="invalid_token"`}, true},
		{"invalid_token without quotes", []string{`Bearer error=invalid_token`}, true},
		{"invalid_token with blanks", []string{`Bearer realm = "api" , error = "invalid_token"`}, true},
		{"other letters' case", []string{`bEaReR ERROR="invalid_token"`}, true},
		{"insufficient_scope", []string{`Bearer error="insufficient_scope"`}, false},
		{"insufficient_user_authentication", []string{`Bearer error="insufficient_user_authentication"`}, false},
		{"invalid_request", []string{`Bearer error="invalid_request"`}, false},
		{"DPoP", []string{`DPoP error="use_dpop_nonce"`}, false},
		{"behind another scheme", []string{`Basic realm="x", Bearer error="insufficient_scope"`}, false},
		{"behind a scheme with credentials", []string{`Negotiate YWJj==, Bearer error="insufficient_scope"`}, false},
		{"in front of another scheme", []string{`Bearer error="insufficient_scope", Basic realm="x"`}, false},
		{"in a second header", []string{`Basic realm="x"`, `Bearer error="insufficient_scope"`}, false},
		{"an error of another scheme", []string{`Digest error="insufficient_scope"`}, true},
		{"a quoted string that looks like a challenge", []string{`Bearer realm="x, Bearer error=\"insufficient_scope\""`}, true},
		{"the first of two errors", []string{`Bearer error="insufficient_scope", error="invalid_token"`}, false},
		{"an unfinished string", []string{`Bearer error="insufficient_scope`}, true},
		{"garbage", []string{`=,=,"",Bearer`}, true},
		{"beyond the limit", []string{`Bearer realm="` + strings.Repeat("x", 9000) + `", error="insufficient_scope"`}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, oauth.BlamesToken(http.Header{"Www-Authenticate": c.header}))
		})
	}
}
