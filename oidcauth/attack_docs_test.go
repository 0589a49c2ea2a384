package oidcauth_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The table of checks says which test holds each one: the tests it names exist.
func TestTheSecurityPageNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("../docs/security.md")
	if os.IsNotExist(err) {
		t.Skip("the documentation is not here")
	}
	require.NoError(t, err)
	exists := map[string]bool{}
	for _, folder := range []string{".", "../session", "../internal/*"} {
		files, err := filepath.Glob(folder + "/*_test.go")
		require.NoError(t, err)
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllSubmatch(source, -1) {
				exists[string(m[1])] = true
			}
		}
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`").FindAllSubmatch(page, -1)
	require.Greater(t, len(named), 100)
	for _, m := range named {
		require.True(t, exists[string(m[1])], "%s is named, and is no test", m[1])
	}
}
