package access_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/oauth"
)

func TestATokenOfAnotherTypeIsNeverSentAsBearer(t *testing.T) {
	var seen []*http.Request
	network := roundTripper(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r)
		return httptest.NewRecorder().Result(), nil
	})
	for _, kind := range []string{"DPoP", "", "mac", "bearer"} {
		_, err := send(network, httptest.NewRequest(http.MethodGet, api, nil), kind, "token")
		require.ErrorContains(t, err, "key", kind)
	}
	require.Empty(t, seen)
	_, err := send(network, httptest.NewRequest(http.MethodGet, api, nil), "Bearer", "token")
	require.NoError(t, err)
	require.Equal(t, "Bearer token", seen[0].Header.Get("Authorization"))
}

const api = "https://api.test/things"

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// send sends r through base with a token of this type and no key.
func send(base http.RoundTripper, r *http.Request, kind, value string) (*http.Response, error) {
	t := &access.Transport{
		Keeper: oneToken{&access.Token{Kind: kind, Value: value}}, APIs: access.NewAPIs("", []string{"https://api.test"}), Base: base,
		Nonces: new(oauth.Nonces),
	}
	return t.RoundTrip(r)
}

// oneToken keeps one access token for everybody.
type oneToken struct{ have *access.Token }

func (k oneToken) Token(context.Context, access.Request) (*access.Token, error) { return k.have, nil }
func (k oneToken) Replaceable(*access.Token) bool                               { return false }
