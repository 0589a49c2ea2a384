package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// A verdict says how much a finding matters.
type verdict string

const (
	well    verdict = "ok"
	note    verdict = "note"    // works, and somebody should know
	trouble verdict = "TROUBLE" // users can't sign in, or won't be able to soon
)

// A finding is one thing that was looked at.
type finding struct {
	verdict verdict
	about   string
	text    string
}

// A report is everything that was found, with what to do about it.
type report struct {
	patient  patient
	findings []finding

	// config is the literal to write, page the documentation of this provider; both are empty when
	// the provider told too little.
	config, page string
}

func (r *report) add(v verdict, about, format string, args ...any) {
	r.findings = append(r.findings, finding{v, about, fmt.Sprintf(format, args...)})
}

// has reports whether a finding has this verdict.
func (r *report) has(v verdict) bool {
	for _, f := range r.findings {
		if f.verdict == v {
			return true
		}
	}
	return false
}

// print writes the report for people.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n", printable(r.patient.issuer))
	for _, f := range r.findings {
		fmt.Fprintf(w, "%-8s %-16s %s\n", f.verdict, f.about, printable(f.text))
	}
	if r.config != "" {
		fmt.Fprintf(w, "\nThe configuration that fits:\n\n%s", r.config)
	}
	if r.page != "" {
		fmt.Fprintf(w, "\nRead on in %s.\n", r.page)
	}
	switch {
	case r.has(trouble):
		fmt.Fprintln(w, "\nUsers can't sign in until every TROUBLE above is settled.")
	case r.patient.clientID == "":
		fmt.Fprintln(w, "\nNothing stands in the way at the provider. Give -client-id and -redirect to try your client as well.")
	default:
		fmt.Fprintln(w, "\nNothing stands in the way that can be seen without a login. The client's secret or key was not tried: a wrong one shows at the first login.")
	}
}

// printable keeps what a provider wrote from driving the terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '\uFFFD'
	}, s)
}

// list joins names for a sentence.
func list(names []string) string {
	const enough = 12
	if len(names) > enough {
		return strings.Join(names[:enough], ", ") + fmt.Sprintf(" and %d more", len(names)-enough)
	}
	return strings.Join(names, ", ")
}
