#!/usr/bin/env bash
# Counts how often the verdict is right on generated markets with a known
# answer, on held-out seeds.
#
#   bench/verdict/run.sh            100 seeds of five kinds of market
#   bench/verdict/run.sh --quick    2 seeds, in under a minute
#   SEEDS=200 FIRST=2001 bench/verdict/run.sh
#
# Last lines: RATIO <market>_pass_rate <share of runs that passed>.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${SEEDS:-100} first=${FIRST:-1001}
case "${1:-}" in
"") ;;
--quick) seeds=2 ;;
*) echo "usage: run.sh [--quick]" >&2; exit 2 ;;
esac
tmp=$(mktemp -d -p "$( [ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")")
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/verdict" ./bench/verdict
mkdir -p bench/verdict/out
"$tmp/verdict" -seeds "$seeds" -first "$first" -dir "$tmp" -out bench/verdict/out/markets.jsonl
