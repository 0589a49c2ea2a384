package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A row of the table of checks: what is checked, and the tests that hold it.
type row struct {
	check string
	tests []string
}

// A mutation breaks a check: it replaces a text that stands once in a package.
type mutation struct{ pkg, before, after string }

var testName = regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")

// readRows reads the tables below "## Checks".
func readRows(document string) (rows []row) {
	_, rest, _ := strings.Cut(document, "\n## Checks\n")
	checks, _, _ := strings.Cut(rest, "\n## ")
	for line := range strings.Lines(checks) {
		check, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		tests := testName.FindAllStringSubmatch(line, -1)
		if !ok || !strings.HasPrefix(line, "| ") || len(tests) == 0 {
			continue
		}
		r := row{check: check}
		for _, name := range tests {
			r.tests = append(r.tests, name[1])
		}
		rows = append(rows, r)
	}
	return rows
}

// readMutations reads mutations.txt: blocks of
//
//	row: a test that the row alone names, or else the beginning of its check
//	package: the folder of the package
//	-a line that is there
//	+a line in its place
//
// with empty lines between them, and comments that begin with #. A line of before or after may be
// a part of one, where there is one each.
func readMutations(text string, rows []row) (map[string][]mutation, error) {
	all := map[string][]mutation{}
	for block := range strings.SplitSeq(text, "\n\n") {
		var name string
		var m mutation
		var before, after []string
		for line := range strings.SplitSeq(block, "\n") {
			switch {
			case strings.HasPrefix(line, "row: "):
				name = line[len("row: "):]
			case strings.HasPrefix(line, "package: "):
				m.pkg = line[len("package: "):]
			case strings.HasPrefix(line, "-"):
				before = append(before, line[1:])
			case strings.HasPrefix(line, "+"):
				after = append(after, line[1:])
			}
		}
		if name == "" {
			continue
		}
		m.before, m.after = strings.Join(before, "\n"), strings.Join(after, "\n")
		if m.pkg == "" || m.before == m.after {
			return nil, fmt.Errorf("%q: a package, - and + are needed", name)
		}
		check, err := checkOf(name, rows)
		if err != nil {
			return nil, err
		}
		all[check] = append(all[check], m)
	}
	return all, nil
}

// checkOf is the check of the row that is called name, by a test of it or by how its check begins. A
// name of no row stands for itself: the command says so.
func checkOf(name string, rows []row) (check string, err error) {
	for _, r := range rows {
		if !slices.Contains(r.tests, name) && !strings.HasPrefix(r.check, name) {
			continue
		}
		if check != "" {
			return "", fmt.Errorf("%q is of more than one row", name)
		}
		check = r.check
	}
	return cmp.Or(check, name), nil
}
