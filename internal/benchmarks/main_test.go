package main

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMediansOfAllRuns(t *testing.T) {
	f := figures{}
	for _, ns := range []string{"300", "100", "200"} {
		f.read("p", []byte("goos: linux\nBenchmarkX/a-b-2  10  "+ns+" ns/op  4 allocs/op\nPASS\n"))
	}
	median, ok := f.median(figure{"p", "BenchmarkX/a-b", "ns/op"})
	require.True(t, ok)
	require.Equal(t, 200.0, median)
	_, ok = f.median(figure{"p", "BenchmarkX/a", "ns/op"})
	require.False(t, ok)
}

func TestARowIsARatioOrADifference(t *testing.T) {
	a, b := figure{"p", "A", "ns/op"}, figure{"p", "B", "ns/op"}
	f := figures{a: {6}, b: {4}}
	ratio, ok := row{of: a, over: b}.value(f)
	require.True(t, ok)
	require.Equal(t, 1.5, ratio)
	difference, _ := row{of: a, over: b, above: true}.value(f)
	require.Equal(t, 2.0, difference)
	_, ok = row{of: a, over: figure{"p", "C", "ns/op"}}.value(f)
	require.False(t, ok, "half a ratio is no figure")
}

func TestRowsWithoutAFigureAreNamed(t *testing.T) {
	always := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.needs != "" })
	require.Len(t, writeTable(new(bytes.Buffer), figures{}), len(always))
}
