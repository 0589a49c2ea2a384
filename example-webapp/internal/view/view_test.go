package view_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/example-webapp/internal/view"
)

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tests := []struct {
			from time.Duration
			want string
		}{
			{59 * time.Second, "59 s"}, {-59 * time.Second, "59 s"}, {time.Minute, "1 min"}, {119 * time.Second, "1 min"},
			{time.Hour, "1 h 0 min"}, {12*time.Hour + 90*time.Second, "12 h 1 min"},
		}
		for _, tt := range tests {
			require.Equal(t, tt.want, view.Span(time.Now().Add(tt.from)), "%s", tt.from)
		}
		require.True(t, view.Past(time.Now()), "what expires now is expired")
		require.False(t, view.Past(time.Now().Add(1)))
		east := time.Date(2026, 7, 1, 1, 0, 0, 0, time.FixedZone("", 2*60*60))
		require.Equal(t, "2026-06-30T23:00:00Z", view.Stamp(east))
	})
}

func TestClaims(t *testing.T) {
	tests := []struct {
		name, object string
		want         []string
	}{
		{"in the order of the token", `{"b":"2","a":"1"}`, []string{"b", "2", "a", "1"}},
		{"objects and lists as JSON", `{"l":["x",1],"o":{"k":null}}`, []string{"l", `["x",1]`, "o", `{"k":null}`}},
		{"numbers to their last digit", `{"n":12345678901234567890,"f":1.10}`, []string{"n", "12345678901234567890", "f", "1.10"}},
		{"null and booleans", `{"a":null,"b":true}`, []string{"a", "", "b", "true"}},
		{"no claims", `{}`, nil},
		{"not an object", `["a"]`, nil},
		{"nothing", ``, nil},
		{"broken in the middle", `{"a":"1","b":`, []string{"a", "1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var flat []string
			for _, row := range view.Claims([]byte(tt.object)) {
				flat = append(flat, row.Name, row.Value)
			}
			require.Equal(t, tt.want, flat)
		})
	}
}

func TestDatesOfClaimsAreTimesForPeople(t *testing.T) {
	for name, row := range map[string]struct {
		claim, value string
		want         string // RFC 3339, "" for none
	}{
		"an expiry":                   {"exp", "1795863300", "2026-11-28T10:55:00Z"},
		"with a fraction":             {"auth_time", "1795863300.75", "2026-11-28T10:55:00Z"},
		"with an exponent":            {"iat", "1.7958633e9", "2026-11-28T10:55:00Z"},
		"the last second there is":    {"exp", "253402300799", "9999-12-31T23:59:59Z"},
		"one that can't be written":   {"exp", "253402300800", ""},
		"one that overflows":          {"exp", "1e300", ""},
		"before 1970":                 {"nbf", "-1", ""},
		"none at all":                 {"auth_time", "0", ""},
		"a text":                      {"updated_at", `"1795863300"`, ""},
		"a number that is not a date": {"employee", "1795863300", ""},
		"a list":                      {"exp", "[1795863300]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			rows := view.Claims([]byte(`{"` + row.claim + `":` + row.value + `}`))
			require.Len(t, rows, 1)
			require.Equal(t, row.want == "", rows[0].Time.IsZero())
			if row.want != "" {
				require.Equal(t, row.want, view.Stamp(rows[0].Time))
				require.Contains(t, view.Date(rows[0].Time), row.want[:4])
			}
		})
	}
}
