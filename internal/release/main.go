// Command release makes a release of all modules of this repository: it checks that what is about to be tagged can be had by
// users, writes the notes and the bills of materials, and then makes the tags.
//
//	go run ./internal/release -version v0.1.0        # everything but the tags
//	go run ./internal/release -version v0.1.0 -tag   # the tags, too
//
// docs/releasing.md says what to do before and after. It never pushes. Start reading at release.run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// bill makes a software bill of materials of the module in the current folder.
const bill = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

func main() {
	r := release{}
	flag.StringVar(&r.root, "root", ".", "the repository's top folder")
	flag.StringVar(&r.version, "version", "", "the version, such as v0.1.0")
	flag.StringVar(&r.out, "out", "", "where notes and bills of materials go (default: a new temporary folder)")
	flag.BoolVar(&r.tag, "tag", false, "make the tags")
	bills := flag.Bool("bills", true, "write bills of materials")
	flag.Parse()
	if err := r.run(*bills); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// A release is one version of all modules.
type release struct {
	root, version, out string
	tag                bool
}

var semver = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)

// run takes the steps of a release in order. Nothing is tagged unless all before succeeded.
func (r *release) run(bills bool) error {
	if !semver.MatchString(r.version) {
		return fmt.Errorf("-version %q: want a version such as v0.1.0", r.version)
	}
	if err := r.makeFolder(); err != nil {
		return err
	}

	// 1. What is released.
	modules, err := findModules(r.root)
	if err != nil {
		return err
	}
	if modules, err = inOrder(modules); err != nil {
		return err
	}
	if err = errors.Join(checkRequirements(modules, r.version), r.checkTree(), r.checkTags(modules)); err != nil {
		return err
	}

	// 2. The notes.
	if err = r.writeNotes(modules); err != nil {
		return err
	}

	// 3. Can users have it?
	if err = r.tryGet(modules); err != nil {
		return err
	}

	// 4. Bills of materials.
	if bills {
		if err = r.writeBills(modules); err != nil {
			return err
		}
	}
	return r.makeTags(modules)
}

// makeFolder makes the folder for what is written.
func (r *release) makeFolder() (err error) {
	if r.out == "" {
		if r.out, err = os.MkdirTemp("", "release"); err != nil {
			return err
		}
	}
	if r.out, err = filepath.Abs(r.out); err != nil {
		return err
	}
	return os.MkdirAll(r.out, 0o755)
}

// tryGet has each module fetched, from a proxy of this tree, as its users will.
func (r *release) tryGet(modules []module) error {
	proxy := filepath.Join(r.out, "proxy")
	for _, m := range modules {
		if err := pack(r.root, m, r.version, proxy); err != nil {
			return err
		}
	}
	for _, m := range modules {
		fmt.Println("go get", m.Path+"@"+r.version)
		if err := get(m, r.version, proxy); err != nil {
			return err
		}
	}
	return nil
}

// git runs git in the repository.
func (r *release) git(args ...string) (string, error) {
	command := exec.Command("git", args...)
	command.Dir = r.root
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// checkTree refuses to release what is not committed.
func (r *release) checkTree() error {
	changed, err := r.git("status", "--porcelain")
	if err == nil && changed != "" {
		err = fmt.Errorf("there are changes that are not committed:\n%s", changed)
	}
	return err
}

// checkTags refuses to release a version twice: proxies keep the first for good.
func (r *release) checkTags(modules []module) (err error) {
	for _, m := range modules {
		there, failed := r.git("tag", "--list", m.tag(r.version))
		if failed != nil {
			return failed
		}
		if there != "" {
			err = errors.Join(err, fmt.Errorf("the tag %s is there already", there))
		}
	}
	return err
}

func (r *release) writeBills(modules []module) error {
	for _, m := range modules {
		file := filepath.Join(r.out, strings.ReplaceAll(m.tag(r.version), "/", "-")+".cdx.json")
		command := exec.Command("go", "run", bill, "mod", "-json", "-licenses", "-std", "-output", file)
		command.Dir = filepath.Join(r.root, m.folder)
		command.Env = append(os.Environ(), "GOWORK=off")
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: bill of materials: %w\n%s", m.Path, err, out)
		}
	}
	return nil
}

// makeTags tags the modules in order, or says what it would do. It never pushes.
func (r *release) makeTags(modules []module) error {
	fmt.Println("\nnotes and bills of materials are in", r.out)
	for _, m := range modules {
		if !r.tag {
			fmt.Println("would tag", m.tag(r.version))
			continue
		}
		if _, err := r.git("tag", "-a", "-m", m.Path+" "+r.version, m.tag(r.version)); err != nil {
			return err
		}
	}
	if r.tag {
		fmt.Println("tagged; to publish, in this order:")
		for _, m := range modules {
			fmt.Println("  git push origin", m.tag(r.version))
		}
	}
	return nil
}
