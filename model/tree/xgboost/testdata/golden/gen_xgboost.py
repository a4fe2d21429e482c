"""Writes xgboost_*.json: trees and raw scores of the xgboost package.

The data are made by a formula that golden_test.go repeats exactly (integers
and correctly rounded divisions only), with at most 200 distinct values a
column, so that every value is a bin of its own on both sides. No sampling.

    python gen_xgboost.py

The tests never run this.
"""

import json
import pathlib

import numpy as np
import xgboost as xgb

LEVELS = [2, 5, 20, 60, 120, 200, 200]
SEED = 1
NAMES = "abcdefg"


class LCG:
    """Knuth's MMIX generator; the upper 31 bits are used."""

    def __init__(self, seed):
        self.s = seed

    def next(self):
        self.s = (self.s * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.s >> 33


def data(n, seed, permille):
    r = LCG(seed)
    x = np.zeros((n, len(LEVELS)), np.float32)
    z, w = np.zeros(n), np.zeros(n)
    for i in range(n):
        v = []
        for j, levels in enumerate(LEVELS):
            v.append(r.next() % levels - levels // 2)
            x[i, j] = np.nan if r.next() % 1000 < permille else v[j] / 8
        noise = sum(r.next() % 1001 for _ in range(4)) / 1000 - 2
        z[i] = v[5] * v[6] / 4000 + v[3] / 20 + (-v[2] / 5 if v[4] > 10 else v[2] / 10) + v[0] * v[1] / 4 + noise
        w[i] = (1 + r.next() % 16) / 8
    return x, z, w


B, S, L = "binary:logistic", "multi:softprob", "reg:squarederror"
Q, H = "reg:quantileerror", "reg:pseudohubererror"
CASES = {
    # name: objective, missing cells per mille, weights, parameters
    "binary": (B, 0, False, {}),
    "binary_missing": (B, 100, False, {}),
    "binary_weights": (B, 50, True, {"scale_pos_weight": 2.5, "min_child_weight": 3}),
    "binary_l1": (B, 50, False, {"alpha": 1.5, "lambda": 0.5, "gamma": 0.7}),
    "binary_step": (B, 100, True, {"max_delta_step": 0.4, "lambda": 0}),
    "binary_step_l1": (B, 50, False, {"max_delta_step": 0.5, "alpha": 2, "gamma": 1}),
    "binary_auto": (B, 50, True, {"base_score": "auto"}),
    "binary_auto_spw": (B, 50, True, {"base_score": "auto", "scale_pos_weight": 3}),
    "softmax": (S, 0, False, {}),
    "softmax_missing": (S, 100, True, {"min_child_weight": 2, "max_depth": 5}),
    "softmax_regularised": (S, 50, False, {"alpha": 0.5, "gamma": 0.5, "lambda": 3, "max_depth": 5}),
    "softmax_auto": (S, 50, True, {"base_score": "auto", "max_depth": 4}),
    "squared": (L, 0, False, {}),
    "squared_missing": (L, 100, False, {"min_child_weight": 5}),
    "squared_weights": (L, 50, True, {"lambda": 0, "gamma": 2}),
    "squared_step": (L, 50, True, {"max_delta_step": 0.3, "alpha": 1}),
    "squared_auto": (L, 50, True, {"base_score": "auto"}),
    "quantile": (Q, 50, False, {"base_score": "auto", "quantile_alpha": 0.8}),
    "quantile_weights": (Q, 50, True, {"base_score": "auto", "quantile_alpha": 0.25, "lambda": 0.5}),
    "huber": (H, 50, False, {"base_score": "auto", "min_child_weight": 0.5}),
    "huber_weights": (H, 50, True, {"base_score": "auto", "huber_slope": 0.7}),
    "binary_lossguide": (B, 50, True, {"grow_policy": "lossguide", "max_leaves": 20, "max_depth": 0}),
    "softmax_lossguide": (S, 50, False, {"grow_policy": "lossguide", "max_leaves": 12, "gamma": 0.3}),
    "squared_leaves": (L, 50, True, {"max_leaves": 11, "max_depth": 5}),
    "binary_monotone": (B, 100, True, {"monotone_constraints": {"d": 1, "c": -1, "g": 1}}),
    "squared_monotone": (L, 50, False, {"monotone_constraints": {"c": 1, "d": 1, "f": -1}, "lambda": 2, "alpha": 0.3}),
    "softmax_monotone": (S, 50, False, {"monotone_constraints": {"d": 1}, "max_delta_step": 0.5, "max_depth": 4}),
    "lossguide_monotone": (B, 50, False, {"monotone_constraints": {"d": -1, "c": 1}, "grow_policy": "lossguide", "max_leaves": 16}),
    "binary_interaction": (B, 50, False, {"interaction_constraints": [["a", "b"], ["c", "e", "d"], ["f", "g"]]}),
    "squared_interaction": (L, 100, True, {"interaction_constraints": [["a", "b", "f"], ["f", "g"], ["c", "e"]], "monotone_constraints": {"g": 1}}),
}
N, ROUNDS, EVERY = 1200, 8, 5


def main():
    here = pathlib.Path(__file__).parent
    for k, (name, (objective, permille, weighted, extra)) in enumerate(CASES.items()):
        seed = SEED + k
        x, z, w = data(N, seed, permille)
        y = z.astype(np.float32)
        if objective == B:
            y = (z > 0).astype(np.float32)
        if objective == S:
            y = ((z > -0.6).astype(np.float32) + (z > 0.6)).astype(np.float32)
        params = {"objective": objective, "eta": 0.3, "max_depth": 6, "base_score": 0.5, **extra}
        call = {**params, "tree_method": "hist", "max_bin": 256, "nthread": 1}
        if objective == S:
            call["num_class"] = 3
        if params["base_score"] == "auto":
            del call["base_score"]
        params["base_score"] = str(params["base_score"])
        if "interaction_constraints" in call:
            call["interaction_constraints"] = str([[NAMES.index(c) for c in g] for g in call["interaction_constraints"]])
        if "monotone_constraints" in call:
            call["monotone_constraints"] = tuple(call["monotone_constraints"].get(c, 0) for c in NAMES)
        d = xgb.DMatrix(x, label=y, weight=w if weighted else None)
        b = xgb.train(call, d, ROUNDS)
        raw = b.predict(d, output_margin=True).reshape(N, -1)
        model = json.loads(b.save_raw("json").decode())["learner"]["gradient_booster"]["model"]
        keep = ["left_children", "right_children", "split_indices", "split_conditions", "default_left", "loss_changes", "sum_hessian"]
        short = lambda v: [float(f"{a:.9g}") if isinstance(a, float) else a for a in v]
        doc = {
            "reference": "xgboost", "version": xgb.__version__, "generator": "gen_xgboost.py", "seed": seed,
            "tolerance": {"splits": "all equal", "raw": 1e-5},
            "params": params, "rows": N, "missing_permille": permille, "weighted": weighted, "rounds": ROUNDS,
            "sum_y": float(np.sum(y.astype(np.float64))), "every": EVERY,
            "raw": [[float(f"{a:.9g}") for a in r] for r in raw[::EVERY]],
            "trees": [{f: short(t[f]) for f in keep} for t in model["trees"]],
        }
        (here / f"xgboost_{name}.json").write_text(json.dumps(doc, separators=(",", ":")) + "\n")


main()
