package oidcauth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// operations returns the operators' page from the heading on, up to the next.
func operations(t *testing.T, heading string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/operations.md")
	if os.IsNotExist(err) {
		t.Skip("the documentation is not here")
	}
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "\n## "+heading+"\n")
	require.True(t, found, heading)
	section, _, _ := strings.Cut(rest, "\n## ")
	return section
}

// An operator who meets a message finds it in the runbook, and the runbook tells of no message that does not come.
func TestTheRunbookNamesEveryLogMessage(t *testing.T) {
	var documented []string
	for line := range strings.Lines(operations(t, "Logs")) {
		if cell, _, found := strings.Cut(strings.TrimPrefix(line, "| "), " | "); found {
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
				documented = append(documented, m[1])
			}
		}
	}
	require.Greater(t, len(documented), 20)
	logged := map[string]bool{}
	for _, folder := range []string{".", "../session", "../session/redisstore", "../internal/*"} {
		collectMessages(t, folder, logged)
	}
	slices.Sort(documented)
	require.Equal(t, slices.Sorted(maps.Keys(logged)), slices.Compact(documented))
}

// collectMessages adds the log messages in a folder's sources: constants in the place where slog's functions, or our own that
// pass them on, expect them.
func collectMessages(t *testing.T, folder string, messages map[string]bool) {
	t.Helper()
	place := map[string]int{
		"Debug": 0, "Info": 0, "Warn": 0, "Error": 0, "warnLocked": 0, // warnLocked is that of a session
		"DebugContext": 1, "InfoContext": 1, "WarnContext": 1, "ErrorContext": 1, "Log": 2, "LogAttrs": 2,
	}
	files, err := filepath.Glob(folder + "/*.go")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok {
					if i, ok := place[f.Sel.Name]; ok && i < len(n.Args) {
						addText(t, n.Args[i], messages)
					}
				}
			case *ast.ValueSpec:
				if n.Names[0].Name == "problemTexts" {
					addEvents(t, n.Values[0], messages)
				}
			}
			return true
		})
	}
}

// addEvents adds the events of problem.go's table: each row ends with one.
func addEvents(t *testing.T, table ast.Expr, messages map[string]bool) {
	t.Helper()
	for _, row := range table.(*ast.CompositeLit).Elts {
		texts := row.(*ast.KeyValueExpr).Value.(*ast.CompositeLit).Elts
		addText(t, texts[len(texts)-1], messages)
	}
}

func addText(t *testing.T, e ast.Expr, messages map[string]bool) {
	t.Helper()
	if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
		text, err := strconv.Unquote(literal.Value)
		require.NoError(t, err)
		messages[text] = true
	}
}

func TestTheOperatorsPageNamesEveryHook(t *testing.T) {
	section := operations(t, "Metrics")
	for field := range reflect.TypeFor[oidcauth.Hooks]().Fields() {
		require.Contains(t, section, "| `"+field.Name+"` |")
	}
}
