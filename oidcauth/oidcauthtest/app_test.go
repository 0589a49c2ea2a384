package oidcauthtest_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// app is the smallest relying party: it checks no more than these tests need.
type app struct {
	home, issuer string
	provider     *http.Client
	client       oidcauthtest.Client
	extra        url.Values // of the authorization request
	sameSite     string     // of the transaction cookie

	tokens map[string]any // of the last token answer
	status int            // of the last token answer
}

func newApp(p *oidcauthtest.Provider, home string) *app {
	client := oidcauthtest.ClientAt(home)
	p.Register(client)
	return &app{home: home, issuer: p.Issuer(), provider: p.Client(), client: client, sameSite: "Lax"}
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/auth/callback":
		a.callback(w, r)
	case "/public":
		fmt.Fprint(w, "public")
	default:
		c, err := r.Cookie("__Host-session")
		if err != nil {
			a.login(w, r)
			return
		}
		fmt.Fprintf(w, "hello %s", c.Value)
	}
}

func (a *app) metadata(name string) string {
	response, err := a.provider.Get(strings.TrimSuffix(a.issuer, "/") + "/.well-known/openid-configuration")
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	var document map[string]any
	_ = json.NewDecoder(response.Body).Decode(&document)
	s, _ := document[name].(string)
	return s
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	state, verifier := rand.Text(), rand.Text()+rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {a.client.ID}, "redirect_uri": {a.client.RedirectURIs[0]},
		"scope": {"openid profile offline_access"}, "state": {state}, "nonce": {"n-" + state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for name, values := range a.extra {
		q[name] = values
	}
	w.Header().Add("Set-Cookie", "__Host-tx="+state+"."+verifier+"."+url.QueryEscape(r.URL.RequestURI())+"; Path=/; Secure; HttpOnly; SameSite="+a.sameSite)
	w.Header().Set("Location", a.metadata("authorization_endpoint")+"?"+q.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	tx, err := r.Cookie("__Host-tx")
	if err != nil {
		http.Error(w, "no transaction", http.StatusBadRequest)
		return
	}
	parts := strings.SplitN(tx.Value, ".", 3)
	if r.FormValue("state") != parts[0] || r.FormValue("code") == "" {
		http.Error(w, "refused: "+r.FormValue("error"), http.StatusBadRequest)
		return
	}
	a.redeem(url.Values{"grant_type": {"authorization_code"}, "code": {r.FormValue("code")}, "redirect_uri": {a.client.RedirectURIs[0]}, "code_verifier": {parts[1]}})
	idToken, _ := a.tokens["id_token"].(string)
	t := oidcauthtest.ParseToken(idToken)
	if a.status != http.StatusOK || t == nil || t.Claims.Text("nonce") != "n-"+parts[0] {
		http.Error(w, "bad tokens", http.StatusBadGateway)
		return
	}
	back, _ := url.QueryUnescape(parts[2])
	w.Header().Add("Set-Cookie", "__Host-session="+t.Claims.Text("sub")+"; Path=/; Secure; HttpOnly; SameSite=Lax")
	w.Header().Set("Location", back)
	w.WriteHeader(http.StatusSeeOther)
}

// redeem sends a form to the token endpoint with HTTP Basic.
func (a *app) redeem(form url.Values) {
	r, _ := http.NewRequest(http.MethodPost, a.metadata("token_endpoint"), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(a.client.ID, a.client.Secret)
	a.tokens, a.status = nil, 0
	response, err := a.provider.Do(r)
	if err != nil {
		return
	}
	defer response.Body.Close()
	a.status = response.StatusCode
	_ = json.NewDecoder(response.Body).Decode(&a.tokens)
}
