#!/bin/sh
# Compares feature kernels with TA-Lib (C, by its Python package): the same
# indicators on the same bars, one core each.
#
#   bench/features/run.sh [--quick]
#
# The opponent lives in bench/features/.venv, made here when it is missing
# (needs python3 and a package index). Last lines: RATIO <name> <ours/theirs>.
set -eu
cd "$(dirname "$0")"
rows=3500000 runs=7
case "${1-}" in
"") ;;
--quick) rows=400000 runs=5 ;;
*) echo "usage: run.sh [--quick]" >&2; exit 2 ;;
esac
if [ ! -x .venv/bin/python ]; then
	python3 -m venv .venv
fi
if ! .venv/bin/python -c 'import talib, numpy' 2>/dev/null; then
	.venv/bin/pip install --quiet TA-Lib==0.8.2 numpy
fi
mkdir -p out
CGO_ENABLED=0 go build -o out/features .
GOMAXPROCS=1 out/features -rows "$rows" -runs "$runs" -data out -out out/ours.json
.venv/bin/python talib_times.py out out/ours.json "$runs"
