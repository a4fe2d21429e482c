#!/usr/bin/env bash
# Skill on real labels, ours and the libraries', on the same rows and folds.
#
#   bench/trees/quality/run.sh            BTC and NIFTY from a folder shared/data above the checkout
#   bench/trees/quality/run.sh --quick    fewer rows
#
# Features and labels are those of this program, by its command line. Our skill
# must be no more than 5 % below the library's, or the paired 95 % interval of the
# difference must hold 0; otherwise the status is 1. Last lines of each market:
# RATIO quality_<market>_<style>_<setting> <our skill/theirs>.
set -euo pipefail
cd "$(dirname "$0")/.."
find_data() {
  local d=$PWD
  while [ "$d" != / ]; do
    if [ -d "$d/shared/data" ]; then echo "$d/shared/data"; return; fi
    d=$(dirname "$d")
  done
}
data=$(find_data)
if [ -z "$data" ]; then
  echo "bench/trees/quality: no folder shared/data above the checkout; nothing is compared"
  exit 0
fi
if [ ! -x .venv/bin/python ]; then python3 -m venv .venv; fi
if ! .venv/bin/python -c 'import catboost, lightgbm, numpy, pyarrow, sklearn, xgboost' 2>/dev/null; then
  .venv/bin/pip install --quiet -r requirements.txt
fi
mkdir -p out/quality
CGO_ENABLED=0 go build -o out/trees .
CGO_ENABLED=0 go build -o out/mlfactory ../../cmd/mlfactory
status=0
market() { # name file instrument stamps
  if [ ! -f "$data/$2" ]; then echo "$1: no $2; skipped"; return; fi
  local f=out/quality/$1
  if [ ! -f "$f.labels.parquet" ]; then
    out/mlfactory -q --store out/quality/store features compute --data "$data/$2" --instrument "$3" --stamps "$4" --zone UTC --out "$f.features.parquet" >/dev/null
    out/mlfactory -q --store out/quality/store label --data "$data/$2" --instrument "$3" --stamps "$4" --zone UTC --out "$f.labels.parquet" >/dev/null
  fi
  .venv/bin/python quality/quality.py "$1" "$f.features.parquet" "$f.labels.parquet" out/trees out/quality "${@:5}" || status=1
}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)}
market nifty nifty50_1m_2012_2021.parquet NIFTY end "$@"
market btc btcusd_bitfinex_1m_2016_2021.parquet BTCUSD begin "$@"
exit $status
