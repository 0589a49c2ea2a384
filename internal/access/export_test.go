package access

import "encoding/json"

// CachedTokens counts the tokens that m keeps: a bound on memory shows nowhere else.
func CachedTokens(m *Machine) int { return m.cache.Len() }

// ExchangedBytes is how many bytes x counts for the tokens that it keeps.
func ExchangedBytes(x *Exchanges) int { return x.cache.Size() }

// SizeOf is how many bytes s counts.
func SizeOf[V any](s *Seen[V]) int { return s.known.Size() }

// ReadsTokenRow reports whether a row of the Store holds a token of use.
func ReadsTokenRow(raw string) bool {
	var row tokenRow
	return json.Unmarshal([]byte(raw), &row) == nil && row.issued() != nil
}
