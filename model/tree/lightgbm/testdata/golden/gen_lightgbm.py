"""Writes lightgbm_*.json: trees and raw scores of the lightgbm package.

The data are made by a formula that golden_test.go repeats exactly (integers
and correctly rounded divisions only). Bins are the package's own. Nothing is
drawn at random.

    python gen_lightgbm.py

The tests never run this.
"""

import json
import pathlib

import lightgbm as lgb
import numpy as np

# column: levels, offset, divisor; the last two hold categories
LEVELS = [(2, 0, 8), (5, 2, 8), (20, 10, 8), (60, 30, 8), (120, 60, 8), (200, 100, 8), (4000, 1000, 64), (3, 0, 1), (40, 0, 1)]
SEED = 1


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
        for j, (levels, offset, divisor) in enumerate(LEVELS):
            u = r.next() % levels
            if j == len(LEVELS) - 1:  # frequent and rare categories
                u = u * u // levels
            v.append(u - offset)
            x[i, j] = np.nan if r.next() % 1000 < permille else v[j] / divisor
        noise = sum(r.next() % 1001 for _ in range(4)) / 1000 - 2
        c = v[8] * 7 % 13
        z[i] = v[5] * v[6] / 80000 + v[3] / 20 + (-v[2] / 5 if v[4] > 10 else v[2] / 10) + v[0] * v[1] / 4 + (c - 6) / 8 + (0.5 if v[7] == 1 else 0) + noise
        w[i] = np.float32((10007 + r.next() % 60013) / 40009)  # no estimated count is half a row
    return x, z, w


B, S, L = "binary", "multiclass", "regression"
CAT = {"categorical_feature": [7, 8]}
CASES = {
    # name: objective, missing cells per mille, weights, parameters
    "binary": (B, 0, False, {}),
    "binary_missing": (B, 100, False, {}),
    "binary_weights": (B, 50, True, {"scale_pos_weight": 2.5, "min_sum_hessian_in_leaf": 5.1}),
    "binary_unbalance": (B, 50, False, {"is_unbalance": True, "boost_from_average": False}),
    "binary_l1": (B, 50, False, {"lambda_l1": 1.5, "lambda_l2": 0.5, "min_gain_to_split": 0.7}),
    "binary_step": (B, 0, True, {"max_delta_step": 0.4, "lambda_l2": 2}),
    "binary_smooth": (B, 100, False, {"path_smooth": 10, "min_data_in_leaf": 7}),
    "binary_depth": (B, 50, False, {"max_depth": 4, "num_leaves": 12, "min_data_in_leaf": 1}),
    "binary_categories": (B, 50, False, CAT),
    "binary_monotone": (B, 50, False, {"monotone_constraints": [0, 1, 1, 1, -1, 0, 0, 0, 0]}),
    "softmax": (S, 0, False, {}),
    "softmax_missing": (S, 100, True, {"min_data_in_leaf": 10}),
    "softmax_regularised": (S, 50, False, {"lambda_l1": 0.5, "min_gain_to_split": 0.5, "lambda_l2": 3, "num_leaves": 15}),
    "softmax_categories": (S, 100, True, {**CAT, "cat_l2": 3, "cat_smooth": 4, "min_data_per_group": 20, "max_cat_threshold": 6, "max_bin": 31}),
    "squared": (L, 0, False, {}),
    "squared_missing": (L, 100, False, {"min_data_in_leaf": 5, "max_bin": 63}),
    "squared_weights": (L, 50, True, {"lambda_l2": 1, "min_gain_to_split": 2}),
    "squared_categories": (L, 50, False, {**CAT, "path_smooth": 3, "lambda_l1": 1, "max_cat_to_onehot": 2}),
    "squared_interactions": (L, 50, False, {"interaction_constraints": [[0, 1, 2], [2, 3, 4], [5, 6], [7, 8]]}),
    "squared_zero": (L, 50, False, {"zero_as_missing": True}),
    "squared_nomissing": (L, 100, False, {"use_missing": False}),
    "quantile": ("quantile", 50, False, {"alpha": 0.7}),
    "quantile_weights": ("quantile", 0, True, {"alpha": 0.2}),
    "huber": ("huber", 50, True, {"alpha": 0.6}),
    "absolute": ("regression_l1", 50, False, {}),
    "huber_zero": ("huber", 50, True, {"alpha": 0.7, "zero_as_missing": True}),
    "binary_bins": (B, 20, True, {"max_bin": 20, "min_data_in_bin": 60, "max_delta_step": 0.9, "path_smooth": 2}),
    # weights from 2⁻¹³ to 2¹⁴, whose sum is more than 2³⁰ times the least
    "wide_binary": (B, 50, "wide", {"min_sum_hessian_in_leaf": 1e-6, "min_data_in_leaf": 0}),
    "wide_softmax": (S, 50, "wide", {"lambda_l1": 0.1, "lambda_l2": 1, "min_data_in_leaf": 1}),
    "wide_squared": (L, 100, "wide", {**CAT, "min_data_in_leaf": 0, "min_data_per_group": 1, "cat_smooth": 1}),
}
N, ROUNDS, EVERY = 1600, 6, 5


def flat(tree):
    """The tree as arrays, breadth first: column, threshold, default left, gain, left child, value, set."""
    out = {"feature": [], "threshold": [], "default_left": [], "gain": [], "left": [], "value": [], "sets": []}
    queue = [tree]
    while queue:
        nd = queue.pop(0)
        inner = "split_feature" in nd
        cat = inner and nd["decision_type"] == "=="
        out["feature"].append(nd["split_feature"] if inner else -1)
        out["threshold"].append(0 if not inner or cat else float(nd["threshold"]))
        if inner and nd["missing_type"] == "None":  # a missing value counts as 0
            out["default_left"].append(int(not cat and nd["threshold"] >= 0))
        else:
            out["default_left"].append(int(inner and nd["default_left"]))
        out["gain"].append(float(f"{nd['split_gain']:.9g}") if inner else 0)
        out["left"].append(len(out["feature"]) + len(queue) if inner else 0)
        out["value"].append(0 if inner else float(f"{nd['leaf_value']:.12g}"))
        out["sets"].append([int(c) for c in nd["threshold"].split("||")] if cat else [])
        if inner:
            queue += [nd["left_child"], nd["right_child"]]
    return out


def main():
    here = pathlib.Path(__file__).parent
    for k, (name, (objective, permille, weighted, extra)) in enumerate(CASES.items()):
        # With equal hessians the first tree has exact ties between columns, which the package
        # breaks by rounding: seed 41 has none. At seed 50 the count of a first bin of zeros decides.
        # Beside weights of 2¹⁴ those of 2⁻¹³ are near the package's own rounding: at some seeds it decides.
        seed = {"binary": 41, "huber_zero": 50, "wide_binary": 27, "wide_softmax": 28, "wide_squared": 29}.get(name, SEED + k)
        x, z, w = data(N, seed, permille)
        y = z.astype(np.float32)
        if objective == B:
            y = (z > 0.4).astype(np.float32)
        if objective == S:
            y = ((z > -0.6).astype(np.float32) + (z > 0.9)).astype(np.float32)
        if weighted == "wide":
            r = LCG(seed + 1000)
            w *= np.array([2.0 ** (r.next() % 27 - 13) for _ in range(N)])
        params = {"objective": objective, **extra}
        call = {**params, "num_threads": 1, "verbosity": -1, "deterministic": True, "force_col_wise": True, "enable_bundle": False}
        if objective == S:
            call["num_class"] = 3
        cat = call.pop("categorical_feature", [])
        d = lgb.Dataset(x, label=y, weight=w if weighted else None, categorical_feature=cat, params=call)
        b = lgb.train(call, d, ROUNDS)
        raw = b.predict(x, raw_score=True).reshape(N, -1)
        doc = {
            "reference": "lightgbm", "version": lgb.__version__, "generator": "gen_lightgbm.py", "seed": seed,
            "tolerance": {"splits": "all equal, or of the same rows", "raw": 1e-5},
            "params": params, "rows": N, "missing_permille": permille, "weighted": bool(weighted), "wide": weighted == "wide", "rounds": ROUNDS,
            "sum_y": float(np.sum(y.astype(np.float64))), "every": EVERY,
            "raw": [[float(f"{a:.10g}") for a in r] for r in raw[::EVERY]],
            "trees": [flat(t["tree_structure"]) for t in b.dump_model()["tree_info"]],
        }
        (here / f"lightgbm_{name}.json").write_text(json.dumps(doc, separators=(",", ":")) + "\n")


main()
