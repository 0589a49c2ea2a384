package api_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/signet-go/signet/"

// floors lists the packages of the root module from the ground up, each with what it may import of this module: packages that
// stand before it. A reader can thus understand one package with those below it alone.
var floors = []struct {
	folder string
	may    []string
}{
	{"internal/logtext", nil},
	{"internal/expiring", nil},
	{"internal/strictjson", []string{"internal/logtext"}},
	{"internal/pace", []string{"internal/logtext", "internal/expiring"}},
	{"internal/jwt", []string{"internal/logtext", "internal/strictjson"}},
	{"internal/outbound", []string{"internal/logtext", "internal/strictjson"}},
	{"internal/claims", []string{"internal/logtext", "internal/strictjson"}},
	{"internal/provider", []string{"internal/logtext", "internal/strictjson", "internal/pace", "internal/jwt", "internal/outbound", "internal/claims"}},
	{"internal/oauth", []string{"internal/logtext", "internal/strictjson", "internal/expiring", "internal/pace", "internal/jwt", "internal/outbound", "internal/provider"}},
	{"internal/pgtest", nil},
	{"internal/providertest", []string{"internal/outbound", "internal/provider", "internal/oauth"}},
	{"internal/seal", nil},
	{"internal/bound", []string{"internal/logtext", "internal/strictjson", "internal/jwt", "internal/seal"}},
	{"internal/access", []string{"internal/logtext", "internal/expiring", "internal/pace", "internal/jwt", "internal/outbound", "internal/oauth", "internal/seal"}},
	{"internal/relay", []string{"internal/outbound"}},
	{"internal/packed", nil},
	{"internal/inside", []string{"internal/seal", "internal/packed"}},
	{"internal/packed/reference", nil},
	{"internal/browser", []string{"internal/logtext", "internal/expiring", "internal/outbound", "internal/seal"}},
	{"session", []string{"internal/expiring", "internal/seal", "internal/inside", "internal/packed", "internal/bound"}},
	{"session/sessiontest", []string{"session"}},
	{"oidcauth", []string{"internal/logtext", "internal/expiring", "internal/pace", "internal/strictjson", "internal/jwt", "internal/outbound", "internal/claims", "internal/provider", "internal/oauth", "internal/seal", "internal/bound", "internal/inside", "internal/packed", "internal/access", "internal/relay", "internal/browser", "session"}},
	{"oidcauth/oidcauthtest", nil},
	{"cmd/oidcdoctor", []string{"internal/logtext", "internal/strictjson", "internal/jwt", "internal/outbound", "internal/provider", "session", "oidcauth"}},
	{"examples", nil},
	{"examples/pages", []string{"oidcauth", "session"}},
	{"examples/single-page", []string{"oidcauth", "session"}},
	{"examples/worker", []string{"oidcauth"}},
	{"examples/two-providers", []string{"oidcauth", "session"}},
	{"examples/tenants", []string{"oidcauth", "oidcauth/oidcauthtest", "session"}},
	{"examples/own-api", []string{"oidcauth"}},
	{"examples/provider", []string{"oidcauth/oidcauthtest"}},
	{"internal/api", nil},
	{"internal/benchmarks", nil},
	{"internal/mutations", nil},
	{"internal/release", nil},
	{"internal/benchmarks/server", []string{"oidcauth", "oidcauth/oidcauthtest", "session"}},
}

// forTests are packages of this module that tests alone may import: they sign what no provider
// signs, and fail tests.
var forTests = []string{"internal/packed/reference", "internal/providertest", "internal/pgtest"}

// reserved are packages that few may import: each is dear to a binary, or a decision that belongs to one place.
var reserved = map[string][]string{
	"embed":               {"oidcauth", "examples/single-page", "examples/tenants"},
	"html/template":       {"examples/pages", "examples/tenants"},
	"text/template":       nil,
	"golang.org/x/oauth2": {"oidcauth", "internal/access", "cmd/oidcdoctor"},
}

// findUpward returns the imports of a package that its row doesn't list, and those that are reserved for others.
func findUpward(folder string, may, imports []string) (faults []string) {
	for _, path := range imports {
		if inner, ours := strings.CutPrefix(path, module); ours && !slices.Contains(may, inner) {
			faults = append(faults, folder+" must not import "+inner)
		}
		if few, ok := reserved[path]; ok && !slices.Contains(few, folder) {
			faults = append(faults, folder+" must not import "+path)
		}
	}
	return faults
}

func TestImportsRunDownward(t *testing.T) {
	known := map[string]bool{}
	for _, floor := range floors {
		for _, below := range floor.may {
			require.True(t, known[below], "%s may import %s, which stands above it or nowhere", floor.folder, below)
			require.NotContains(t, forTests, below, "%s may not import it: it is for tests", floor.folder)
		}
		known[floor.folder] = true
		require.Empty(t, findUpward(floor.folder, floor.may, importsOf(t, floor.folder)))
	}
	for _, folder := range packages(t) {
		require.True(t, known[folder], "%s is not in the table of packages: say what it may import", folder)
	}
}

func TestAnUpwardImportIsFound(t *testing.T) {
	require.Equal(t, []string{"internal/jwt must not import oidcauth"}, findUpward("internal/jwt", []string{"internal/logtext"},
		[]string{"fmt", module + "internal/logtext", module + "oidcauth"}))
	require.Equal(t, []string{"oidcauth must not import internal/providertest"}, findUpward("oidcauth", []string{"internal/provider"},
		[]string{module + "internal/provider", module + "internal/providertest"}))
	require.Equal(t, []string{"session must not import embed"}, findUpward("session", nil, []string{"embed"}))
}

// importsOf returns what the sources of a package import, tests aside.
func importsOf(t *testing.T, folder string) (imports []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files, folder)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			imports = append(imports, path)
		}
	}
	return imports
}

// packages returns the folders of the root module's packages.
func packages(t *testing.T) (folders []string) {
	t.Helper()
	for _, top := range []string{"internal", "oidcauth", "session", "cmd", "examples"} {
		root := filepath.Join("..", "..", top)
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil, entry.IsDir() && entry.Name() == "testdata":
				return fs.SkipDir // also a folder that is not there
			case !entry.IsDir():
				return nil
			}
			if modules, _ := filepath.Glob(filepath.Join(path, "go.mod")); modules != nil {
				return fs.SkipDir // a module of its own
			}
			if sources, _ := filepath.Glob(filepath.Join(path, "*.go")); sources != nil {
				folder, err := filepath.Rel(filepath.Join("..", ".."), path)
				require.NoError(t, err)
				folders = append(folders, filepath.ToSlash(folder))
			}
			return nil
		})
	}
	return folders
}
