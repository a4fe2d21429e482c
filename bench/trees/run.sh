#!/usr/bin/env bash
# Compares training, cross-validation, prediction and explanation of trees with
# XGBoost, LightGBM, CatBoost and scikit-learn, side by side on the same data.
#
#   bench/trees/run.sh                  all, three times: hours on two idle cores (cv6_200k alone: 11 minutes)
#   bench/trees/run.sh --quick          small sizes of one of each kind, under a minute
#   bench/trees/run.sh --only train_200k_binary,cv6_200k,forest,predict --threads 2
#   bench/trees/run.sh big              3.4 million rows of 250 columns, ours alone, within 24 GiB
#
# The opponents live in bench/trees/.venv, made here when it is missing (needs
# python3 and a package index). Last lines: RATIO <name> <ours/theirs>.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p out
CGO_ENABLED=0 go build -o out/trees .
threads=$(nproc)
if [ "${1:-}" = big ]; then
  rows=${ROWS:-3400000} cols=${COLS:-250}
  trap 'rm -rf out/big' EXIT
  echo "generating $rows x $cols"
  out/trees gen -dir out/big -rows "$rows" -cols "$cols" -test 50000 -rowmajor=false
  for style in ${STYLES:-xgboost lightgbm catboost}; do
    GOMAXPROCS=$threads GOMEMLIMIT=20GiB out/trees train -dir out/big -style "$style" -objective "${OBJECTIVE:-softprob}" -rounds "${ROUNDS:-10}" -threads "$threads" |
      python3 -c 'import json, sys; r = json.load(sys.stdin); print("%-10s %6.2f s a round, %6.1f s before the second, peak %6.0f MB, test loss %.5f" % (sys.argv[1], r["round_s"], r["setup_s"], r["memory_mb"], r["loss"]))' "$style"
  done
  exit
fi
case "${1:-}" in
"" | --quick | --only | --threads | --repeats) ;;
*)
  echo "usage: run.sh [--quick] [--only NAME,NAME] [--threads N] [--repeats N] | big" >&2
  exit 2
  ;;
esac
if [ ! -x .venv/bin/python ]; then
  python3 -m venv .venv
fi
if ! .venv/bin/python -c 'import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, sys.argv[1:])))' catboost lightgbm numpy shap sklearn xgboost; then
  .venv/bin/pip install --quiet -r requirements.txt
fi
.venv/bin/python compare.py "$@"
