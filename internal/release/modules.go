package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A module is one of this repository.
type module struct {
	Path    string
	folder  string            // "." for the root
	require map[string]string // modules of this repository that it needs, and their versions
}

// tag is the name of a version's tag: that of a nested module begins with its folder.
func (m module) tag(version string) string { return path.Join(m.folder, version) }

// findModules returns all modules that git knows of.
func findModules(root string) ([]module, error) {
	list := exec.Command("git", "ls-files", "go.mod", "*/go.mod")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	var modules []module
	for _, file := range strings.Fields(string(out)) {
		if strings.Contains(file, "testdata/") {
			continue
		}
		m, err := readModule(root, path.Dir(file))
		if err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
	for _, m := range modules { // keep what is ours
		for needed := range m.require {
			if !slices.ContainsFunc(modules, func(other module) bool { return other.Path == needed }) {
				delete(m.require, needed)
			}
		}
	}
	return modules, nil
}

func readModule(root, folder string) (module, error) {
	edit := exec.Command("go", "mod", "edit", "-json")
	edit.Dir = filepath.Join(root, folder)
	out, err := edit.Output()
	if err != nil {
		return module{}, fmt.Errorf("%s/go.mod: %w", folder, err)
	}
	var parsed struct {
		Module  struct{ Path string }
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &parsed); err != nil {
		return module{}, fmt.Errorf("%s/go.mod: %w", folder, err)
	}
	m := module{Path: parsed.Module.Path, folder: folder, require: map[string]string{}}
	for _, r := range parsed.Require {
		m.require[r.Path] = r.Version
	}
	return m, nil
}

// inOrder sorts modules so that each comes after those that it requires: a proxy that is asked for one finds the others.
func inOrder(modules []module) ([]module, error) {
	var sorted []module
	done := map[string]bool{}
	for len(sorted) < len(modules) {
		before := len(sorted)
		for _, m := range modules {
			ready := !done[m.Path]
			for needed := range m.require {
				ready = ready && done[needed]
			}
			if ready {
				done[m.Path] = true
				sorted = append(sorted, m)
			}
		}
		if len(sorted) == before {
			return nil, errors.New("modules of this repository require each other in a circle")
		}
	}
	return sorted, nil
}

// checkRequirements demands that modules require each other at the version to come: replace directives hide any other one from
// us, and not from users.
func checkRequirements(modules []module, version string) (err error) {
	for _, m := range modules {
		for needed, has := range m.require {
			if has != version {
				err = errors.Join(err, fmt.Errorf("%s/go.mod requires %s %s: run go mod edit -require=%s@%s there", m.folder, needed, has, needed, version))
			}
		}
	}
	return err
}
