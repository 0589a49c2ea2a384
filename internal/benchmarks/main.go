// Command benchmarks runs the benchmarks whose figures the documentation promises, and prints one
// table: what was measured, against what, and the target. Ratios hold on any machine, since both
// halves of one come from the same run; times don't. whole.sh measures whole servers.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

func main() {
	log.SetFlags(0)
	count := flag.Int("count", 5, "runs of each benchmark, of which the table has the medians")
	benchtime := flag.String("benchtime", "0.2s", "how long each run takes, as go test has it")
	flag.Parse()
	measured := figures{}
	for _, s := range suites {
		runs, each := *count, *benchtime
		if s.once {
			runs, each = 1, "1x"
		}
		for range runs { // one after the other, so that what disturbs the machine disturbs all rows
			out, err := run(s, each)
			if err != nil {
				log.Fatalf("%s: %v\n%s", s.pkg, err, out)
			}
			measured.read(s.pkg, out)
		}
	}
	if missing := writeTable(os.Stdout, measured); len(missing) > 0 {
		log.Fatalf("no figure for %s: has a benchmark got another name?", strings.Join(missing, ", "))
	}
}

// run runs the benchmarks of s once.
func run(s suite, benchtime string) ([]byte, error) {
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", s.pattern, "-benchmem", "-benchtime", benchtime, "./"+s.pkg)
	return cmd.CombinedOutput()
}

// figures are what benchmarks measured: by package, name and unit.
type figures map[figure][]float64

type figure struct{ pkg, name, unit string }

// read takes in the output of go test.
func (f figures) read(pkg string, output []byte) {
	lines := bufio.NewScanner(bytes.NewReader(output))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := fields[0]
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // the number of processors
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				key := figure{pkg, name, fields[i+1]}
				f[key] = append(f[key], value)
			}
		}
	}
}

// median is the middle one of what was measured, and whether there is any.
func (f figures) median(key figure) (float64, bool) {
	values := slices.Sorted(slices.Values(f[key]))
	if len(values) == 0 {
		return 0, false
	}
	return values[len(values)/2], true
}

// writeTable prints the rows, and returns the names of those that have no figure.
func writeTable(w io.Writer, measured figures) (missing []string) {
	fmt.Fprintln(w, "| | today | target |\n|---|---|---|")
	for _, r := range rows {
		value, ok := r.value(measured)
		if !ok && r.needs != "" {
			fmt.Fprintf(w, "| %s | needs %s | ≤ %v |\n", r.name, r.needs, r.target)
			continue
		}
		if !ok {
			missing = append(missing, r.name)
			continue
		}
		mark := ""
		if value > r.target {
			mark = " (missed)"
		}
		fmt.Fprintf(w, "| %s | %.*f %s | ≤ %v%s |\n", r.name, r.digits, value, r.unit, r.target, mark)
	}
	return missing
}

// value is a row's figure: a ratio or a difference where it has two halves.
func (r row) value(measured figures) (float64, bool) {
	value, ok := measured.median(r.of)
	if r.over == (figure{}) || !ok {
		return value, ok
	}
	base, ok := measured.median(r.over)
	if r.above {
		return value - base, ok
	}
	return value / base, ok && base > 0
}
