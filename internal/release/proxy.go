package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// pack puts a module into the folder of a file proxy (https://go.dev/ref/mod#goproxy-protocol), as the commit at hand has it.
func pack(root string, m module, version, proxy string) error {
	folder := filepath.Join(proxy, filepath.FromSlash(m.Path), "@v")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	gomod, err := os.ReadFile(filepath.Join(root, m.folder, "go.mod"))
	if err != nil {
		return err
	}
	info := fmt.Sprintf(`{"Version":%q,"Time":%q}`, version, time.Now().UTC().Format(time.RFC3339))
	for name, content := range map[string]string{"list": version + "\n", version + ".info": info, version + ".mod": string(gomod)} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	files, err := filesOf(root, m)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	archive := zip.NewWriter(&packed)
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(root, file.from))
		if err != nil {
			return err
		}
		out, err := archive.Create(m.Path + "@" + version + "/" + file.to)
		if err != nil {
			return err
		}
		if _, err := out.Write(content); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, version+".zip"), packed.Bytes(), 0o644)
}

// A packedFile is a file of the repository, and where it is in the module.
type packedFile struct{ from, to string }

// filesOf lists a module's files: without those of modules inside it, and with the repository's license if it has none, as
// the go command does it.
func filesOf(root string, m module) (files []packedFile, err error) {
	list := exec.Command("git", "ls-files", "--", m.folder)
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	names := strings.Fields(string(out))
	var inner []string
	for _, name := range names {
		if folder := path.Dir(name); path.Base(name) == "go.mod" && folder != m.folder {
			inner = append(inner, folder+"/")
		}
	}
	licensed := false
	for _, name := range names {
		if slices.ContainsFunc(inner, func(folder string) bool { return strings.HasPrefix(name, folder) }) {
			continue
		}
		to := name
		if m.folder != "." {
			to = strings.TrimPrefix(name, m.folder+"/")
		}
		licensed = licensed || to == "LICENSE"
		files = append(files, packedFile{name, to})
	}
	if !licensed {
		files = append(files, packedFile{"LICENSE", "LICENSE"})
	}
	return files, nil
}

// get does what a user does: go get in a new module, with an empty module cache, and lists all that its packages are made of. What is not
// ours comes from this machine's module cache where it is there, and from the usual proxy otherwise.
func get(m module, version, proxy string) error {
	folder, err := os.MkdirTemp("", "user")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	usual, err := exec.Command("go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		return err
	}
	settings := strings.Fields(string(usual))
	env := append(os.Environ(), "GOWORK=off", "GOFLAGS=-modcacherw", "GONOSUMDB="+m.Path[:strings.LastIndex(m.Path, "/signet")],
		"GOMODCACHE="+filepath.Join(folder, "cache"),
		"GOPROXY=file://"+filepath.ToSlash(proxy)+",file://"+filepath.ToSlash(settings[0])+"/cache/download,"+settings[1])
	for _, args := range [][]string{
		{"mod", "init", "example.com/user"},
		{"get", m.Path + "@" + version},     // the module
		{"get", m.Path + "/...@" + version}, // what its packages need
		{"list", "-deps", m.Path + "/..."},  // and that all of it is there
	} {
		command := exec.Command("go", args...)
		command.Dir, command.Env = folder, env
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}
