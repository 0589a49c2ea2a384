#!/usr/bin/env bash
# Whole servers: CPU per request and the 99th percentile of a bare handler, of one that gets the cookie and ignores
# it, of one that also sets the headers that keep a page out of caches, of a guarded one whose session is in
# memory, and of one that sees each session for the first time.
#
#   bash internal/benchmarks/whole.sh [SECONDS] [ROUNDS]      from the root of the repository
#
# Needs Linux, two cores and wrk (Debian: apt-get install wrk). The server has one core and wrk another. The rows
# of a round follow each other, so that what disturbs the machine disturbs all; the ratios hold, the times don't.
set -euo pipefail
seconds=${1:-3} rounds=${2:-5} address=127.0.0.1:18099
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT

go build -o "$work/server" ./internal/benchmarks/server
GOMAXPROCS=1 taskset -c 0 "$work/server" "$address" >"$work/cookie" &
server=$!
for _ in $(seq 100); do
  [ -s "$work/cookie" ] && (: </dev/tcp/"${address/:/\/}") 2>/dev/null && break
  sleep 0.1
done
cookie="Cookie: $(cat "$work/cookie")"

ticks() { awk '{print $14 + $15}' "/proc/$server/stat"; }

# measure NAME CONNECTIONS PATH [HEADER] appends "NAME CONNECTIONS µs-of-CPU p99-in-µs" to the figures.
measure() {
  local before after
  before=$(ticks)
  taskset -c 1 wrk -t1 -c"$2" -d"${seconds}s" --latency ${4:+-H "$4"} -H 'Accept: text/html' "http://$address$3" >"$work/wrk"
  after=$(ticks)
  if grep -q 'Non-2xx' "$work/wrk"; then cat "$work/wrk"; exit 1; fi
  awk -v name="$1" -v n="$2" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '
    $1 == "99%" { p = $2; if (p ~ /us$/) unit = 1; else if (p ~ /ms$/) unit = 1e3; else unit = 1e6; p99 = (p + 0) * unit }
    $2 == "requests" { print name, n, ticks / hz * 1e6 / $1, p99 }' "$work/wrk" >>"$work/figures"
}

for _ in $(seq "$rounds"); do
  for n in 16 256; do
    measure bare "$n" /bare
    measure cookie-ignored "$n" /bare "$cookie"
    measure cookie-and-headers "$n" /headers "$cookie"
    measure in-memory "$n" /memory "$cookie"
    measure first-sight "$n" /first "$cookie"
  done
done

median() { awk -v name="$1" -v n="$2" -v column="$3" '$1 == name && $2 == n { print $column }' "$work/figures" | sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }
echo "| connections | server | CPU per request, µs | × bare | × cookie ignored | p99, µs | × bare |"
echo "|---|---|---|---|---|---|---|"
for n in 16 256; do
  for name in bare cookie-ignored cookie-and-headers in-memory first-sight; do
    echo "$n $name $(median $name $n 3) $(median bare $n 3) $(median cookie-ignored $n 3) $(median $name $n 4) $(median bare $n 4)" |
      awk '{ printf "| %d | %s | %.1f | %.2f | %.2f | %.0f | %.2f |\n", $1, $2, $3, $3 / $4, $3 / $5, $6, $6 / $7 }'
  done
done
