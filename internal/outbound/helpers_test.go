package outbound_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/providertest"
)

type m = providertest.Object

const (
	discovery     = providertest.Discovery
	goodAnswer    = `{"access_token":"at-1","token_type":"Bearer","expires_in":300,"refresh_token":"rt-1","id_token":"a.b.c","scope":"openid"}`
	tlsClientAuth = oauth.Method("tls_client_auth")
)

// What the tests say often.
var (
	ecKey           = providertest.ECKey
	with, writeJSON = providertest.With, providertest.WriteJSON
	background      = context.Background
)

func must[T any](v T, err error) T { return providertest.Must(v, err) }

func goodMetadata() m { return providertest.New(nil).Metadata }

func grant() url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {"code-4711-of-alice"}, "code_verifier": {"verifier-0815-of-alice"}}
}

func requireUnavailable(t *testing.T, err error) {
	t.Helper()
	var unavailable *pace.Outage
	require.ErrorAs(t, err, &unavailable)
	require.Error(t, unavailable.Err)
	require.GreaterOrEqual(t, unavailable.RetryAfter, time.Second)
	require.LessOrEqual(t, unavailable.RetryAfter, time.Minute)
}

// A recordingJar counts its calls.
type recordingJar struct{ calls int }

func (j *recordingJar) SetCookies(*url.URL, []*http.Cookie) { j.calls++ }
func (j *recordingJar) Cookies(*url.URL) []*http.Cookie     { j.calls++; return nil }
