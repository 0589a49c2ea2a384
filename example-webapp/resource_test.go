package main_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// resource sends one request to /resource: pairs are headers.
func (a *webapp) resource(query string, pairs ...string) page {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodGet, a.base+"/resource"+query, nil)
	require.NoError(a.t, err)
	for i := 0; i < len(pairs); i += 2 {
		req.Header.Add(pairs[i], pairs[i+1])
	}
	b := newBrowser(a.t)
	b.show(req, nil)
	return b.page
}

func TestResourceIsThereWhenItHasAName(t *testing.T) {
	op := startAuthority(t, nil)
	require.Equal(t, http.StatusNotFound, op.app().resource("", "Authorization", "Bearer "+op.token(nil)).status)
	require.Equal(t, http.StatusNotFound, op.app("RESOURCE_SCOPE", "read").resource("").status)
}

func TestResourceTellsWhoCalls(t *testing.T) {
	op := startAuthority(t, map[string]any{
		"known": map[string]any{"active": true, "sub": "u7", "aud": []string{"orders"}, "client_id": "c", "scope": "read"},
		"other": map[string]any{"active": true, "sub": "u7", "aud": "others", "scope": "read"},
	})
	a := op.app("RESOURCE_AUDIENCE", "orders", "RESOURCE_SCOPE", "read")
	good := op.token(map[string]any{"aud": "orders"})
	for name, row := range map[string]struct {
		query   string
		headers []string
		status  int
		code    string
	}{
		"no token":                    {"", nil, 401, "unauthorized"},
		"a cookie":                    {"", []string{"Cookie", "__Host-session=x"}, 401, "unauthorized"},
		"another audience":            {"", []string{"Authorization", "Bearer " + op.token(nil)}, 401, "invalid_token"},
		"an ID token":                 {"", []string{"Authorization", "Bearer " + op.token(map[string]any{"aud": "orders", "nonce": "n"})}, 401, "invalid_token"},
		"expired":                     {"", []string{"Authorization", "Bearer " + op.token(map[string]any{"aud": "orders", "exp": time.Now().Add(-time.Second).Unix()})}, 401, "invalid_token"},
		"another scope":               {"", []string{"Authorization", "Bearer " + op.token(map[string]any{"aud": "orders", "scope": "write"})}, 403, "insufficient_scope"},
		"two headers":                 {"", []string{"Authorization", "Bearer " + good, "Authorization", "Bearer " + good}, 400, "invalid_request"},
		"a token in the query":        {"?access_token=" + good, nil, 400, "invalid_request"},
		"opaque, unknown":             {"", []string{"Authorization", "Bearer unknown"}, 401, "invalid_token"},
		"opaque, for another":         {"", []string{"Authorization", "Bearer other"}, 401, "invalid_token"},
		"not bound, with scheme DPoP": {"", []string{"Authorization", "DPoP " + good}, 401, "invalid_token"},
	} {
		t.Run(name, func(t *testing.T) {
			p := a.resource(row.query, row.headers...)
			require.Equal(t, row.status, p.status, p.body)
			require.Equal(t, row.code, p.object(t)["error"])
			requireProtected(t, p)
			require.Empty(t, p.header.Values("Set-Cookie"))
			challenge := p.header.Get("WWW-Authenticate")
			switch row.code {
			case "unauthorized":
				require.NotContains(t, challenge, "error")
				require.NotEmpty(t, challenge)
			default:
				require.Contains(t, challenge, `error="`+row.code+`"`)
			}
		})
	}
	p := a.resource("", "Authorization", "Bearer "+good)
	require.Equal(t, http.StatusOK, p.status, p.body)
	require.Equal(t, map[string]any{"sub": "u1", "client_id": "client", "scope": "read"}, p.object(t))
	require.Equal(t, "u7", a.resource("", "Authorization", "Bearer known").object(t)["sub"])
	scopeless := op.app("RESOURCE_AUDIENCE", "orders")
	p = scopeless.resource("", "Authorization", "Bearer "+op.token(map[string]any{"aud": "orders", "scope": nil, "sub": nil}))
	require.Equal(t, map[string]any{"sub": nil, "client_id": "client", "scope": nil}, p.object(t))
}

func TestResourceIsNotSignedOutByAnOutage(t *testing.T) {
	op := startAuthority(t, nil)
	a := op.app("RESOURCE_AUDIENCE", "orders")
	op.down.Store(true)
	p := a.resource("", "Authorization", "Bearer "+op.token(map[string]any{"aud": "orders"}))
	require.Equal(t, http.StatusServiceUnavailable, p.status)
	require.NotEmpty(t, p.header.Get("Retry-After"))
}
