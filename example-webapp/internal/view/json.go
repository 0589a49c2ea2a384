package view

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// A Claim is one row of the claims table. Time is what the value means to people, where it is a
// NumericDate (RFC 7519 §2), else zero.
type Claim struct {
	Name, Value string
	Time        time.Time
}

// dates are the claims whose values are NumericDates (RFC 7519 §4.1, OpenID Connect Core §2 and
// §5.1).
var dates = []string{"auth_time", "exp", "iat", "nbf", "updated_at"}

// endOfDates is when the year 10000 begins, which RFC 3339 can't write.
const endOfDates = 253402300800

// dated returns the time that a claim holds, and the zero time if it holds none.
func dated(name string, value json.RawMessage) time.Time {
	var seconds float64
	if !slices.Contains(dates, name) || json.Unmarshal(value, &seconds) != nil || seconds <= 0 || seconds >= endOfDates {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// Claims lists the members of a JSON object in their order, values as JSON.
//
// encoding/json into a map would lose the order, and with it the likeness to what the provider
// sent.
func Claims(object json.RawMessage) []Claim {
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var rows []Claim
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return rows
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return rows
		}
		rows = append(rows, Claim{Name: name.(string), Value: plain(value), Time: dated(name.(string), value)})
	}
	return rows
}

// plain shows JSON strings without quotes, everything else as it is.
//
// Numbers keep their digits: a float64 would round large ones.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// Indented makes JSON readable and leaves anything else alone.
func Indented(body []byte) string {
	var buf bytes.Buffer
	if json.Indent(&buf, body, "", "  ") != nil {
		return string(body)
	}
	return buf.String()
}

// RawOrText returns JSON as it is and anything else as a string.
//
// Embedding is safe, since json.Marshal escapes what HTML could take for a tag, and the answer's
// type is application/json with nosniff.
func RawOrText(body []byte) any {
	if json.Valid(body) {
		return json.RawMessage(body)
	}
	return string(body)
}
