package packed

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Facts are what this module itself knows about a session, apart from its content. They are small,
// and read without unpacking anything else. What a Generation returns must not be changed.
type Facts struct {
	// Login is what guards ask of the login; nil: nobody is signed in, or by an application's own
	// means.
	Login *Login

	// Persistent is whether the cookie lasts beyond the browser.
	Persistent Choice

	// Key is the key that the browser proves to have; zero: none.
	Key DeviceKey
}

// A Choice is made, or left to the configuration.
type Choice byte

// Choices.
const (
	Default Choice = iota // as the configuration says
	Yes
	No
)

// A DeviceKey is what a device-bound session knows of its browser's key.
type DeviceKey struct {
	Thumbprint string // by SHA-256 (RFC 7638 §3.4), in base64; "": none is registered
	Deadline   int64  // until when one has to be registered, Unix milliseconds; 0: none has to be
}

// Facts returns g's facts.
func (g *Generation) Facts() *Facts {
	if g.facts == nil {
		return new(Facts)
	}
	return g.facts
}

// facts reads what sections say.
func (r *reader) facts(sections []section) *Facts {
	f := new(Facts)
	for _, s := range sections {
		own := &reader{b: s.data}
		switch s.kind {
		case kindPersistent:
			f.Persistent = own.choice()
		case kindKey:
			f.Key = own.deviceKey()
		case kindLogin:
			f.Login = readLogin(own.rest())
			own.bad = f.Login == nil
		default:
			own.rest()
		}
		r.bad = r.bad || own.bad || len(own.b) > 0
	}
	return f
}

// choice reads a Choice.
func (r *reader) choice() Choice {
	b := r.take(1)
	if b == nil || b[0] > byte(No) {
		r.bad = true
		return Default
	}
	return Choice(b[0])
}

// deviceKey reads a DeviceKey. A thumbprint that is cut is not "none".
func (r *reader) deviceKey() DeviceKey {
	deadline, thumbprint := r.varint(), r.rest()
	if len(thumbprint) != 0 && len(thumbprint) != thumbprintSize {
		r.bad = true
	}
	return DeviceKey{base64.RawURLEncoding.EncodeToString(thumbprint), deadline}
}

const thumbprintSize = 32

// errFacts means that facts can't be kept.
var errFacts = errors.New("packed: not a thumbprint of SHA-256 in base64")

// check reports errFacts for what would not come back as it is.
func (f *Facts) check() error {
	if f.Key.Thumbprint != "" && len(rawOf(f.Key.Thumbprint)) != thumbprintSize {
		return errFacts
	}
	return nil
}

// sections are what reader.facts reads: nil for what there is none of.
func (f *Facts) sections() map[uint64][]byte {
	all := map[uint64][]byte{
		kindPersistent: nil, kindKey: nil, kindLogin: f.Login.append(nil),
	}
	if f.Persistent != Default {
		all[kindPersistent] = []byte{byte(f.Persistent)}
	}
	if f.Key != (DeviceKey{}) {
		all[kindKey] = append(binary.AppendVarint(nil, f.Key.Deadline), rawOf(f.Key.Thumbprint)...)
	}
	for kind, data := range all {
		if len(data) == 0 {
			all[kind] = nil
		}
	}
	return all
}
