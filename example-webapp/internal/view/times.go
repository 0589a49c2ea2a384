// Package view makes values readable: times, distances in time, claims and JSON.
//
// It promises to lose nothing (the order of claims, the digits of numbers) and to mark nothing as
// safe HTML: templates escape what it returns. Start at Functions and Claims.
package view

import (
	"fmt"
	"html/template"
	"time"
)

// Functions are those that templates may call.
var Functions = template.FuncMap{"clock": Clock, "date": Date, "stamp": Stamp, "span": Span, "past": Past, "browser": Browser}

// Clock is a time as people read it.
//
// The server's time zone is used, and named: without scripts nobody knows the visitor's.
func Clock(t time.Time) string { return t.Local().Format("15:04:05 MST") }

// Date is Clock with the day.
func Date(t time.Time) string { return t.Local().Format("Jan 2, 2006, 15:04:05 MST") }

// Stamp is the same for machines.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Past reports whether t is over.
func Past(t time.Time) bool { return !time.Now().Before(t) }

// Span is the distance of t from now, in the units that matter.
//
// Rounding is downwards: a time that is left is never shown longer than it is.
func Span(t time.Time) string {
	d := time.Until(t).Abs()
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}
