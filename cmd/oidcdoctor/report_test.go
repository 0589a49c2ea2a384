package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAProviderCannotDriveTheTerminal(t *testing.T) {
	p := healthy()
	p.metadata["response_types_supported"] = []string{"\x1b[2Jid_token\u202e"}
	_, out, _ := doctor(t, p.start(t))
	require.NotContains(t, out, "\x1b")
	require.NotContains(t, out, "\u202e")
}

func TestThePageOfAProvider(t *testing.T) {
	for issuer, page := range map[string]string{
		"https://accounts.google.com":                   "google.md",
		"https://login.microsoftonline.com/common/v2.0": "entra-id.md",
		"https://shop.eu.auth0.com/":                    "auth0.md",
		"https://shop.okta.com/oauth2/default":          "okta.md",
		"https://id.example.com/realms/main":            "keycloak.md",
		"https://demo.duendesoftware.com":               "duende.md",
		"https://id.example.com":                        "other.md",
		"https://auth0.com.example.com/":                "other.md",
	} {
		require.Equal(t, docs+page, pageFor(issuer), issuer)
	}
}

func TestNothingSecretIsSent(t *testing.T) {
	p := healthy()
	var seen []*http.Request
	authorize := p.authorize
	p.authorize = func(w http.ResponseWriter, r *http.Request) { seen = append(seen, r); authorize(w, r) }
	doctor(t, "-client-id", "shop", "-redirect", redirect, p.start(t))
	require.Len(t, seen, 1)
	require.Empty(t, seen[0].Header.Get("Authorization"))
	require.False(t, seen[0].URL.Query().Has("client_secret"))
	require.Equal(t, "none", seen[0].URL.Query().Get("prompt"))
	require.Equal(t, "S256", seen[0].URL.Query().Get("code_challenge_method"))
}

// The doctor comes before any code, so that there is no module yet that could say which version.
func TestTheDocumentedCommandNeedsNoModule(t *testing.T) {
	for _, file := range []string{"../../docs/providers/README.md", "main.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Skip("the documentation is not here")
		}
		const command = "go run github.com/signet-go/signet/cmd/oidcdoctor"
		require.Contains(t, string(text), command, file)
		require.Equal(t, strings.Count(string(text), command), strings.Count(string(text), command+"@latest "), file)
	}
}
