package view

import (
	"bytes"
	"encoding/json"
	"strings"
)

// A Claim is one row of the claims table.
type Claim struct{ Name, Value string }

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
		rows = append(rows, Claim{Name: name.(string), Value: plain(value)})
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
