package bound_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/bound"
)

func TestRegistrationBringsTheKeyThatSignedIt(t *testing.T) {
	for name, d := range map[string]device{"ES256": ecDevice(t), "RS256": rsaDevice(t, 2048)} {
		t.Run(name, func(t *testing.T) {
			p, err := bound.ParseProof(d.registration(t, "a challenge"))
			require.NoError(t, err)
			require.Equal(t, "a challenge", p.Challenge)
			key, err := p.Register()
			require.NoError(t, err)
			require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, key.Thumbprint())
			require.NotContains(t, fmt.Sprintf("%v %+v", key, key), d.jwk(t))

			renewal, err := bound.ParseProof(d.renewal(t, "another"))
			require.NoError(t, err)
			require.NoError(t, renewal.SignedBy(key))
			_, err = renewal.Register()
			require.Error(t, err, "a renewal brings no key")
			require.Error(t, p.SignedBy(key), "a registration is no renewal: its key is its own")
		})
	}
}

func TestProofsThatAreRefused(t *testing.T) {
	d, other, long := ecDevice(t), ecDevice(t), rsaDevice(t, 2048)
	good := d.registration(t, "c")
	header := func(text string) string { return d.sign(t, text, `{"jti":"c"}`) }
	jwk := d.jwk(t)
	for name, raw := range map[string]string{
		"nothing":                         "",
		"no token":                        "x",
		"two parts":                       part(good, 0) + "." + part(good, 1),
		"five parts":                      good + ".x.y",
		"two signatures":                  good + "." + part(good, 2),
		"padding":                         part(good, 0) + "." + part(good, 1) + "=." + part(good, 2),
		"too long":                        d.registration(t, strings.Repeat("c", 4<<10)),
		"JSON serialization":              `{"payload":"` + part(good, 1) + `","protected":"` + part(good, 0) + `","signature":"` + part(good, 2) + `"}`,
		"another payload":                 part(good, 0) + "." + unpadded(`{"jti":"d"}`) + "." + part(good, 2),
		"no signature":                    part(good, 0) + "." + part(good, 1) + ".",
		"the signature of another key":    other.sign(t, fmt.Sprintf(`{"alg":"ES256","typ":"dbsc+jwt","jwk":%s}`, jwk), `{"jti":"c"}`),
		"no key":                          header(`{"alg":"ES256","typ":"dbsc+jwt"}`),
		"a key that is null":              header(`{"alg":"ES256","typ":"dbsc+jwt","jwk":null}`),
		"a private key":                   header(`{"alg":"ES256","typ":"dbsc+jwt","jwk":` + strings.Replace(jwk, "{", `{"d":"AAAA",`, 1) + `}`),
		"a symmetric key":                 header(`{"alg":"ES256","typ":"dbsc+jwt","jwk":{"kty":"oct","k":"AAAA"}}`),
		"a key for encryption":            header(`{"alg":"ES256","typ":"dbsc+jwt","jwk":` + strings.Replace(jwk, "{", `{"use":"enc",`, 1) + `}`),
		"a point off the curve":           header(`{"alg":"ES256","typ":"dbsc+jwt","jwk":{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}`),
		"a member of the key twice":       header(`{"alg":"ES256","typ":"dbsc+jwt","jwk":` + strings.Replace(jwk, "{", `{"kty":"EC",`, 1) + `}`),
		"a member of the header twice":    header(`{"alg":"ES256","alg":"ES256","typ":"dbsc+jwt","jwk":` + jwk + `}`),
		"a member of the payload twice":   d.sign(t, `{"alg":"ES256","typ":"dbsc+jwt","jwk":`+jwk+`}`, `{"jti":"x","jti":"c"}`),
		"the type of a DPoP proof":        header(`{"alg":"ES256","typ":"dpop+jwt","jwk":` + jwk + `}`),
		"the type of any token":           header(`{"alg":"ES256","typ":"JWT","jwk":` + jwk + `}`),
		"no type":                         header(`{"alg":"ES256","jwk":` + jwk + `}`),
		"a type that is a number":         header(`{"alg":"ES256","typ":7,"jwk":` + jwk + `}`),
		"no algorithm":                    header(`{"typ":"dbsc+jwt","jwk":` + jwk + `}`),
		"no algorithm by name":            header(`{"alg":"none","typ":"dbsc+jwt","jwk":` + jwk + `}`),
		"a symmetric algorithm":           header(`{"alg":"HS256","typ":"dbsc+jwt","jwk":` + jwk + `}`),
		"an algorithm that browsers lack": header(`{"alg":"EdDSA","typ":"dbsc+jwt","jwk":` + jwk + `}`),
		"the other key's algorithm":       header(`{"alg":"RS256","typ":"dbsc+jwt","jwk":` + jwk + `}`),
		"an algorithm in lower case":      header(`{"alg":"es256","typ":"dbsc+jwt","jwk":` + jwk + `}`),
		"an extension":                    header(`{"alg":"ES256","typ":"dbsc+jwt","crit":["x"],"x":1,"jwk":` + jwk + `}`),
		"a payload that is not encoded":   header(`{"alg":"ES256","typ":"dbsc+jwt","b64":false,"jwk":` + jwk + `}`),
		"no challenge":                    d.sign(t, `{"alg":"ES256","typ":"dbsc+jwt","jwk":`+jwk+`}`, `{}`),
		"a challenge that is a number":    d.sign(t, `{"alg":"ES256","typ":"dbsc+jwt","jwk":`+jwk+`}`, `{"jti":1}`),
		"an endless challenge":            d.registration(t, strings.Repeat("c", 513)),
		"RSA with the other algorithm":    long.sign(t, `{"alg":"ES256","typ":"dbsc+jwt","jwk":`+long.jwk(t)+`}`, `{"jti":"c"}`),
		"an RSA key that is too long":     rsaDevice(t, 4104).registration(t, "c"),
		"an RSA key that is too short":    rsaDevice(t, 1024).registration(t, "c"),
	} {
		t.Run(name, func(t *testing.T) {
			p, err := bound.ParseProof(raw)
			if err == nil {
				_, err = p.Register()
			}
			require.Error(t, err)
			require.NotContains(t, err.Error(), strings.Trim(jwk, "{}"), "an error repeats no key")
		})
	}
}

func TestRenewalsThatAreRefused(t *testing.T) {
	d, other := ecDevice(t), ecDevice(t)
	p, err := bound.ParseProof(d.registration(t, "c"))
	require.NoError(t, err)
	key, err := p.Register()
	require.NoError(t, err)
	for name, raw := range map[string]string{
		"of another key":                d.registration(t, "c"),
		"of another device":             other.renewal(t, "c"),
		"of another device, as it says": other.registration(t, "c"),
		"of a device of another kind":   rsaDevice(t, 2048).renewal(t, "c"),
		"with a key of null":            d.sign(t, `{"alg":"ES256","typ":"dbsc+jwt","jwk":null}`, `{"jti":"c"}`),
		"altered":                       part(d.renewal(t, "c"), 0) + "." + unpadded(`{"jti":"d"}`) + "." + part(d.renewal(t, "c"), 2),
	} {
		t.Run(name, func(t *testing.T) {
			p, err := bound.ParseProof(raw)
			require.NoError(t, err, "it is well-formed")
			require.Error(t, p.SignedBy(key))
		})
	}
}

func FuzzParseProof(f *testing.F) {
	d := ecDevice(f)
	f.Add(d.registration(f, "c"))
	f.Add(d.renewal(f, "c"))
	f.Add(rsaDevice(f, 2048).registration(f, "c"))
	f.Add("..")
	p, err := bound.ParseProof(d.registration(f, "a challenge of ours"))
	require.NoError(f, err)
	key, err := p.Register()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := bound.ParseProof(raw)
		if err != nil {
			return
		}
		require.NotEmpty(t, p.Challenge)
		require.Equal(t, 2, strings.Count(raw, "."))
		if p.SignedBy(key) == nil {
			_, err := p.Register()
			require.Error(t, err, "nothing is both")
		}
	})
}
