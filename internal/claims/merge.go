// Package claims calculates with the claims of a user: it merges those of several parties, follows
// dotted paths, and tells what differs. All of them are JSON objects as text. It believes what it
// is given: whether a claim may be believed, its callers have decided. Start at [Merge] and [At].
package claims

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/signet-go/signet/internal/strictjson"
)

// Merge adds userinfo's claims to an ID token's, both JSON objects. A claim of the ID token, which
// is signed, is never replaced, and userinfo never provides a protocol claim, in no spelling: what
// the provider says about the login itself comes from the ID token alone. The result is compact, in
// the order of its sources; without userinfo it is the ID token's claims as they are.
func Merge(idToken, userinfo json.RawMessage) (json.RawMessage, error) {
	if userinfo == nil && idToken != nil {
		return idToken, nil
	}
	signed, err := ParseOptional(idToken)
	if err != nil {
		return nil, err
	}
	told, err := ParseOptional(userinfo)
	if err != nil {
		return nil, err
	}
	var merged bytes.Buffer
	merged.WriteByte('{')
	for _, name := range signed.Names {
		if err == nil {
			err = writeMember(&merged, name, signed.Values[name])
		}
	}
	roots := dottedRoots(signed.Names)
	for _, name := range told.Names {
		if err == nil && isPath(name) && FoldsTo(name) == "" && !signed.Has(name) && !roots[name] && !holdsPath(signed, name) && agree(signed, told, name) {
			err = writeMember(&merged, name, told.Values[name])
		}
	}
	merged.WriteByte('}')
	return merged.Bytes(), err
}

// ParseOptional is parseObject for claims that may be missing.
func ParseOptional(raw json.RawMessage) (strictjson.Object, error) {
	if raw == nil {
		return strictjson.Object{}, nil
	}
	return strictjson.Parse(raw)
}

// agree reports whether userinfo may add this half of a pair: not when the two sources differ in
// the other half. An address from one and the word of the other that some other address was
// verified would make a lie.
func agree(signed, told strictjson.Object, name string) bool {
	other, paired := otherHalf(name)
	return !paired || !signed.Has(other) || !told.Has(other) || sameHalf(other, signed.Values[other], told.Values[other])
}

// WithoutMoved returns extra without both halves of each pair in which the ID token says now what
// it did not say before. What userinfo said at the login belongs to what the ID token said then: a
// mark of another address, or an address with another mark.
func WithoutMoved(extra, before, now json.RawMessage) json.RawMessage {
	kept, err := ParseOptional(extra)
	if err != nil || len(kept.Names) == 0 {
		return extra
	}
	for _, pair := range pairs {
		if moved(before, now, pair) {
			delete(kept.Values, pair[0])
			delete(kept.Values, pair[1])
		}
	}
	switch len(kept.Values) {
	case len(kept.Names):
		return extra
	case 0:
		return nil
	}
	rest, _ := json.Marshal(kept.Values) // of values that were just parsed
	return rest
}

// moved reports whether two ID tokens differ in a half of a pair.
func moved(before, now json.RawMessage, pair [2]string) bool {
	old, err := ParseOptional(before)
	fresh, other := ParseOptional(now)
	return err != nil || other != nil || !bytes.Equal(old.Values[pair[0]], fresh.Values[pair[0]]) ||
		!bytes.Equal(old.Values[pair[1]], fresh.Values[pair[1]])
}

func writeMember(b *bytes.Buffer, name string, value json.RawMessage) error {
	if b.Len() > 1 {
		b.WriteByte(',')
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return err
	}
	b.Write(quoted)
	b.WriteByte(':')
	return json.Compact(b, value)
}

// MembersOf returns those members of o that names has, as a JSON object. One at least must be
// there.
func MembersOf(o strictjson.Object, names []string) (json.RawMessage, error) {
	var picked bytes.Buffer
	picked.WriteByte('{')
	for _, name := range names {
		if !o.Has(name) {
			continue
		}
		if err := writeMember(&picked, name, o.Values[name]); err != nil {
			return nil, err
		}
	}
	if picked.Len() == 1 {
		return nil, fmt.Errorf("expected a claim of %q, got none", names)
	}
	picked.WriteByte('}')
	return picked.Bytes(), nil
}

// MergeSourced is Merge for claims of somebody else than the provider: of a pair whose one half is
// known the other half is not taken at all, since the two parties may speak of different addresses;
// and a mark in words is believed of the provider alone.
func MergeSourced(claims, sourced json.RawMessage) (json.RawMessage, error) {
	known, err := strictjson.Parse(claims)
	if err != nil {
		return nil, err
	}
	told, err := strictjson.Parse(sourced)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(told.Names, func(name string) bool {
		other, paired := otherHalf(name)
		return paired && known.Has(other) || isMark(name) && told.Values[name][0] == '"'
	})
	if len(names) == 0 {
		return claims, nil
	}
	taken, err := MembersOf(told, names)
	if err != nil {
		return nil, err
	}
	return Merge(claims, taken)
}

// Beyond returns the members of claims that base does not have, or has otherwise, as a JSON object;
// nil when there are none.
func Beyond(claims, base json.RawMessage) json.RawMessage {
	var all, known map[string]json.RawMessage
	if json.Unmarshal(claims, &all) != nil {
		return nil
	}
	_ = json.Unmarshal(base, &known) // a verified token's claims are an object
	for name, value := range all {
		if old, ok := known[name]; ok && bytes.Equal(compacted(old), compacted(value)) {
			delete(all, name)
		}
	}
	if len(all) == 0 {
		return nil
	}
	extra, _ := json.Marshal(all) // of values that were just decoded
	return extra
}

// compacted is value without insignificant white space.
func compacted(value json.RawMessage) []byte {
	var out bytes.Buffer
	if json.Compact(&out, value) != nil {
		return value
	}
	return out.Bytes()
}
