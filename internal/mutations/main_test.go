package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whether each text to change is still there once is for the command to say: who changes a check
// need not think of its mutation.
func TestEachMutationBelongsToARow(t *testing.T) {
	rows, mutations, err := read("../..")
	require.NoError(t, err)
	require.Greater(t, len(rows), 100)
	require.NotEmpty(t, mutations)
	for check, list := range mutations {
		for _, m := range list {
			_, err := os.Stat(filepath.Join("..", "..", m.pkg))
			require.NoError(t, err, check)
		}
	}
}

func TestVerdicts(t *testing.T) {
	failed := os.ErrInvalid // any
	for name, c := range map[string]struct {
		out  string
		err  error
		held bool
	}{
		"a test fails":       {"--- FAIL: TestX (0.1s)\nFAIL", failed, true},
		"a panic":            {"panic: boom", failed, true},
		"all pass":           {"ok", nil, false},
		"it does not build":  {"x.go:1: undefined\nFAIL\tx [build failed]", failed, false},
		"go itself fails":    {"go: no such package", failed, false},
		"a subtest is shown": {"    --- FAIL: TestX/y (0.1s)\n--- FAIL: TestX (0.1s)", failed, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, held := judge(c.out, c.err)
			require.Equal(t, c.held, held)
		})
	}
}

func TestRowsAndBlocksAreRead(t *testing.T) {
	rows := readRows("\n## Checks\n\n| check | held by |\n|---|---|\n| one thing | `TestA`, `FuzzB` |\n| another | `TestC` |\n\n## What is not\n| no | `TestD` |\n")
	require.Equal(t, []row{{"one thing", []string{"TestA", "FuzzB"}}, {"another", []string{"TestC"}}}, rows)
	got, err := readMutations("# a comment\n\nrow: one\npackage: a\n-x\n-y\n+z\n", rows)
	require.NoError(t, err)
	require.Equal(t, map[string][]mutation{"one thing": {{"a", "x\ny", "z"}}}, got)
	for _, wrong := range []string{"row: one\n-x\n+y", "row: one\npackage: a\n-x\n+x", "row: \npackage: a\n-x\n+y"} {
		got, err := readMutations(wrong, rows)
		require.True(t, err != nil || len(got) == 0, wrong)
	}
}
