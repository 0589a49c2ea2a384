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

// What somebody copies beside main.go is read in one sitting.
func TestTheLessonStaysShort(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	lines := 0
	for _, file := range files {
		if file == "main.go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		lines += strings.Count(string(source), "\n")
	}
	require.Positive(t, lines)
	require.LessOrEqual(t, lines, 500)
}
