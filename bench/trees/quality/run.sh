#!/usr/bin/env bash
# Skill of our styles and the libraries', on the same rows and folds: on three
# generated sets, and on real labels of BTC and NIFTY from a folder shared/data
# above the checkout.
#
#   bench/trees/quality/run.sh            about a quarter of an hour on one idle core
#   bench/trees/quality/run.sh --quick    fewer rows and one seed: a minute, and says little
#
# Features and labels of markets are those of this program, by its command line.
# quality.py says what passes; the status is 1 if a line says FAIL. Last lines of
# each set: RATIO quality_<set>_<style>_<setting> <our skill/theirs>.
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
if [ ! -x .venv/bin/python ]; then python3 -m venv .venv; fi
if ! .venv/bin/python -c 'import catboost, lightgbm, numpy, pyarrow, sklearn, xgboost' 2>/dev/null; then
  .venv/bin/pip install --quiet -r requirements.txt
fi
mkdir -p out/quality
CGO_ENABLED=0 go build -o out/trees .
CGO_ENABLED=0 go build -o out/mlfactory ../../cmd/mlfactory
status=0
market() { # name file instrument stamps
  if [ -z "$data" ] || [ ! -f "$data/$2" ]; then echo "$1: no $2 in a folder shared/data above the checkout; not compared"; return; fi
  local f=out/quality/$1
  if [ ! -f "$f.labels.parquet" ]; then
    out/mlfactory -q --store out/quality/store features compute --data "$data/$2" --instrument "$3" --stamps "$4" --zone UTC --out "$f.features.parquet" >/dev/null
    out/mlfactory -q --store out/quality/store label --data "$data/$2" --instrument "$3" --stamps "$4" --zone UTC --out "$f.labels.parquet" >/dev/null
  fi
  .venv/bin/python quality/quality.py market "$1" "$f.features.parquet" "$f.labels.parquet" out/trees out/quality "${@:5}" || status=1
}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)}
.venv/bin/python quality/quality.py synthetic out/trees out/quality "$@" || status=1
market nifty nifty50_1m_2012_2021.parquet NIFTY end "$@"
market btc btcusd_bitfinex_1m_2016_2021.parquet BTCUSD begin "$@"
exit $status
