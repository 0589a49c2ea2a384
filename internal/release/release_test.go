package main_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	main "github.com/signet-go/signet/internal/release"
)

const root = "../.."

func modules(t *testing.T) []main.Module {
	t.Helper()
	if _, err := os.Stat(root + "/.git"); err != nil {
		t.Skip("this is no clone")
	}
	found, err := main.FindModules(root)
	require.NoError(t, err)
	sorted, err := main.InOrder(found)
	require.NoError(t, err)
	return sorted
}

// A module that some list lacks is not tested, not checked for vulnerabilities, or not released.
func TestEveryListOfModulesIsComplete(t *testing.T) {
	var folders []string
	for _, m := range modules(t) {
		folders = append(folders, m.Folder())
	}
	slices.Sort(folders)
	for file, list := range map[string]*regexp.Regexp{
		"go.work":                               regexp.MustCompile(`(?s)use \((.*?)\)`),
		".ci/run":                               regexp.MustCompile(`modules=\((.*?)\)`),
		".ci/lint":                              regexp.MustCompile(`for module in (.*?);`),
		".github/workflows/test.yml":            regexp.MustCompile(`module: \[(.*?)\]`),
		".github/workflows/vulnerabilities.yml": regexp.MustCompile(`module: \[(.*?)\]`),
		".github/workflows/weekly.yml":          regexp.MustCompile(`module: \[(.*?)\]`),
		".github/dependabot.yml":                regexp.MustCompile(`(?s)gomod\n    directories: \[(.*?)\]`),
	} {
		text, err := os.ReadFile(root + "/" + file)
		require.NoError(t, err)
		m := list.FindSubmatch(text)
		require.NotNil(t, m, file)
		var named []string
		for _, name := range strings.FieldsFunc(string(m[1]), func(r rune) bool { return strings.ContainsRune(" ,\n\t\"", r) }) {
			if name = strings.TrimPrefix(strings.TrimPrefix(name, "./"), "/"); name == "" {
				name = "."
			}
			named = append(named, name)
		}
		slices.Sort(named)
		require.Equal(t, folders, named, file)
	}
}

func TestModulesComeAfterThoseTheyRequire(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range modules(t) {
		switch m.Folder() {
		case "session/sqlstore", "example-webapp":
			require.True(t, seen["session/redisstore"], m.Folder())
		}
		require.True(t, seen["."] || m.Folder() == ".", "the root is first")
		seen[m.Folder()] = true
	}
	_, err := main.InOrder([]main.Module{
		main.At("a.test/a", "a", map[string]string{"a.test/b": "v1.0.0"}), main.At("a.test/b", "b", map[string]string{"a.test/a": "v1.0.0"}),
	})
	require.ErrorContains(t, err, "circle")
}

func TestATagIsNamedAfterItsFolder(t *testing.T) {
	require.Equal(t, "v1.2.3", main.At("a.test/a", ".", nil).Tag("v1.2.3"))
	require.Equal(t, "session/redisstore/v1.2.3", main.At("a.test/a", "session/redisstore", nil).Tag("v1.2.3"))
}

func TestModulesRequireEachOtherAtTheSameVersion(t *testing.T) {
	all := modules(t)
	require.NoError(t, main.CheckRequirements(all, "v0.1.0"))
	require.ErrorContains(t, main.CheckRequirements(all, "v0.2.0"), "session/redisstore/go.mod requires github.com/signet-go/signet v0.1.0")
}

func TestAModuleHasItsLicenseAndNoOthersFiles(t *testing.T) {
	for _, m := range modules(t) {
		files, err := main.FilesOf(root, m)
		require.NoError(t, err)
		require.Contains(t, files, "LICENSE", m.Folder())
		require.Contains(t, files, "go.mod", m.Folder())
		for _, file := range files {
			require.False(t, m.Folder() == "." && strings.HasPrefix(file, "session/redisstore/"), file)
		}
	}
}

func TestNotesAreThoseOfTheVersion(t *testing.T) {
	changelog := "# Changelog\n\n## 0.2.0 (2026-12-01)\n\n- new\n\n## 0.1.0 (unreleased)\n\n- first\n"
	text, dated, err := main.Notes(changelog, "v0.2.0")
	require.NoError(t, err)
	require.Equal(t, "- new", text)
	require.True(t, dated)
	text, dated, err = main.Notes(changelog, "v0.1.0")
	require.NoError(t, err)
	require.Equal(t, "- first", text)
	require.False(t, dated)
	_, _, err = main.Notes(changelog, "v0.3.0")
	require.ErrorContains(t, err, "no heading")
	_, _, err = main.Notes("## 0.3.0\n\n## 0.2.0\n\n- x\n", "v0.3.0")
	require.ErrorContains(t, err, "says nothing")
}

// The root, as a user gets it: from a proxy, into an empty module cache.
func TestUsersCanGetTheRoot(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks modules")
	}
	t.Setenv("GOSUMDB", "off") // the other modules come out of this machine's cache
	proxy := t.TempDir()
	all := modules(t)
	require.NoError(t, main.Pack(root, all[0], "v0.1.0", proxy))
	require.NoError(t, main.Get(all[0], "v0.1.0", proxy))
	require.Error(t, main.Get(all[0], "v0.1.1", proxy), "nobody has packed that")
}
