package logtext_test

import (
	"testing"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/stretchr/testify/require"
)

func TestShortNamesStayAsTheyAre(t *testing.T) {
	// Cookies and sessions that exist have such names.
	require.Equal(t, "ungWv48Bz-pB", logtext.Short("abc"))
	require.NotEqual(t, logtext.Short("a", "b"), logtext.Short("ab"))
	require.NotEqual(t, logtext.Short("a", "b"), logtext.Short("b", "a"))
	require.NotEqual(t, logtext.Short("a"), logtext.Short("a", ""))
	require.Equal(t, logtext.Fingerprint("sub", "abc").Value.String(), logtext.Short("abc"))
	require.Empty(t, logtext.Fingerprint("sub", "").Value.String())
}
