#!/usr/bin/env bash
# Asks the real libraries whether they load what is exported and predict the same.
#
#   PYTHON=… bench/trees/parity/formats.sh [FOLDER]
#
# Every golden model of model/tree/format is imported and exported in every
# format by the command line, every learner of trees is trained and exported, and
# formats.py has xgboost, lightgbm, catboost and onnxruntime (packages of $PYTHON)
# predict. FOLDER (default: a temporary one) keeps the files.
set -euo pipefail
cd "$(dirname "$0")/../../.."
PYTHON=${PYTHON:-python3}
DIR=${1:-$(mktemp -d)}
mkdir -p "$DIR/golden" "$DIR/own"
CGO_ENABLED=0 go build -o "$DIR/mlfactory" ./cmd/mlfactory
GOLDEN=model/tree/format/testdata/golden

for f in "$GOLDEN"/*.model.json "$GOLDEN"/*.ubj "$GOLDEN"/*.txt; do
  name=$(basename "$f")
  name=${name%.model.json} name=${name%.ubj} name=${name%.txt}
  options=()
  if [[ $name == xgb_best ]]; then options=(--best); fi
  if grep -q '"categories": {' "$GOLDEN/$name.json"; then
    "$PYTHON" -c 'import json, sys; json.dump(json.load(open(sys.argv[1]))["categories"], open(sys.argv[2], "w"))' "$GOLDEN/$name.json" "$DIR/texts.json"
    options+=(--categories "$DIR/texts.json")
  fi
  "$DIR/mlfactory" models import "$f" "${options[@]}" --out "$DIR/$name.model" >/dev/null
  for to in xgboost-json xgboost-ubj lightgbm catboost-json onnx; do
    "$DIR/mlfactory" models export "$DIR/$name.model" --to $to --out "$DIR/golden/$name.$to" >/dev/null || echo "$name has no form as $to"
  done
done
go test -count=1 ./model/tree/format -run '^TestOwnLearners$' -args -exports "$(realpath "$DIR/own")" >/dev/null

status=0
"$PYTHON" bench/trees/parity/formats.py "$GOLDEN" "$DIR/golden" || status=1
"$PYTHON" bench/trees/parity/formats.py "$DIR/own" "$DIR/own" || status=1
exit $status
