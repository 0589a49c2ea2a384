package api_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the API of today into testdata")

// public are the packages that users import, by their folders below the module's root.
var public = []string{"oidcauth", "oidcauth/oidcauthtest", "session", "session/sessiontest", "session/redisstore", "session/sqlstore"}

// A change that is meant is written down by `go test ./internal/api -update`, and told to users in CHANGELOG.md.
func TestTheAPIIsTheOneWrittenDown(t *testing.T) {
	for _, folder := range public {
		t.Run(folder, func(t *testing.T) {
			now := declarations(t, filepath.Join("..", "..", folder))
			file := filepath.Join("testdata", strings.ReplaceAll(folder, "/", "-")+".txt")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(now), 0o600))
			}
			written, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(written), now, "The API of %s has changed. If that is meant, write it down with\n"+
				"\tgo test ./internal/api -update\nand say so in CHANGELOG.md.", folder)
		})
	}
}

// What is not for users is in no user's API: package inside is the door for it.
func TestTheAPINamesNoInternalPackage(t *testing.T) {
	require.Equal(t, []string{"seal.Sealer"}, findInternal([]string{"context", module + "internal/seal"}, "func F(s *seal.Sealer)"))
	for _, folder := range public {
		text := declarations(t, filepath.Join("..", "..", folder))
		require.Empty(t, findInternal(importsOf(t, folder), text), folder)
	}
}

// findInternal returns the names of internal packages' in declarations. What a variable is set to is not a part of its type.
func findInternal(imports []string, declarations string) (found []string) {
	declarations = regexp.MustCompile(`= \w+\.\w+`).ReplaceAllString(declarations, "")
	for _, path := range imports {
		if inner, ours := strings.CutPrefix(path, module+"internal/"); ours {
			found = append(found, regexp.MustCompile(`\b`+inner+`\.\w+`).FindAllString(declarations, -1)...)
		}
	}
	return found
}

// declarations prints what a folder's package exports, sorted, without comments and bodies. It depends on the source alone, on no
// platform and no installed tool.
func declarations(t *testing.T, folder string) string {
	t.Helper()
	fset := token.NewFileSet()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	p, err := doc.NewFromFiles(fset, files, "github.com/signet-go/signet/"+folder)
	require.NoError(t, err)
	var out bytes.Buffer
	values := func(list ...[]*doc.Value) {
		for _, group := range list {
			for _, v := range group {
				write(t, &out, fset, v.Decl)
			}
		}
	}
	funcs := func(list ...[]*doc.Func) {
		for _, group := range list {
			for _, f := range group {
				write(t, &out, fset, f.Decl)
			}
		}
	}
	values(p.Consts, p.Vars)
	funcs(p.Funcs)
	for _, typ := range p.Types {
		write(t, &out, fset, typ.Decl)
		values(typ.Consts, typ.Vars)
		funcs(typ.Funcs, typ.Methods)
	}
	return out.String()
}

// write prints one declaration and an empty line.
func write(t *testing.T, out *bytes.Buffer, fset *token.FileSet, declaration ast.Decl) {
	t.Helper()
	if f, ok := declaration.(*ast.FuncDecl); ok {
		f.Body = nil
	}
	config := printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}
	require.NoError(t, config.Fprint(out, fset, declaration))
	out.WriteString("\n\n")
}
