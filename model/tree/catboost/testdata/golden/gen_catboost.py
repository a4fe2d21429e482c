"""Writes borders.json and catboost_*.json: borders, trees and raw scores of the catboost package.

The data are made by a formula that golden_test.go repeats exactly (integers
and correctly rounded divisions only). Trees are grown in plain mode without
sampling and noise.

    python gen_catboost.py

The tests never run this.
"""

import json
import pathlib
import tempfile

import catboost
import numpy as np
import pandas as pd

LEVELS = [2, 5, 20, 60, 120, 200, 3000]
SEED = 1
HERE = pathlib.Path(__file__).parent


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
        z[i] = v[5] * v[6] / 60000 + v[3] / 20 + (-v[2] / 5 if v[4] > 10 else v[2] / 10) + v[0] * v[1] / 4 + noise
        w[i] = (1 + r.next() % 16) / 8
    return x, z, w


B, S, L = "Logloss", "MultiClass", "RMSE"
CASES = {
    # name: loss, missing cells per mille, weights, parameters
    "logloss": (B, 0, False, {}),
    "logloss_missing": (B, 100, False, {"l2_leaf_reg": 1}),
    "logloss_max": (B, 100, True, {"nan_mode": "Max"}),
    "logloss_weights": (B, 50, True, {"leaf_estimation_backtracking": "No", "depth": 8}),
    "logloss_one_step": (B, 50, False, {"leaf_estimation_iterations": 1, "score_function": "L2"}),
    "logloss_gradient": (B, 50, True, {"leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 5}),
    "logloss_big_step": (B, 0, False, {"leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 6, "l2_leaf_reg": 0, "depth": 3}),
    "logloss_average": (B, 50, True, {"boost_from_average": True}),
    "softmax": (S, 0, False, {}),
    "softmax_missing": (S, 100, True, {"l2_leaf_reg": 9}),
    "softmax_newton": (S, 50, True, {"leaf_estimation_iterations": 4, "depth": 4}),
    "softmax_gradient": (S, 50, False, {"leaf_estimation_method": "Gradient", "score_function": "L2"}),
    "rmse": (L, 0, False, {}),
    "rmse_missing": (L, 100, False, {"l2_leaf_reg": 0.5, "nan_mode": "Max"}),
    "rmse_weights": (L, 50, True, {"score_function": "L2"}),
    "rmse_zero": (L, 50, True, {"boost_from_average": False, "leaf_estimation_method": "Gradient"}),
    "mae": ("MAE", 50, False, {}),
    "quantile": ("Quantile:alpha=0.8", 50, False, {}),
    "rmse_borders": (L, 50, False, {"border_count": 32, "feature_border_type": "Median"}),
    "cat_logloss": (B, 0, False, {"cat_features": [1, 2, 4]}),
    "cat_logloss_onehot": (B, 0, False, {"cat_features": [1, 2], "one_hot_max_size": 6}),
    "cat_logloss_kinds": (B, 0, False, {"cat_features": [2, 4], "model_size_reg": 0, "simple_ctr": ["Buckets:Prior=0.5", "BinarizedTargetMeanValue:Prior=0:Prior=1:CtrBorderCount=8", "Counter:Prior=0.5"]}),
    "cat_softmax": (S, 0, True, {"cat_features": [1, 2, 4]}),
    "cat_softmax_mean": (S, 0, False, {"cat_features": [2, 3], "simple_ctr": ["BinarizedTargetMeanValue", "Buckets"]}),
    "cat_rmse": (L, 0, False, {"cat_features": [0, 1, 2, 3]}),
    "cat_rmse_size": (L, 0, False, {"cat_features": [2, 3, 4, 5], "model_size_reg": 8}),
    "rmse_uniform": (L, 50, False, {"border_count": 20, "feature_border_type": "Uniform"}),
    # weights from 2⁻¹⁰ to 2¹⁴, whose sum is more than 2³⁰ times the least
    "wide_logloss": (B, 50, "wide", {}),
    "wide_softmax": (S, 50, "wide", {"l2_leaf_reg": 0.01}),
    "wide_rmse": (L, 100, "wide", {"score_function": "L2", "l2_leaf_reg": 0.1}),
}
N, ROUNDS, EVERY = 1500, 8, 5


def train(loss, missing, weighted, given):
    x, z, w = data(N, SEED, missing)
    if loss == B:
        y = (z > 0).astype(int)
    elif loss == S:
        y = (z > 1).astype(int) + (z > -1)
    else:
        y = z
    if weighted == "wide":
        r = LCG(1000)
        w *= np.array([2.0 ** (r.next() % 25 - 10) for _ in range(N)])
    p = dict(iterations=ROUNDS, learning_rate=0.2, depth=6, bootstrap_type="No", random_strength=0, boosting_type="Plain",
             leaf_estimation_iterations={B: 10}.get(loss, 1), sampling_frequency="PerTree",
             thread_count=1, verbose=False, allow_writing_files=False, random_seed=0)
    p.update(given)
    cats = p.pop("cat_features", [])
    frame = x
    if cats:  # categories are numbered from 0
        p.update(has_time=True, max_ctr_complexity=1)
        frame = pd.DataFrame({j: (x[:, j] * 8 + LEVELS[j] // 2).astype(int) if j in cats else x[:, j] for j in range(len(LEVELS))})
    m = catboost.CatBoost(dict(p, loss_function=loss))
    m.fit(catboost.Pool(frame, y, weight=w if weighted else None, cat_features=cats))
    return m, frame, p


def model(m):
    with tempfile.TemporaryDirectory() as d:
        m.save_model(d + "/m.json", format="json")
        return json.load(open(d + "/m.json"))


def borders():
    """All borders of the columns of data(), for several types and counts."""
    cases = []
    for kind, count, n, missing in [("GreedyLogSum", 254, 4000, 0), ("GreedyLogSum", 254, 4000, 100), ("GreedyLogSum", 128, 4096, 0),
                                    ("GreedyLogSum", 31, 777, 50), ("GreedyLogSum", 6, 100, 0), ("Median", 64, 4000, 50), ("Uniform", 20, 777, 0)]:
        x, _, _ = data(n, SEED, missing)
        p = catboost.Pool(x, np.arange(n) % 2)
        p.quantize(border_count=count, feature_border_type=kind)
        got = [[] for _ in LEVELS]
        with tempfile.TemporaryDirectory() as d:
            p.save_quantization_borders(d + "/b")
            for line in open(d + "/b"):
                f = line.split()
                got[int(f[0])].append(float(np.float32(f[1])))
        cases.append({"type": kind, "count": count, "rows": n, "missing": missing, "borders": got})
        print(kind, count, [len(b) for b in got])
    out = {"header": header(0), "cases": cases}
    (HERE / "borders.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


def header(tolerance):
    return {"reference": "catboost", "version": catboost.__version__, "generator": "gen_catboost.py", "seed": SEED, "tolerance": tolerance}


def main():
    borders()
    for name, (loss, missing, weighted, given) in CASES.items():
        m, x, p = train(loss, missing, weighted, given)
        j = model(m)
        floats = [f["flat_feature_index"] for f in j["features_info"]["float_features"]]
        raw = np.asarray(m.predict(x, prediction_type="RawFormulaVal")).reshape(len(x), -1)
        out = {
            "header": header(1e-9),
            "loss": loss, "missing": missing, "weighted": bool(weighted), "wide": weighted == "wide", "rows": N, "rounds": ROUNDS, "every": EVERY, "parameters": given,
            "scale_and_bias": j["scale_and_bias"],
            "trees": [
                {
                    # -1: a split of a category
                    "feature": [floats[s["float_feature_index"]] if "float_feature_index" in s else -1 for s in t["splits"] or []],
                    "border": [float(s["border"]) if "float_feature_index" in s else 0 for s in t["splits"] or []],
                    "leaves": [float(f"{v:.12g}") for v in t["leaf_values"]],
                    "weights": [float(f"{v:.9g}") for v in t["leaf_weights"]],
                }
                for t in j["oblivious_trees"]
            ],
            "raw": [[float(f"{v:.12g}") for v in r] for r in raw[::EVERY]],
        }
        (HERE / f"catboost_{name}.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
        print(name, len(out["trees"]), sum(len(t["feature"]) for t in out["trees"]), sum(f < 0 for t in out["trees"] for f in t["feature"]), out["scale_and_bias"])


main()
