#!/bin/sh
# Compares reading bars from CSV and Parquet with polars, pandas and DuckDB: the
# same generated file, stamps as instants and five columns of doubles, on one core
# and with the threads that each library takes by itself. Ours also checks every
# bar and finds its session.
#
#   bench/ingest/run.sh [--quick]
#
# The opponents live in bench/ingest/.venv, made here when it is missing (needs
# python3 and a package index). Last lines: SPEED <format>
# <MB/s of ours on one core>, and RATIO <name> <ours/theirs>.
set -eu
cd "$(dirname "$0")"
rows=2000000 rounds=3 runs=5
case "${1-}" in
"") ;;
--quick) rows=300000 rounds=1 runs=3 ;;
*) echo "usage: run.sh [--quick]" >&2; exit 2 ;;
esac
if [ ! -x .venv/bin/python ]; then
	python3 -m venv .venv
fi
if ! .venv/bin/python -c 'import polars, pandas, pyarrow, duckdb' 2>/dev/null; then
	.venv/bin/pip install --quiet polars pandas pyarrow duckdb
fi
mkdir -p out
CGO_ENABLED=0 go build -o out/ingest .
.venv/bin/python compare.py "$rows" "$rounds" "$runs"
