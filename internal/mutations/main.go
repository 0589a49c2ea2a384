// Command mutations breaks each check in the table of docs/security.md once, and shows that a test
// which the table names for it fails. It works in a copy of the repository, in a temporary folder.
//
// A row whose tests pass although its check is broken is a survivor: the table promises more than
// the tests hold. mutations.txt has the changes; start reading at main.
package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	only := flag.String("run", "", "only the rows that this regular expression matches")
	flag.Parse()
	if err := run(*only); err != nil {
		log.Fatal(err)
	}
}

func run(only string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	rows, mutations, err := read(".")
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "mutations")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a temporary folder
	if err := copyTo(folder); err != nil {
		return err
	}
	fmt.Println("| check | broken in | held by |\n|---|---|---|")
	wrong := orphans(rows, mutations)
	for _, r := range rows {
		if !wanted.MatchString(r.check) {
			continue
		}
		if len(mutations[r.check]) == 0 {
			fmt.Printf("| %s | | **no mutation** |\n", r.check)
			wrong++
		}
		for _, m := range mutations[r.check] {
			verdict, held := try(folder, r, m)
			fmt.Printf("| %s | %s | %s |\n", r.check, m.pkg, verdict)
			if !held {
				wrong++
			}
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d rows are not held by their tests, or have no mutation that fits", wrong)
	}
	return nil
}

// orphans says which mutations are of no row of the table, and how many they are.
func orphans(rows []row, mutations map[string][]mutation) (count int) {
	for check := range mutations {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.check == check }) {
			fmt.Printf("| %s | | **of no row** |\n", check)
			count++
		}
	}
	return count
}

// read returns the rows of the table and the mutations of each, by the row's check.
func read(root string) ([]row, map[string][]mutation, error) {
	document, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		return nil, nil, err
	}
	list, err := os.ReadFile(filepath.Join(root, "internal", "mutations", "mutations.txt"))
	if err != nil {
		return nil, nil, err
	}
	rows := readRows(string(document))
	mutations, err := readMutations(string(list), rows)
	return rows, mutations, err
}

// copyTo copies what git knows of the repository.
func copyTo(folder string) error {
	list, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.Trim(string(list), "\x00"), "\x00") {
		content, err := os.ReadFile(name)
		if err != nil {
			continue // deleted, or a link
		}
		to := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// try breaks the check, runs the tests of its row, and restores it. held says that one of them
// failed.
func try(folder string, r row, m mutation) (verdict string, held bool) {
	file, whole, err := find(filepath.Join(folder, m.pkg), m.before)
	if err != nil {
		return "**" + err.Error() + "**", false
	}
	defer os.WriteFile(file, whole, 0o600) //nolint:errcheck // a copy; what comes next would not build
	if err := os.WriteFile(file, bytes.Replace(whole, []byte(m.before), []byte(m.after), 1), 0o600); err != nil {
		return "**" + err.Error() + "**", false
	}
	// The smaller packages first: where their tests fail, nobody waits for the larger.
	for _, pkg := range packagesOf(folder, r.tests) {
		cmd := exec.Command("go", "test", "-vet=off", "-timeout=5m", "-failfast", "-run", "^("+strings.Join(r.tests, "|")+")$", pkg)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		if verdict, held = judge(string(out), err); held || err != nil {
			return verdict, held
		}
	}
	return verdict, held
}

// find returns the one file of a package that has text, once.
func find(pkg, text string) (file string, whole []byte, err error) {
	names, err := filepath.Glob(filepath.Join(pkg, "*.go"))
	if err != nil {
		return "", nil, err
	}
	count := 0
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if n := bytes.Count(content, []byte(text)); n > 0 {
			count += n
			file, whole = name, content
		}
	}
	if count != 1 {
		return "", nil, fmt.Errorf("the text to change is there %d times", count)
	}
	return file, whole, nil
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

// judge reads the output of go test.
func judge(out string, err error) (verdict string, held bool) {
	switch failed := failure.FindAllStringSubmatch(out, -1); {
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		return "**does not build**: " + strings.ReplaceAll(out[:min(len(out), 300)], "\n", " "), false
	case err == nil:
		return "**survived**", false
	case len(failed) > 0:
		var names []string
		for _, f := range failed {
			names = append(names, "`"+f[1]+"`")
		}
		return strings.Join(names, ", "), true
	case strings.Contains(out, "panic:"):
		return "a panic", true
	}
	return "**" + cmp.Or(strings.ReplaceAll(out[:min(len(out), 300)], "\n", " "), err.Error()) + "**", false
}

// packagesOf finds the packages that have these tests, those with fewer files first.
func packagesOf(folder string, tests []string) (packages []string) {
	_ = filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, _ := os.ReadFile(path)
		for _, name := range tests {
			if bytes.Contains(text, []byte("\nfunc "+name+"(")) {
				rel, _ := filepath.Rel(folder, filepath.Dir(path))
				packages = append(packages, "./"+rel)
				break
			}
		}
		return nil
	})
	slices.Sort(packages)
	packages = slices.Compact(packages)
	slices.SortStableFunc(packages, func(a, b string) int { return cmp.Compare(filesIn(folder, a), filesIn(folder, b)) })
	return packages
}

func filesIn(folder, pkg string) int {
	files, _ := os.ReadDir(filepath.Join(folder, pkg))
	return len(files)
}
