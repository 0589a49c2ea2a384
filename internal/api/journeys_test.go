package api_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheJourneysInContributingAreThoseOfTheCode(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "CONTRIBUTING.md"))
	require.NoError(t, err)
	_, journeys, _ := strings.Cut(string(text), "\n## Six journeys\n")
	journeys, _, _ = strings.Cut(journeys, "\n## ")
	blocks := strings.Split(journeys, "```")
	require.GreaterOrEqual(t, len(blocks)/2, 6)
	for i := 1; i < len(blocks); i += 2 {
		require.Empty(t, findDetours(strings.TrimPrefix(blocks[i], "text\n"), func(file string) string {
			source, err := os.ReadFile(filepath.Join("..", "..", file))
			require.NoError(t, err)
			return string(source)
		}))
	}
}

// What CONTRIBUTING.md names in its text is there, too: files, packages, types, functions, fields.
func TestTheNamesInContributingAreThoseOfTheCode(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "CONTRIBUTING.md"))
	require.NoError(t, err)
	known := namesInTheTree(t)
	plain := regexp.MustCompile("(?s)```.*?```").ReplaceAllString(string(text), "")
	checked := 0
	for _, span := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(plain, -1) {
		if name := span[1]; regexp.MustCompile(`^\w[\w./]*$`).MatchString(name) && name != strings.ToUpper(name) { // no variable of the environment
			require.True(t, known[name] || known[name[strings.LastIndexByte(name, '.')+1:]], "%s is nowhere", name)
			checked++
		}
	}
	require.Greater(t, checked, 20)
	require.False(t, known["noteOther"] || known["oidcauth/page.go"] || known["go"])
}

// Whoever opens a package learns there where to begin.
func TestEveryPackageSaysWhereToStartReading(t *testing.T) {
	for _, folder := range packages(t) {
		if !strings.HasPrefix(folder, "internal/") {
			continue
		}
		files, err := filepath.Glob(filepath.Join("..", "..", folder, "*.go"))
		require.NoError(t, err)
		var comment strings.Builder
		for _, path := range files {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
			require.NoError(t, err)
			comment.WriteString(file.Doc.Text())
		}
		if !strings.HasPrefix(comment.String(), "Command ") {
			require.Regexp(t, `Start\s(reading\s)?at\s`, comment.String(), folder)
		}
	}
}

// namesInTheTree are the paths of folders and Go files, the files' names alone, and every
// identifier that is declared in one that is no test.
func namesInTheTree(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	root := filepath.Join("..", "..")
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return cmp.Or(err, fs.SkipDir)
		}
		known[strings.TrimPrefix(filepath.ToSlash(path), "../../")], known[entry.Name()] = true, true
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				known[n.Name.Name] = true
				return false
			case *ast.TypeSpec:
				known[n.Name.Name] = true
			case *ast.Field:
				for _, name := range n.Names {
					known[name.Name] = true
				}
			}
			return true
		})
		return nil
	}))
	return known
}

func TestADetourOfAJourneyIsFound(t *testing.T) {
	source := func(string) string {
		return "package p\nfunc (a *A) one() { a.two(); three(); three() }\nfunc (a A) two() {}\nfunc three() {}\nfunc (g *G[V]) two() {}"
	}
	require.Empty(t, findDetours("A.one  p.go\n  two\n  three, three\n\nG.two  p.go\n", source))
	for journey, fault := range map[string]string{
		"A.one  p.go\n  four\n":                "p.go has no four",
		"three  p.go\nB.one  p.go\n":           "p.go has no B.one",
		"A.one  p.go\n  three, two\n":          "A.one does not call two after three",
		"A.one  p.go\n  three, three, three\n": "A.one does not call three after three",
		"A.two  p.go\n  three  p.go\n":         "A.two does not call three",
		"A.one  p.go\n three\n":                `no step of a journey: " three"`,
		"A.one  p.go\n    three\n":             `no step of a journey: "    three"`,
		"A.one\n":                              `no step of a journey: "A.one"`,
	} {
		require.Equal(t, []string{fault}, findDetours(journey, source), journey)
	}
}

// A step is one line of a journey: functions in one file, "name" or "Type.name", which the last
// function of the step above calls in this order. What follows it below is called by its own last.
type step struct {
	file string
	name string

	// body is what name does; called is what of it was last found to be called, and at where.
	body   *ast.FuncDecl
	called string
	at     token.Pos
}

var stepLine = regexp.MustCompile(`^((?:  )*)([\w.]+(?:, [\w.]+)*)(?: {2,}(\S+\.go))?$`)

// findDetours returns what a journey says of the sources and is not so.
func findDetours(journey string, source func(file string) string) (faults []string) {
	var above []*step
	for line := range strings.SplitSeq(journey, "\n") {
		if line == "" {
			continue
		}
		parts := stepLine.FindStringSubmatch(line)
		if parts == nil || len(parts[1])/2 > len(above) || parts[1]+parts[3] == "" {
			return append(faults, fmt.Sprintf("no step of a journey: %q", line))
		}
		above = above[:len(parts[1])/2]
		s := &step{file: parts[3]}
		if s.file == "" {
			s.file = above[len(above)-1].file
		}
		functions := functionsOf(source(s.file))
		for name := range strings.SplitSeq(parts[2], ", ") {
			if s.name, s.body = name, functions[name]; s.body == nil {
				faults = append(faults, s.file+" has no "+name)
				return faults
			}
			if len(above) > 0 && !above[len(above)-1].calls(name) {
				faults = append(faults, above[len(above)-1].denies(name))
			}
		}
		above = append(above, s)
	}
	return faults
}

// calls reports whether s names the function behind what it was last found to call.
func (s *step) calls(name string) (found bool) {
	name = name[strings.LastIndexByte(name, '.')+1:]
	ast.Inspect(s.body, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && !found && id != s.body.Name && id.Name == name && id.Pos() > s.at {
			s.called, s.at, found = name, id.Pos(), true
		}
		return !found
	})
	return found
}

func (s *step) denies(name string) string {
	if s.called == "" {
		return s.name + " does not call " + name
	}
	return s.name + " does not call " + name + " after " + s.called
}

// functionsOf returns the functions and methods of a file, methods with and without their type.
func functionsOf(source string) map[string]*ast.FuncDecl {
	functions := map[string]*ast.FuncDecl{}
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if err != nil {
		return nil
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		functions[f.Name.Name] = f
		if f.Recv != nil {
			functions[receiver(f.Recv.List[0].Type)+"."+f.Name.Name] = f
		}
	}
	return functions
}

// receiver names the type of a receiver.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
