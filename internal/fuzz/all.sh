#!/usr/bin/env bash
# Fuzzes every target for FUZZTIME, one after the other, and prints how often each was executed. TARGETS is a regular expression: the
# targets to run. Stops at the first failure, whose input go test leaves in testdata. New inputs that reach further are kept in Go's
# own cache, as always. They are hardly made smaller: go test takes up to a minute for each by default, and where an execution has a
# signature in it nothing else would ever happen.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${FUZZTIME:=30s}" "${TARGETS:=.}"
out=$(mktemp)
trap 'rm -f "$out"' EXIT

echo '| target | executions | a second | inputs that reach further |'
echo '|---|---|---|---|'
for package in $(go list work); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' | grep -E "$TARGETS" || true); do
		if ! go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 10x "$package" >"$out" 2>&1; then
			cat "$out"
			exit 1
		fi
		awk -v target="${package##*signet/} $target" '
			/execs: / { for (i = 1; i < NF; i++) { if ($i == "execs:") execs = $(i + 1); if ($i == "elapsed:") elapsed = $(i + 1) + 0 }
			            if (match($0, /total: [0-9]+/)) total = substr($0, RSTART + 7, RLENGTH - 7)
			            if (match($0, /new interesting: [0-9]+/)) fresh = substr($0, RSTART + 17, RLENGTH - 17) }
			END { printf "| %s | %d | %d | %d |\n", target, execs, elapsed ? execs / elapsed : 0, fresh }' "$out"
	done
done
