package api_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
)

// files returns the repository's files of a kind, without what npm installs.
func files(t *testing.T, ext string) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return fs.SkipDir
		case !entry.IsDir() && filepath.Ext(path) == ext:
			paths = append(paths, path)
		}
		return nil
	}))
	return paths
}

// anchors are the addresses of a page's headings, as GitHub makes them.
func anchors(text string) (slugs []string) {
	seen := map[string]int{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		title := link.ReplaceAllString(strings.ReplaceAll(m[1], "[", ""), "")
		slug := strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
		if n := seen[slug]; n > 0 {
			slugs = append(slugs, fmt.Sprintf("%s-%d", slug, n))
		} else {
			slugs = append(slugs, slug)
		}
		seen[slug]++
	}
	return slugs
}

// targets are the places of this repository that a page links to.
func targets(text string) (places []string) {
	text = code.ReplaceAllString(fence.ReplaceAllString(text, ""), "")
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "mailto:") {
			places = append(places, m[1])
		}
	}
	return places
}

func TestLinksOfTheDocumentationLeadSomewhere(t *testing.T) {
	checked := 0
	for _, page := range files(t, ".md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, target := range targets(string(text)) {
			checked++
			path, anchor, _ := strings.Cut(target, "#")
			there := page
			if path != "" {
				there = filepath.Join(filepath.Dir(page), path)
				_, err := os.Stat(there)
				require.NoError(t, err, "%s links to %s", page, target)
			}
			if anchor != "" {
				other, err := os.ReadFile(there)
				require.NoError(t, err)
				require.Contains(t, anchors(string(other)), anchor, "%s links to %s", page, target)
			}
		}
	}
	require.Greater(t, checked, 50)
}

// A page that nobody links to is read by nobody.
func TestTheIndexListsEveryPage(t *testing.T) {
	for _, index := range []string{"../../docs/README.md", "../../docs/providers/README.md"} {
		text, err := os.ReadFile(index)
		require.NoError(t, err)
		pages, err := filepath.Glob(filepath.Join(filepath.Dir(index), "*.md"))
		require.NoError(t, err)
		for _, page := range pages {
			if name := filepath.Base(page); name != "README.md" {
				require.Contains(t, string(text), "]("+name+")", "%s does not list %s", index, name)
			}
		}
	}
}

// Comments and messages send people to pages, too.
func TestSourcesNamePagesThatExist(t *testing.T) {
	named := regexp.MustCompile(`docs/[\w/-]+\.md`)
	for _, source := range files(t, ".go") {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		for _, page := range named.FindAllString(string(text), -1) {
			require.FileExists(t, filepath.Join("../..", page), source)
		}
	}
}

func TestAnchorsAreThoseOfGitHub(t *testing.T) {
	require.Equal(t, []string{"what-banks-demand", "ids-and-keys", "again", "again-1", "a-link"},
		anchors("# What banks demand\n## `IDs` and keys!\n```sh\n# no heading\n```\n## Again\n## Again\n## A [link](x.md)\n"))
	require.Equal(t, []string{"b.md#x"}, targets("[a](https://a.test) [b](b.md#x) `[c](d.md)`\n```\n[e](f.md)\n```\n"))
}
