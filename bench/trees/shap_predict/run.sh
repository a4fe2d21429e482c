#!/bin/sh
# Compares prediction and SHAP values with XGBoost, LightGBM and CatBoost, one
# core each: one row at a time, batches of 64, and contributions.
#
#   bench/trees/shap_predict/run.sh [--quick]
#
# The opponents live in bench/trees/.venv, made here when it is missing (needs
# python3 and a package index). Last lines: RATIO <name> <ours/fastest of
# theirs>.
set -eu
cd "$(dirname "$0")"
rounds=500 runs=40 turns="1 2 3"
case "${1-}" in
"") ;;
--quick) rounds=50 runs=5 turns=1 ;;
*) echo "usage: run.sh [--quick]" >&2; exit 2 ;;
esac
python=../.venv/bin/python
if [ ! -x $python ]; then
	python3 -m venv ../.venv
fi
if ! $python -c 'import numpy, xgboost, lightgbm, catboost, shap' 2>/dev/null; then
	../.venv/bin/pip install --quiet numpy xgboost==3.2.0 lightgbm catboost shap
fi
out="out/$rounds"
mkdir -p "$out"
CGO_ENABLED=0 go build -o out/shap_predict .
if [ ! -f "$out/catboost.cbm" ]; then
	$python opponents.py train "$out" "$rounds"
fi
out/shap_predict -dir "$out" -convert
for turn in $turns; do
	GOMAXPROCS=1 out/shap_predict -dir "$out" -runs "$runs" -out "$out/ours$turn.json"
	$python opponents.py time "$out" "$runs" "$out/theirs$turn.json"
done
$python opponents.py compare "$out"
