package claims

import (
	"encoding/json"
	"strings"

	"github.com/signet-go/signet/internal/strictjson"
)

// At finds the member called name in an object, or the one at the dotted path.
func At(object json.RawMessage, name string) (json.RawMessage, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil, false
	}
	if value, ok := members[name]; ok {
		return value, true
	}
	for i := range len(name) {
		if name[i] != '.' {
			continue
		}
		if value, ok := members[name[:i]]; ok {
			if found, ok := At(value, name[i+1:]); ok {
				return found, true
			}
		}
	}
	return nil, false
}

// Names of claims are looked into as paths only up to here; what it takes to do so grows with the
// square of their length. No claim of userinfo is added beyond.
const (
	maxPathBytes = 256
	maxPathDots  = 8
)

// isPath reports whether name is within these bounds.
func isPath(name string) bool {
	return len(name) <= maxPathBytes && strings.Count(name, ".") <= maxPathDots
}

// dottedRoots are the beginnings of names at which a dotted path could also be followed: "a" and
// "a.b" for "a.b.c". They are paths themselves.
func dottedRoots(names []string) map[string]bool {
	roots := map[string]bool{}
	for _, name := range names {
		dots := 0
		for i := 0; i < len(name) && i <= maxPathBytes && dots <= maxPathDots; i++ {
			if name[i] == '.' {
				roots[name[:i]] = true
				dots++
			}
		}
	}
	return roots
}

// holdsPath reports whether o has what a dotted path leads to. A member of that very name, which is
// looked at first, would stand before it.
func holdsPath(o strictjson.Object, path string) bool {
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if value, ok := o.Values[path[:i]]; ok {
			if _, found := At(value, path[i+1:]); found {
				return true
			}
		}
	}
	return false
}
