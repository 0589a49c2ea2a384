package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever opens the folder finds every file of the lesson and every package of the bench in its README, and nothing that is gone.
func TestTheReadmeSaysWhichFileIsWhich(t *testing.T) {
	page, err := os.ReadFile("README.md")
	require.NoError(t, err)
	lesson, err := filepath.Glob("*.go")
	require.NoError(t, err)
	bench, err := filepath.Glob("internal/*")
	require.NoError(t, err)
	rows := 0
	for _, name := range append(lesson, bench...) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		rows++
		require.Contains(t, string(page), "| ["+filepath.Base(name)+"]("+filepath.ToSlash(name)+") |")
	}
	require.Equal(t, rows, strings.Count(string(page), "\n| ["), "the README names something that is not there")
}
