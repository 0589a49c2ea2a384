package api_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sizeLimit is how much larger a server with this library may be than one with the libraries below
// it. When html/template slips in, or anything else that finds methods by name, the linker keeps
// every exported method of the program and the ratio passes 1.5.
const sizeLimit = 1.4

func TestABinaryWithTheLibraryStaysSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("links two programs")
	}
	ours, parts := sizeOf(t, "signet"), sizeOf(t, "parts")
	t.Logf("%.1f MB, and %.1f MB with go-oidc, x/oauth2 and securecookie alone: %.2f ×", ours/1e6, parts/1e6, ours/parts)
	require.Less(t, ours/parts, sizeLimit)
}

// BenchmarkBinary tells the sizes that the test above compares.
func BenchmarkBinary(b *testing.B) {
	for _, program := range []string{"signet", "parts"} {
		b.Run(program, func(b *testing.B) {
			size := sizeOf(b, program)
			for b.Loop() {
			}
			b.ReportMetric(size, "file-B")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkCompile tells what it takes to compile and link the same programs with an empty cache, the
// standard library's part included.
func BenchmarkCompile(b *testing.B) {
	for _, program := range []string{"signet", "parts"} {
		b.Run(program, func(b *testing.B) {
			var took time.Duration
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), "go", "build", "-ldflags=-s -w", "-o", os.DevNull, "./testdata/size/"+program)
				cmd.Env = append(os.Environ(), "GOCACHE="+b.TempDir())
				out, err := cmd.CombinedOutput()
				require.NoError(b, err, "%s", out)
				took += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			}
			b.ReportMetric(float64(took)/float64(b.N), "cpu-ns/op")
		})
	}
}

// sizeOf is the size of a stripped program of testdata.
func sizeOf(t testing.TB, program string) float64 {
	t.Helper()
	binary := filepath.Join(t.TempDir(), program)
	out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", binary, "./testdata/size/"+program).CombinedOutput()
	require.NoError(t, err, "%s", out)
	info, err := os.Stat(binary)
	require.NoError(t, err)
	return float64(info.Size())
}
