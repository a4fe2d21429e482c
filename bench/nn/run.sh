#!/usr/bin/env bash
# Compares training steps, inference and memory of networks with PyTorch, side
# by side on the same data, and our matrix products with the core's peak.
#
#   bench/nn/run.sh                  about ten minutes on two idle cores
#   bench/nn/run.sh --quick          few bursts, under a minute
#   bench/nn/run.sh --only step_lstm,infer_window,memory,gemm_peak
#   bench/nn/run.sh fit [--quick]    20 epochs of lstm on 300,000 windows within six minutes, by default and shuffled; --quick: 60 steps, scaled
#
# PyTorch lives in bench/nn/.venv, made here when it is missing (needs python3, a
# package index and, for torch.compile, a C++ compiler). Last lines:
# RATIO <name> <ours/theirs>.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p out
CGO_ENABLED=0 go build -o out/nn .
case "${1:-}" in
"" | --quick | --only | fit) ;;
*)
  echo "usage: run.sh [--quick] [--only NAME,NAME] | fit [--quick]" >&2
  exit 2
  ;;
esac
if [ ! -x .venv/bin/python ]; then
  python3 -m venv .venv
fi
if ! .venv/bin/python -c 'import numpy, torch' 2>/dev/null; then
  .venv/bin/pip install --quiet -r requirements.txt
fi
.venv/bin/python compare.py "$@"
