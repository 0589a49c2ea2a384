package oidcauth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// exampleKey stands for a key in a file, a KMS or an HSM: anything that is a crypto.Signer.
func exampleKey() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	return key
}

// signedInPage opens a page for signed-in users.
func signedInPage(auth *oidcauth.Authenticator, provider *oidcauthtest.Provider) *oidcauthtest.Page {
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("GET /me", auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s", oidcauth.UserFrom(r.Context()).Name)
	})))
	return exampleBrowser(mux, provider).Get("https://app.example.test/me")
}

// The FAPI 2.0 Security Profile is one switch. What it needs beside it is a key, and an algorithm that is named.
func ExampleAdvanced_fapi() {
	key := exampleKey()
	auth, provider := exampleAuth(func(c *oidcauth.Config) {
		c.Advanced.FAPI = true
		c.SigningAlg = "ES256"
		c.ClientSecret, c.ClientAuth = "", oidcauth.ClientAuth{Key: key} // private_key_jwt
	})
	provider.Configure(func(s *oidcauthtest.Settings) {
		s.Alg, s.RequirePAR, s.DPoPNonces = "ES256", true, true
		s.Clients[0].Secret, s.Clients[0].Keys, s.Clients[0].RequireDPoP = "", keySetOf(key), true
	})

	fmt.Println(signedInPage(auth, provider).Body)
	fmt.Println("pushed:", provider.Count(oidcauthtest.PAR) == 1)
	fmt.Println("proven:", provider.Last(oidcauthtest.UserInfo).Header.Get("DPoP") != "")
	// Output:
	// Hello, Alice Adams
	// pushed: true
	// proven: true
}

// A configuration that the profile forbids is refused, field by field.
func ExampleNew_fapiMistakes() {
	_, err := oidcauth.New(oidcauth.Config{
		Issuer: "https://bank.example", ClientID: "shop", ClientSecret: "s", RedirectURL: "https://shop.example/auth/callback",
		Session:  session.Config{Keys: []string{session.NewKey()}},
		PAR:      oidcauth.PAROff,
		Advanced: oidcauth.Advanced{FAPI: true},
	})
	fmt.Println(err)
	// Output:
	// oidcauth: PAR: Advanced.FAPI needs pushed requests: use PARRequire, or leave PAR empty
	// oidcauth: SigningAlg: Advanced.FAPI accepts PS256, ES256, EdDSA, one of them named explicitly, and not "RS256"
	// oidcauth: ClientAuth: Advanced.FAPI needs private_key_jwt or tls_client_auth, and not "client_secret_basic": set Key, or Certificate
}

// With DPoP, a token is of no use to whoever steals it: each session has a key of its own, and each request is proven with it.
func ExampleAdvanced_dPoP() {
	auth, provider := exampleAuth(func(c *oidcauth.Config) { c.Advanced.DPoP = true })

	fmt.Println(signedInPage(auth, provider).Body)
	fmt.Println(provider.Last(oidcauthtest.UserInfo).Header.Get("Authorization")[:len("DPoP ")])
	// Output:
	// Hello, Alice Adams
	// DPoP
}

// Encrypted ID tokens are opened with a key of the application's, whose public half /auth/jwks.json publishes.
func ExampleAdvanced_encryption() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	auth, provider := exampleAuth(func(c *oidcauth.Config) { c.Advanced.DecryptionKeys = []crypto.PrivateKey{key} })
	provider.BendIDToken(func(t *oidcauthtest.Token) { t.Rewrite(oidcauthtest.Encrypt("ECDH-ES", "A256GCM", key.Public())) })

	fmt.Println(signedInPage(auth, provider).Body)
	// Output: Hello, Alice Adams
}

// Signed requests and responses (JAR and JARM) are for providers that demand them.
func ExampleAdvanced_signedMessages() {
	key := exampleKey()
	auth, provider := exampleAuth(func(c *oidcauth.Config) {
		c.ClientSecret, c.ClientAuth = "", oidcauth.ClientAuth{Key: key}
		c.Advanced.SignedRequests = true
		c.ResponseMode = oidcauth.QueryJWT
	})
	provider.Configure(func(s *oidcauthtest.Settings) { s.Clients[0].Secret, s.Clients[0].Keys = "", keySetOf(key) })

	fmt.Println(signedInPage(auth, provider).Body)
	// Output: Hello, Alice Adams
}

// With mutual TLS the client shows a certificate to the provider, and tokens are bound to it.
func ExampleClientAuth_mutualTLS() {
	certificate, err := tls.LoadX509KeyPair("client.pem", "client-key.pem")
	if err != nil {
		log.Print(err)
		return
	}
	_, err = oidcauth.New(oidcauth.Config{
		Issuer: "https://bank.example", ClientID: "shop", RedirectURL: "https://shop.example/auth/callback",
		Session:    session.Config{Keys: []string{session.NewKey()}},
		ClientAuth: oidcauth.ClientAuth{Method: oidcauth.TLSClientAuth, Certificate: &certificate},
	})
	if err != nil {
		log.Print(err)
	}
}

// A machine client's tokens are bound to a key of its own.
func ExampleMachineConfig_dPoP() {
	provider := oidcauthtest.NewProvider(oidcauthtest.Settings{DPoPNonces: true})
	machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
		Issuer: provider.Issuer(), ClientID: "app", ClientSecret: "app-secret", DPoP: true,
		APIs: []string{provider.Issuer()}, HTTPClient: provider.Client(),
	})
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: machine.Transport(provider)}
	res, err := client.Get(provider.URL(oidcauthtest.API))
	if err != nil {
		log.Fatal(err)
	}
	res.Body.Close()
	fmt.Println(res.StatusCode, provider.Last(oidcauthtest.API).Header.Get("Authorization")[:len("DPoP")])
	// Output: 200 DPoP
}

// A claims provider may speak for claims that you name, when the OpenID provider names it as their source.
func ExampleClaimsProvider() {
	bureau := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://bureau.example.test"})
	auth, provider := exampleAuth(func(c *oidcauth.Config) {
		c.Advanced.ClaimsProviders = []oidcauth.ClaimsProvider{{Issuer: "https://bureau.example.test", Claims: []string{"credit_score"}}}
	})
	provider.Network().Handle(bureau.Issuer(), bureau)
	provider.BendUserInfo(func(t *oidcauthtest.Token) {
		t.AddSource("src1", bureau.DistributedSource("app", map[string]any{"credit_score": "good"}), "credit_score")
	})
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("GET /loans", auth.Require(oidcauth.Claim("credit_score", "good"))(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "What may it cost?")
	})))

	fmt.Println(exampleBrowser(mux, provider).Get("https://app.example.test/loans").Body)
	// Output: What may it cost?
}

// private_key_jwt: the client signs who it is. Any crypto.Signer does, such as a key in a KMS. During a rotation /auth/jwks.json
// publishes the next key, too.
func ExampleClientAuth_privateKeyJWT() {
	key, next := exampleKey(), exampleKey()
	auth, provider := exampleAuth(func(c *oidcauth.Config) {
		c.ClientSecret, c.ClientAuth = "", oidcauth.ClientAuth{
			Key: key, KeyID: "2026", PublishKeys: map[string]crypto.PublicKey{"2027": next.Public()},
		}
	})
	provider.Configure(func(s *oidcauthtest.Settings) { s.Clients[0].Secret, s.Clients[0].Keys = "", keySetOf(key) })

	fmt.Println(signedInPage(auth, provider).Body)
	fmt.Println(provider.Last(oidcauthtest.TokenEndpoint).Form.Get("client_assertion_type"))
	// Output:
	// Hello, Alice Adams
	// urn:ietf:params:oauth:client-assertion-type:jwt-bearer
}

// A login may ask for single claims (Core §5.5) and for rich authorization (RFC 9396), here in a pushed request (RFC 9126).
func ExampleLoginOptions() {
	auth, provider := exampleAuth(func(c *oidcauth.Config) { c.PAR = oidcauth.PARRequire })
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.HandleFunc("/pay", func(w http.ResponseWriter, r *http.Request) {
		auth.Login(w, r, oidcauth.LoginOptions{
			ReturnTo: "/",
			Claims:   json.RawMessage(`{"userinfo":{"birthdate":{"essential":true}}}`),
			Extra:    url.Values{"authorization_details": {`[{"type":"payment","amount":"12.50"}]`}},
		})
	})

	exampleBrowser(mux, provider).Get("https://app.example.test/pay")
	pushed := provider.Last(oidcauthtest.PAR).Form
	fmt.Println(pushed.Get("claims"))
	fmt.Println(pushed.Get("authorization_details"))
	fmt.Println(provider.Last(oidcauthtest.Authorize).Form.Has("claims"))
	// Output:
	// {"userinfo":{"birthdate":{"essential":true}}}
	// [{"type":"payment","amount":"12.50"}]
	// false
}
