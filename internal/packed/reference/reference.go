// Package reference has tokens like those of common providers, for tests and benchmarks: of the same
// sizes, drawn from a seed so that figures can be compared between runs, and really signed. No
// production code may import it. Start reading at [S].
package reference

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
)

// Tokens are what a session usually keeps.
type Tokens struct{ ID, Access, Refresh string }

var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// person is a user drawn from a seed, so that figures can be compared between runs.
type person struct {
	*mathrand.Rand
	given, family, user, email string
	sub, sid, kid              string
}

var (
	givenNames  = []string{"Ada", "Grace", "Edsger", "Barbara", "Donald", "Radia", "Ken", "Frances", "Niklaus", "Shafi"}
	familyNames = []string{"Lovelace", "Hopper", "Dijkstra", "Liskov", "Knuth", "Perlman", "Ritchie", "Allen", "Wirth", "Milner"}
)

func newPerson(seed uint64) *person {
	p := &person{Rand: mathrand.New(mathrand.NewPCG(seed, 4))} //nolint:gosec // a person who is the same in each run
	p.given, p.family = givenNames[p.IntN(10)], familyNames[p.IntN(10)]
	p.user = strings.ToLower(p.given + "." + p.family)
	p.email = p.user + "@example.com"
	p.sub, p.sid, p.kid = p.uuid(), p.uuid(), p.chars(43)
	return p
}

func (p *person) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(p.Uint32())
	}
	return b
}

func (p *person) uuid() string {
	b := p.bytes(16)
	b[6], b[8] = b[6]&15|0x40, b[8]&63|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// chars are n characters of base64 over random bytes.
func (p *person) chars(n int) string {
	return base64.RawURLEncoding.EncodeToString(p.bytes(n * 3 / 4))
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func rs256(header, payload string) string {
	signed := b64(header) + "." + b64(payload)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(nil, signingKey(), crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func hs512(header, payload string) string {
	signed := b64(header) + "." + b64(payload)
	mac := hmac.New(sha512.New, []byte("a provider's own key"))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// S is like Keycloak's: id 1,238 B, access 1,049 B, refresh 677 B, all JWTs (RS256, RS256, HS512).
func S(seed uint64) Tokens {
	p := newPerson(seed)
	now := 1767280200 + p.IntN(1e6)
	iss := "https://login.example.com/realms/shop"
	header := fmt.Sprintf(`{"alg":"RS256","typ" : "JWT","kid" : "%s"}`, p.kid)
	id := fmt.Sprintf(`{"exp":%d,"iat":%d,"auth_time":%d,"jti":"%s","iss":"%s","aud":"webshop-frontend","sub":"%s","typ":"ID",`+
		`"azp":"webshop-frontend","nonce":"%s","sid":"%s","at_hash":"%s","acr":"1","email_verified":true,"name":"%s %s",`+
		`"preferred_username":"%s","given_name":"%s","family_name":"%s","email":"%s"`,
		now+300, now, now-1, p.uuid(), iss, p.sub, p.chars(43), p.sid, p.chars(22), p.given, p.family,
		p.user, p.given, p.family, p.email)
	access := fmt.Sprintf(`{"exp":%d,"iat":%d,"auth_time":%d,"jti":"%s","iss":"%s","aud":"account","sub":"%s","typ":"Bearer",`+
		`"azp":"webshop-frontend","sid":"%s","acr":"1","allowed-origins":["*"],"realm_access":{"roles":["offline_access","uma_authorization"]},`+
		`"scope":"openid profile email"`,
		now+300, now, now-1, p.uuid(), iss, p.sub, p.sid)
	refresh := fmt.Sprintf(`{"exp":%d,"iat":%d,"jti":"%s","iss":"%s","aud":"%s","sub":"%s","typ":"Refresh","azp":"webshop-frontend",`+
		`"sid":"%s","scope":"openid profile email"`, now+1800, now, p.uuid(), iss, iss, p.sub, p.sid)
	refreshHeader := fmt.Sprintf(`{"alg":"HS512","typ" : "JWT","kid" : "%s"}`, p.uuid())
	return Tokens{
		ID:      rs256(header, p.fill(id, header, 1238-342)),
		Access:  rs256(header, p.fill(access, header, 1049-342)),
		Refresh: hs512(refreshHeader, p.fill(refresh, refreshHeader, 677-86)),
	}
}

// fill closes the JSON object, with a claim that nobody foresaw, so that header and payload take chars characters with two dots.
func (p *person) fill(open, header string, chars int) string {
	const claim = `,"unit":""}`
	n := (chars-2-len(b64(header)))*3/4 - len(open) - len(claim)
	if n < 0 {
		panic(fmt.Sprintf("claims are %d bytes too long", -n))
	}
	letters := make([]byte, n)
	for i := range letters {
		letters[i] = byte('a' + p.IntN(26))
	}
	return open + strings.Replace(claim, `""`, `"`+string(letters)+`"`, 1)
}

// L is like Entra ID's: id 1,674 B and access 2,158 B (JWTs, RS256), refresh 1,400 B opaque.
func L(seed uint64) Tokens {
	p := newPerson(seed)
	now := 1767280200 + p.IntN(1e6)
	tid, oid, app := p.uuid(), p.uuid(), p.uuid()
	kid := p.chars(27)
	id := fmt.Sprintf(`{"aud":"%s","iss":"https://login.microsoftonline.com/%s/v2.0","iat":%d,"nbf":%d,"exp":%d,"acct":0,`+
		`"acrs":["p1","urn:user:registersecurityinfo"],"aio":"%s","auth_time":%d,"email":"%s","family_name":"%s","given_name":"%s",`+
		`"ipaddr":"203.0.113.%d","name":"%s %s","nonce":"%s","oid":"%s","preferred_username":"%s","rh":"%s",`+
		`"roles":["Orders.Read","Orders.Write"],"sid":"%s","sub":"%s","tid":"%s","uti":"%s","ver":"2.0"`,
		app, tid, now, now, now+3600, p.chars(54), now-9, p.email, p.family, p.given, p.IntN(256), p.given, p.family, p.chars(43), oid, p.email, p.chars(47), p.sid, p.chars(43), tid, p.chars(22))
	access := fmt.Sprintf(`{"aud":"api://%s","iss":"https://sts.windows.net/%s/","iat":%d,"nbf":%d,"exp":%d,"acct":0,"acr":"1",`+
		`"acrs":["p1","urn:user:registersecurityinfo"],"aio":"%s","amr":["pwd","mfa"],"appid":"%s","appidacr":"1","email":"%s",`+
		`"family_name":"%s","given_name":"%s","groups":["%s"],"idtyp":"user","ipaddr":"203.0.113.%d","name":"%s %s",`+
		`"oid":"%s","onprem_sid":"S-1-5-21-%d-%d-%d-%d","puid":"1003%012X","rh":"%s","roles":["Orders.Read","Orders.Write"],`+
		`"scp":"Orders.Read Orders.Write User.Read","sid":"%s","sub":"%s","tid":"%s","unique_name":"%s","upn":"%s","uti":"%s","ver":"1.0",`+
		`"wids":["%s"],"xms_ftd":"%s"`,
		app, tid, now, now, now+4200, p.chars(70), app, p.email, p.family, p.given, p.uuid(),
		p.IntN(256), p.given, p.family, oid, p.Uint32(), p.Uint32(), p.Uint32(), p.IntN(99999), p.Uint64()>>16, p.chars(47), p.sid,
		p.chars(43), tid, p.email, p.email, p.chars(22), p.uuid(), p.chars(43))
	idHeader := fmt.Sprintf(`{"typ":"JWT","alg":"RS256","kid":"%s"}`, kid)
	accessHeader := fmt.Sprintf(`{"typ":"JWT","alg":"RS256","x5t":"%s","kid":"%s"}`, kid, kid)
	return Tokens{
		ID:      rs256(idHeader, p.fill(id, idHeader, 1674-342)),
		Access:  rs256(accessHeader, p.fill(access, accessHeader, 2158-342)),
		Refresh: "1." + p.chars(1398),
	}
}

// Unseen has claims that no provider known to the dictionary's author uses.
func Unseen(seed uint64) Tokens {
	p := newPerson(seed)
	now := 1767280200 + p.IntN(1e6)
	customer, contract, meters := p.IntN(1e9), p.uuid(), []string{"DE" + p.uuid(), "DE" + p.uuid(), "DE" + p.uuid()}
	claims := func(use string) string {
		b, err := json.Marshal(map[string]any{
			"iss": "https://anmeldung.stadtwerke.test/oidc", "sub": p.sub, "aud": "kundenportal", "iat": now, "exp": now + 900,
			"beleg": p.uuid(), "verwendung": use, "kundennummer": customer, "tarifgebiet": "Nordstadt-" + p.given,
			"vertragskonto": contract, "zaehlpunkte": meters, "mandant": "Stadtwerke Beispielhausen",
		})
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	header := fmt.Sprintf(`{"kid":"%s","alg":"RS256"}`, p.chars(16))
	return Tokens{ID: rs256(header, claims("anmeldung")), Access: rs256(header, claims("zugriff")), Refresh: p.chars(256)}
}
