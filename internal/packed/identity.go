package packed

import (
	"encoding/binary"
	"slices"
)

// An Identity is who is signed in, as guards and handlers ask for it: everything of a user but the
// claims. It is immutable. The form:
//
//	flags        1 byte: the email address is verified; there is a max age; roles are nil
//	login        Unix milliseconds
//	auth time    Unix seconds, 0: none
//	max age      seconds, if there is one
//	texts        provider, issuer, subject, session id, name, email, acr: each length<<1, bytes; or, for a UUID, 33, 16 bytes
//	roles, amr   count, each a text
type Identity struct {
	Provider        string // which provider and client have signed the user in
	Issuer, Subject string
	SessionID       string // the provider's sid
	Name, Email     string
	EmailVerified   bool
	Roles           []string
	ACR             string
	AMR             []string
	AuthTime        int64  // Unix seconds of the provider's clock; 0: it did not say
	Login           int64  // Unix milliseconds of our clock
	MaxAge          *int64 // seconds; what the login was verified for, nil: nothing
}

const (
	identityVerified = 1 << iota
	identityMaxAge
)

// texts are the fields that are one text each, in the order of the form.
func (id *Identity) texts() [7]*string {
	return [...]*string{&id.Provider, &id.Issuer, &id.Subject, &id.SessionID, &id.Name, &id.Email, &id.ACR}
}

// append writes id; nothing for nil.
func (id *Identity) append(b []byte) []byte {
	if id == nil {
		return b
	}
	var flags byte
	if id.EmailVerified {
		flags |= identityVerified
	}
	if id.MaxAge != nil {
		flags |= identityMaxAge
	}
	b = binary.AppendVarint(append(b, flags), id.Login)
	b = binary.AppendVarint(b, id.AuthTime)
	if id.MaxAge != nil {
		b = binary.AppendVarint(b, *id.MaxAge)
	}
	for _, text := range id.texts() {
		b = appendText(b, *text)
	}
	for _, list := range [][]string{id.Roles, id.AMR} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, text := range list {
			b = appendText(b, text)
		}
	}
	return b
}

// appendText writes a text, a UUID as its bytes.
func appendText(b []byte, text string) []byte {
	if len(text) == uuidChars {
		if raw := uuidAt([]byte(text)); raw != nil {
			return append(binary.AppendUvarint(b, uuidSize<<1|1), raw...)
		}
	}
	return append(binary.AppendUvarint(b, uint64(len(text))<<1), text...)
}

// readIdentity reads what append wrote; nil for anything else.
func readIdentity(data []byte) *Identity {
	r := &textReader{reader: reader{b: data}, whole: string(data)}
	id := new(Identity)
	flags := r.take(1)
	if flags == nil || flags[0]&^(identityVerified|identityMaxAge) != 0 {
		return nil
	}
	id.EmailVerified = flags[0]&identityVerified != 0
	id.Login, id.AuthTime = r.varint(), r.varint()
	if flags[0]&identityMaxAge != 0 {
		age := r.varint()
		id.MaxAge = &age
	}
	for _, text := range id.texts() {
		*text = r.text()
	}
	id.Roles, id.AMR = r.list(), r.list()
	if r.bad || len(r.b) > 0 {
		return nil
	}
	return id
}

// textReader reads texts as parts of one string, which spares an allocation each.
type textReader struct {
	reader
	whole string
}

// text reads what appendText wrote.
func (r *textReader) text() string {
	head := r.uvarint()
	if head&1 == 1 {
		raw := r.take(uuidSize)
		if head>>1 != uuidSize || raw == nil {
			r.bad = true
			return ""
		}
		return string(appendUUID(make([]byte, 0, uuidChars), raw))
	}
	at := len(r.whole) - len(r.b)
	return r.whole[at : at+len(r.take(head>>1))]
}

// list reads a count and as many texts; nil for none.
func (r *textReader) list() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, r.text())
	}
	return slices.Clip(list)
}
