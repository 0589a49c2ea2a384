package packed

import (
	"encoding/binary"
	"slices"
)

// A Login is what a guard asks of a login, of what no token tells. It is immutable. The form:
//
//	flags      1 byte: amended; there is a max age
//	time       Unix milliseconds
//	auth time  Unix seconds, 0: none
//	max age    seconds, if there is one
//	provider   length<<1, bytes; or, for a UUID, 33, 16 bytes
//	roles      count, each a text like provider
type Login struct {
	Provider string // which provider and client have signed the user in
	Roles    []string
	Time     int64  // when it finished, Unix milliseconds of our clock
	AuthTime int64  // Unix seconds of the provider's clock; 0: it did not say
	MaxAge   *int64 // seconds; what the login was verified for, nil: nothing

	// Amended is for a user who is otherwise than the claims kept say: the rest is elsewhere in the
	// session.
	Amended bool
}

const (
	loginAmended = 1 << iota
	loginMaxAge
)

// append writes l; nothing for nil.
func (l *Login) append(b []byte) []byte {
	if l == nil {
		return b
	}
	var flags byte
	if l.Amended {
		flags |= loginAmended
	}
	if l.MaxAge != nil {
		flags |= loginMaxAge
	}
	b = binary.AppendVarint(append(b, flags), l.Time)
	b = binary.AppendVarint(b, l.AuthTime)
	if l.MaxAge != nil {
		b = binary.AppendVarint(b, *l.MaxAge)
	}
	b = appendText(b, l.Provider)
	b = binary.AppendUvarint(b, uint64(len(l.Roles)))
	for _, role := range l.Roles {
		b = appendText(b, role)
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

// readLogin reads what append wrote; nil for anything else.
func readLogin(data []byte) *Login {
	r := &textReader{reader: reader{b: data}, whole: string(data)}
	flags := r.take(1)
	if flags == nil || flags[0]&^(loginAmended|loginMaxAge) != 0 {
		return nil
	}
	l := &Login{Amended: flags[0]&loginAmended != 0, Time: r.varint(), AuthTime: r.varint()}
	if flags[0]&loginMaxAge != 0 {
		age := r.varint()
		l.MaxAge = &age
	}
	l.Provider, l.Roles = r.text(), r.list()
	if r.bad || len(r.b) > 0 {
		return nil
	}
	return l
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
