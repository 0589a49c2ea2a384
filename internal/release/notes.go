package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// notes returns what the changelog says of a version, and whether it has a date: "## 0.1.0 (2026-12-01)".
func notes(changelog, version string) (text string, dated bool, err error) {
	number := strings.TrimPrefix(version, "v")
	heading := regexp.MustCompile(`(?m)^## ` + regexp.QuoteMeta(number) + `(?: \(([^)]*)\))?\n`)
	at := heading.FindStringSubmatchIndex(changelog)
	if at == nil {
		return "", false, fmt.Errorf("CHANGELOG.md has no heading %q", "## "+number)
	}
	text, _, _ = strings.Cut(changelog[at[1]:], "\n## ")
	if text = strings.TrimSpace(text); text == "" {
		return "", false, fmt.Errorf("CHANGELOG.md says nothing of %s", number)
	}
	date := ""
	if at[2] >= 0 {
		date = changelog[at[2]:at[3]]
	}
	return text, regexp.MustCompile(`^\d{4}-\d\d-\d\d$`).MatchString(date), nil
}

// writeNotes writes the text of the release.
func (r *release) writeNotes(modules []module) error {
	changelog, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	text, dated, err := notes(string(changelog), r.version)
	if err != nil {
		return err
	}
	if r.tag && !dated {
		return fmt.Errorf("CHANGELOG.md: give %s its date, such as (2026-12-01)", r.version)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n## Modules\n\n```sh\n", text)
	for _, m := range modules {
		fmt.Fprintf(&b, "go get %s@%s\n", m.Path, r.version)
	}
	b.WriteString("```\n")
	return os.WriteFile(filepath.Join(r.out, "notes.md"), []byte(b.String()), 0o644)
}
