package session_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Histories that were once got wrong, as they were found, or told in the order of a story. Slots 0
// to 2 are tabs of one browser.
func TestHistoriesThatWereGotWrong(t *testing.T) {
	rows := []struct {
		name string
		h    history
	}{
		{"a stream refreshes, whose response can carry no cookie any more", history{
			{open, 0, 0}, {flush, 0, 0}, {arrive, 0, 0}, {refresh, 0, 0}, {wait, 0, 75}, {open, 1, 0}, {look, 1, 0}, {refresh, 1, 0},
		}},
		{"the response with the newer cookie is lost", history{
			{open, 0, 0}, {refresh, 0, 0}, {lose, 0, 0}, {wait, 0, 300}, {open, 0, 0}, {look, 0, 0}, {refresh, 0, 0},
		}},
		{"nobody waits for a slow refresh", history{
			{open, 0, 0}, {refresh, 0, 1}, {arrive, 0, 0}, {wait, 0, 75}, {open, 0, 0}, {look, 0, 0}, {refresh, 0, 0},
		}},
		{"a request looks late, when another has refreshed", history{
			{open, 0, 0}, {open, 1, 0}, {refresh, 0, 0}, {wait, 0, 75}, {look, 1, 0},
		}},
		{"a page that takes long moves the idle limit, when another tab has refreshed", history{
			{wait, 0, 75}, {open, 1, 0}, {look, 1, 0}, {open, 0, 0}, {refresh, 0, 0}, {arrive, 0, 0}, {open, 0, 0}, {look, 0, 0},
			{arrive, 0, 0}, {wait, 0, 75}, {arrive, 1, 0}, {open, 0, 0}, {look, 0, 0},
		}},
		{"a page that takes long saves a field, when another tab has refreshed", history{
			{open, 1, 0}, {set, 1, 0}, {open, 0, 0}, {refresh, 0, 0}, {arrive, 0, 0}, {open, 0, 0}, {look, 0, 0}, {arrive, 0, 0},
			{wait, 0, 75}, {arrive, 1, 0}, {open, 0, 0}, {look, 0, 0},
		}},
		{"another tab signs in anew, and then a request under way is answered", history{
			{open, 1, 0}, {set, 1, 0}, {open, 0, 0}, {login, 0, 0}, {arrive, 0, 0}, {arrive, 1, 0}, {open, 0, 0}, {look, 0, 0},
		}},
		{"another tab signs in anew, and then a request under way looks at its session", history{
			{open, 1, 0}, {open, 0, 0}, {login, 0, 0}, {arrive, 0, 0}, {look, 1, 0}, {arrive, 1, 0}, {open, 0, 0}, {look, 0, 0},
		}},
		{"another tab signs in anew, and then a stream refreshes", history{
			{open, 1, 0}, {look, 1, 0}, {open, 0, 0}, {login, 0, 0}, {arrive, 0, 0}, {refresh, 1, 0}, {arrive, 1, 0}, {open, 0, 0}, {look, 0, 0},
		}},
		{"a login keeps the fields, of which another tab has saved one since", history{
			{open, 0, 0}, {set, 0, 0}, {open, 1, 1}, {set, 1, 1}, {arrive, 1, 0}, {login, 0, 1}, {arrive, 0, 0}, {open, 0, 0}, {look, 0, 0},
		}},
		{"a login keeps the fields, and another tab has signed out since", history{
			{open, 0, 0}, {set, 0, 0}, {save, 0, 0}, {open, 1, 1}, {logout, 1, 0}, {login, 0, 1}, {arrive, 0, 0}, {open, 0, 0}, {look, 0, 0},
		}},
		{"a stream refreshes now and then, long after the idle limit that its cookie had", history{
			{open, 0, 0}, {look, 0, 0}, {flush, 0, 0}, {wait, 0, 1900}, {open, 1, 1}, {look, 1, 0}, {arrive, 1, 0}, {adopt, 0, 0}, {wait, 0, 1900},
			{refresh, 0, 1}, {wait, 0, 20}, {adopt, 0, 0}, {open, 1, 1}, {look, 1, 0}, {refresh, 1, 0},
		}},
		{"a stream refreshes when what came after its own content is forgotten", history{
			{open, 1, 0}, {refresh, 1, 1}, {flush, 1, 0}, {wait, 0, 3700}, {refresh, 1, 0},
		}},
		{"the session is ended from elsewhere, while a request is under way", history{
			{open, 0, 0}, {look, 0, 0}, {kill, 0, 0}, {adopt, 0, 0}, {arrive, 0, 0}, {open, 0, 0}, {look, 0, 0},
		}},
		{"a session that is used outlives its idle limit", history{
			{wait, 0, 1900}, {open, 0, 0}, {look, 0, 0}, {arrive, 0, 0}, {wait, 0, 1900}, {open, 0, 0}, {look, 0, 0},
		}},
		{"a mark ends the session, while a refresh is under way that the request does not wait for", history{
			{open, 0, 0}, {refresh, 0, 1}, {revoke, 0, 0}, {wait, 0, 20}, {arrive, 0, 0},
		}},
		{"the same, and the request looks for newer content then", history{
			{open, 2, 0}, {refresh, 2, 1}, {revoke, 0, 0}, {wait, 0, 20}, {adopt, 2, 0}, {flush, 2, 0},
		}},
	}
	for _, row := range rows {
		for _, m := range modes {
			t.Run(row.name+"/"+m.name, func(t *testing.T) { require.NoError(t, happens(t, m, row.h)) })
		}
	}
}
