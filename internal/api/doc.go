// Package api holds what reviewers should see change: the exported declarations of the public
// packages as text, one file for each; which package may import which; how large a binary gets; and
// the journeys of CONTRIBUTING.md. Its tests compare them with the source, so that none changes
// unawares.
//
// It has no code of its own. Start reading at floors, in imports_test.go.
package api
