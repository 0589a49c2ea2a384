package access

import "encoding/json"

// ReadsTokenRow reports whether a row of the Store holds a token of use.
func ReadsTokenRow(raw string) bool {
	var row tokenRow
	return json.Unmarshal([]byte(raw), &row) == nil && row.issued() != nil
}
