package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// The mistakes of docs/errors.md that lie between an application and its provider, by their numbers
// there: what somebody who made one is told.
func TestTheLikeliestMistakes(t *testing.T) {
	for name, row := range map[string]struct {
		spoil    func(*published)
		issuer   func(string) string
		redirect string
		code     int
		verdict  verdict
		about    string
		says     string
	}{
		"1: the issuer has a slash too many": {
			issuer: func(s string) string { return s + "/" }, code: exitTrouble, verdict: trouble, about: "metadata", says: "slash at the end",
		},
		"2: the issuer is the wrong realm": {
			issuer: func(s string) string { return s + "/realms/typo" }, code: exitTrouble, verdict: trouble, about: "metadata", says: "got 404: is there a path to add",
		},
		"3: the issuer has no scheme": {
			issuer: func(s string) string { return strings.TrimPrefix(s, "http://") }, code: exitTrouble, verdict: trouble, about: "issuer", says: "expected a URL such as https://",
		},
		"3: the issuer is http on a real host": {
			issuer: func(string) string { return "http://keycloak:8080/realms/main" }, code: exitTrouble, verdict: trouble, about: "issuer", says: "give the https address",
		},
		"4: the redirect URI differs by a byte": {
			redirect: "http://localhost:8080/auth/Callback", code: exitTrouble, verdict: trouble, about: "your client", says: "isn't registered for it, byte for byte",
		},
		"5: the redirect URI has no clean path": {
			redirect: "https://shop.example.com/auth//callback", code: exitTrouble, verdict: trouble, about: "configuration", says: "clean path",
		},
		"5: the redirect URI is http on a real host": {
			redirect: "http://shop.example.com/auth/callback", code: exitTrouble, verdict: trouble, about: "configuration", says: "must be https",
		},
		"6: the secret belongs elsewhere": {
			spoil: func(p *published) {
				p.metadata["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
			},
			verdict: well, about: "client", says: "client_secret_post",
		},
		"8: the clock is wrong": {
			spoil: func(p *published) { p.date = func() time.Time { return time.Now().Add(-299 * time.Second) } },
			code:  exitTrouble, verdict: trouble, about: "clock", says: "set the clock",
		},
		"8: the clock can't be compared": {
			spoil:   func(p *published) { p.date = nil },
			verdict: note, about: "clock", says: "make sure both use NTP",
		},
		"14: refresh tokens come by a scope alone": {verdict: well, about: "refresh tokens", says: "for the scope offline_access, which Scopes has to name"},
		"17: the provider signs with another algorithm": {
			spoil: func(p *published) {
				p.keys = []jose.JSONWebKey{{Key: ecdsaKey.Public(), KeyID: "1"}}
				p.metadata["id_token_signing_alg_values_supported"] = []string{"ES256"}
			},
			verdict: note, about: "keys", says: "set SigningAlg",
		},
		"17: the client's registration decides on the algorithm": {
			spoil: func(p *published) {
				p.metadata["id_token_signing_alg_values_supported"] = []string{"RS512", "RS256"}
			},
			verdict: note, about: "keys", says: "SigningAlg is the one that is accepted (RS256 unless set)",
		},
		"19: the client may not ask for a scope": {
			spoil: func(p *published) { p.authorize = respond("invalid_scope", "") },
			code:  exitTrouble, verdict: trouble, about: "your client", says: `it was asked for "openid", "profile", "email", "offline_access": let Scopes name only what this client may ask for`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := healthy()
			if row.spoil != nil {
				row.spoil(p)
			}
			issuer := p.start(t)
			if row.issuer != nil {
				issuer = row.issuer(issuer)
			}
			code, out, errs := doctor(t, "-client-id", "shop", "-redirect", first(row.redirect, redirect), issuer)
			require.Empty(t, errs)
			require.Equal(t, row.code, code, out)
			require.Contains(t, line(out, row.verdict, row.about), row.says, out)
		})
	}
}

func TestWhatARefusedLoginNeeds(t *testing.T) {
	for code, says := range map[string]string{
		"unauthorized_client":       "let it use the authorization code flow",
		"unsupported_response_type": "let it use the authorization code flow",
		"invalid_request":           "made up by the provider",
	} {
		p := healthy()
		p.authorize = func(w http.ResponseWriter, r *http.Request) {
			description := "made up by the provider, " + strings.Repeat("and more, ", 20) + "to the end"
			http.Redirect(w, r, redirect+"?"+url.Values{"error": {code}, "error_description": {description}, "state": {r.URL.Query().Get("state")}}.Encode(), http.StatusFound)
		}
		exit, out, _ := doctor(t, "-client-id", "shop", "-redirect", redirect, p.start(t))
		require.Equal(t, exitTrouble, exit)
		require.Contains(t, line(out, trouble, "your client"), says, out)
		require.Contains(t, line(out, trouble, "your client"), "to the end", "the description is the cause")
	}
}

// Keycloak can demand pushed requests of one client alone, about which its metadata are silent.
func TestAClientThatHasToPush(t *testing.T) {
	p := healthy()
	p.metadata["pushed_authorization_request_endpoint"] = "ISSUER/par"
	p.authorize = respond("invalid_request", "")
	_, out, _ := doctor(t, "-client-id", "shop", "-redirect", redirect, p.start(t))
	require.Contains(t, line(out, trouble, "your client"), "oidcauth.PAROn", out)
}

func TestTheProvidersOwnErrorPageIsQuoted(t *testing.T) {
	p := healthy()
	p.authorize = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/error?error=invalid_redirect&error_description=no+such+redirect+URI", http.StatusFound)
	}
	code, out, _ := doctor(t, "-client-id", "shop", "-redirect", redirect, p.start(t))
	require.Equal(t, exitTrouble, code)
	require.Contains(t, line(out, trouble, "your client"), `it says "invalid_redirect" "no such redirect URI"`, out)
}

// A signed response (JARM) has its state inside.
func TestAResponseThatIsAToken(t *testing.T) {
	p := healthy()
	p.metadata["response_modes_supported"] = []string{"query.jwt"}
	p.authorize = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, redirect+"?response=e30.e30.AA", http.StatusFound)
	}
	code, out, _ := doctor(t, "-client-id", "shop", "-redirect", redirect, p.start(t))
	require.Equal(t, exitWell, code, out)
	require.Contains(t, line(out, well, "your client"), "registered", out)
}

func TestAProviderThatHasEnoughOfUs(t *testing.T) {
	p := healthy()
	p.authorize = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }
	code, out, _ := doctor(t, "-client-id", "shop", "-redirect", redirect, p.start(t))
	require.Equal(t, exitWell, code, out)
	require.Contains(t, line(out, note, "your client"), "try again later", out)
}

// What New refuses is not sent: the refusal would hide the cause.
func TestAConfigurationThatIsWrongIsNotTried(t *testing.T) {
	p := healthy()
	p.authorize = func(http.ResponseWriter, *http.Request) { t.Error("the client was tried") }
	_, out, _ := doctor(t, "-client-id", "shop", "-redirect", "http://shop.example.com/auth/callback", p.start(t))
	require.NotEmpty(t, line(out, note, "your client"), out)
	require.NotContains(t, out, "The configuration that fits")
}

// What only a login shows is said, and not passed over.
func TestWhatWasNotTried(t *testing.T) {
	_, out, _ := doctor(t, "-client-id", "shop", "-redirect", redirect, healthy().start(t))
	require.Contains(t, out, "The client's secret or key was not tried")
}

func TestKeycloaksRefreshTokens(t *testing.T) {
	p := healthy()
	p.below = "/realms/main"
	_, out, _ := doctor(t, p.start(t)+p.below)
	require.Contains(t, line(out, well, "refresh tokens"), "without the scope offline_access", out)
	require.NotContains(t, out, `"offline_access"`)
}

func TestAServerThatCannotBeTalkedTo(t *testing.T) {
	plain := healthy().start(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed.Close()
	silent := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	defer slow.Close()
	defer close(silent)
	for issuer, says := range map[string]string{
		strings.Replace(plain, "http:", "https:", 1): "doesn't speak TLS at this port",
		"http://" + closed.Addr().String():           "nothing listens there",
		slow.URL:                                     "no answer in time",
	} {
		code, out, _ := doctor(t, "-timeout", "1s", issuer)
		require.Equal(t, exitTrouble, code)
		require.Contains(t, line(out, trouble, "metadata"), says, out)
	}
}
