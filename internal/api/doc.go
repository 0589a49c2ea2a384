// Package api holds the exported declarations of the public packages as text, one file for each,
// and a test that compares them with the source. A change of the API is then seen in a change of a
// file, and never happens unawares.
package api
