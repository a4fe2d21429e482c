#!/usr/bin/env bash
# Times a full run on five years of one-minute bars and reads its memory.
#
#   bench/run/run.sh            the whole of btcusd_bitfinex_1m_2016_2021.parquet
#   bench/run/run.sh --quick    the embedded pair, against its budget of 60 s
#   bench/run/run.sh FILE INSTRUMENT STAMPS ZONE
#
# There is no opponent that does the same work; the ratios are against the
# budget: 300 s (quick: 60 s) and 4 GiB of anonymous memory.
set -euo pipefail
cd "$(dirname "$0")/../.."
quick=0
if [ "${1:-}" = --quick ]; then quick=1; shift; fi
find_data() {
  local d=$PWD
  while [ "$d" != / ]; do
    if [ -d "$d/shared/data" ]; then echo "$d/shared/data"; return; fi
    d=$(dirname "$d")
  done
}
data=${1:-}
if [ -z "$data" ] && [ $quick = 0 ]; then
  dir=$(find_data)
  if [ -z "$dir" ]; then echo "bench/run: no folder shared/data beside the checkout; give FILE INSTRUMENT STAMPS ZONE"; exit 0; fi
  data=$dir/btcusd_bitfinex_1m_2016_2021.parquet
fi
instrument=${2:-BTCUSD} stamps=${3:-begin} zone=${4:-UTC}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/mlfactory" ./cmd/mlfactory
budget=300
args=(--data "$data" --instrument "$instrument" --stamps "$stamps" --zone "$zone")
if [ $quick = 1 ]; then args=() budget=60; fi
runs=${RUNS:-1}
for i in $(seq "$runs"); do
  "$tmp/mlfactory" run "${args[@]}" \
    --store "$tmp/store$i" --out "$tmp/out$i" >"$tmp/log$i" 2>&1 || { cat "$tmp/log$i"; exit 1; }
  tail -n 12 "$tmp/log$i"
  cat "$tmp/out$i/timing.json" | head -n 8
done
awk -v budget=$budget '
  /"seconds"/ && !seen[FILENAME]++ { gsub(/[^0-9.]/, "", $2); s[++n] = $2 }
  /"peak_rss_anon_mb"/ { gsub(/[^0-9.]/, "", $2); m = ($2 > m) ? $2 : m }
  END {
    for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (s[j] < s[i]) { t = s[i]; s[i] = s[j]; s[j] = t }
    med = s[int((n + 1) / 2)]
    printf "%.1f s (median of %d), %.0f MiB anonymous\n", med, n, m
    printf "RATIO run_seconds_vs_budget %.3f\n", med / budget
    printf "RATIO run_memory_vs_4gib %.3f\n", m / 4096
  }' "$tmp"/out*/timing.json
