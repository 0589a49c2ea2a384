package session_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// texts reads the package's files, without those of tests.
func texts(t *testing.T) map[string]string {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	all := map[string]string{}
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			all[name] = string(text)
		}
	}
	return all
}

func TestEveryLogLineIsInTheOverview(t *testing.T) {
	line := regexp.MustCompile(`(?:log\.(?:Debug|Info|Warn|Error)|\.warn)\("([^":]+)`)
	all := texts(t)
	found := 0
	for name, text := range all {
		for _, match := range line.FindAllStringSubmatch(text, -1) {
			found++
			require.Contains(t, all["doc.go"], "//\t"+match[1], "%s logs it", name)
		}
	}
	require.Greater(t, found, 12)
}
