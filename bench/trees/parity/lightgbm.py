"""Compares this project's lightgbm with the library, live.

    go build -o /tmp/lgb ./bench/trees/parity/lightgbm
    python bench/trees/parity/lightgbm.py /tmp/lgb [--quick] [--speed]

needs lightgbm and numpy. Three parts:

splits   on the same rows with nothing drawn at random: how many splits are the same, and how far the raw scores of fresh rows are apart.
         Our model, exported, must give the library the same scores.
skill    parameters that draw at random, too: the mean skill of several seeds on fresh rows (log-loss of the class shares less that of the
         model; for a real target, the share of variance) as a fraction of the library's, over three synthetic sets and a noisy one. At
         least 0.95 wanted.
speed    with --speed: seconds of training, one thread and two.

Ends in lines RATIO NAME VALUE, ours / theirs, and status 1 if a fraction of skill is below 0.95.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import lightgbm as lgb
import numpy as np


def factors(n, p, rng, nan=0.0):
    """Correlated, skewed and discrete columns."""
    f = rng.standard_normal((n, 6))
    x = f @ rng.standard_normal((6, p)) * 0.5 + rng.standard_normal((n, p))
    x[:, 1::5] = np.exp(0.5 * x[:, 1::5])
    x[:, 2::5] = np.tanh(x[:, 2::5])
    x[:, 3::5] = np.round(2 * x[:, 3::5])
    x = x.astype(np.float32)
    if nan:
        x[rng.random(x.shape) < nan] = np.nan
    return x


def target(x, rng, noise):
    z = np.nan_to_num(x.astype(np.float64))
    s = 0.6 * z[:, 0] * (z[:, 2] > 0) + 0.5 * np.sin(z[:, 4]) + 0.4 * z[:, 5] * z[:, 7] + 0.3 * (z[:, 3] > 1) - 0.2 * z[:, 6]
    s = (s - s.mean()) / s.std()
    return s + noise * rng.standard_normal(len(s))


def make(kind, n, p, seed, noise=1.0, nan=0.0, cats=0):
    rng = np.random.default_rng(seed)
    x = factors(n, p, rng, nan)
    s = target(x, rng, noise)
    if cats:
        c = rng.integers(0, cats, n)
        c = c * c // cats
        x[:, -1] = c
        s = s + rng.standard_normal(cats)[c]
    w = rng.uniform(0.25, 1.75, n).astype(np.float32)
    y = s.astype(np.float32)
    if kind == "binary":
        y = (s > 0.3).astype(np.float32)
    if kind == "multiclass":
        y = ((s > -0.5).astype(np.float32) + (s > 0.7)).astype(np.float32)
    return x, y, w


def ours(binary, dir, x, y, w, t, kind, params, workers=1, runs=1, text=True, seed=1):
    d = pathlib.Path(dir)
    names = [f"c{j}" for j in range(x.shape[1])]
    params = dict(params)
    if "categorical_feature" in params:
        params["categorical_feature"] = [names[j] for j in params["categorical_feature"]]
    if "monotone_constraints" in params:
        params["monotone_constraints"] = {names[j]: m for j, m in enumerate(params["monotone_constraints"]) if m}
    case = {"rows": len(x), "test": len(t), "names": names, "weighted": w is not None, "seed": seed,
            "classes": 3 if kind == "multiclass" else 0, "params": {"objective": kind, **params}}
    (d / "case.json").write_text(json.dumps(case))
    np.asfortranarray(x).T.tofile(d / "x.f32")
    np.asfortranarray(t).T.tofile(d / "t.f32")
    y.astype(np.float64).tofile(d / "y.f64")
    if w is not None:
        w.astype(np.float64).tofile(d / "w.f64")
    subprocess.run([binary, "-dir", dir, "-workers", str(workers), "-runs", str(runs), f"-text={str(text).lower()}"], check=True)
    raw = np.fromfile(d / "raw.f64").reshape(len(t), -1)
    return raw, (d / "model.txt").read_text(), json.loads((d / "out.json").read_text())["seconds"]


def theirs(x, y, w, t, kind, params, threads=1, seed=1):
    call = {"objective": kind, "num_threads": threads, "verbosity": -1, "deterministic": True, "force_col_wise": True, "seed": seed, **params}
    call.pop("early_stopping_round", None)
    if kind == "multiclass":
        call["num_class"] = 3
    rounds = call.pop("num_iterations", 100)
    cat = call.pop("categorical_feature", [])
    start = time.perf_counter()
    b = lgb.train(call, lgb.Dataset(x, label=y, weight=w, categorical_feature=cat, params=call, free_raw_data=False), rounds)
    seconds = time.perf_counter() - start
    return b.predict(t, raw_score=True).reshape(len(t), -1), b, seconds


def compare(a, b):
    """Splits that are the same and all splits of two dumped trees, walked from the root."""
    if "split_feature" not in b:
        return 0, 0
    n = count(b)
    if "split_feature" not in a or a["split_feature"] != b["split_feature"] or a["decision_type"] != b["decision_type"]:
        return 0, n
    if a["decision_type"] == "==":
        same = set(a["threshold"].split("||")) == set(b["threshold"].split("||"))
    else:
        up = lambda v: np.nextafter(np.float32(v), np.float32(np.inf)) if float(np.float32(v)) <= v else np.float32(v)
        same = up(float(a["threshold"])) == up(float(b["threshold"]))
    if not same:
        return 0, n
    l, r = compare(a["left_child"], b["left_child"]), compare(a["right_child"], b["right_child"])
    return 1 + l[0] + r[0], 1 + l[1] + r[1]


def count(t):
    return 1 + count(t["left_child"]) + count(t["right_child"]) if "split_feature" in t else 0


def skill(raw, y, kind, train_y):
    if kind == "regression":
        return 1 - np.mean((raw[:, 0] - y) ** 2) / np.mean((train_y.mean() - y) ** 2)
    if kind == "binary":
        raw = np.hstack([np.zeros_like(raw), raw])
    k = raw.shape[1]
    share = np.bincount(train_y.astype(int), minlength=k) / len(train_y)
    log = raw - raw.max(axis=1, keepdims=True)
    log = log - np.log(np.exp(log).sum(axis=1, keepdims=True))
    i = y.astype(int)
    return -np.log(share[i]).mean() + log[np.arange(len(i)), i].mean()


def splits(binary, dir, quick):
    n, rounds = (20000, 20) if quick else (60000, 50)
    print("splits: nothing random, default bins")
    print(f"{'case':34} {'first tree':>12} {'all trees':>14} {'scores apart: median':>22} {'most':>9} {'export':>9}")
    for name, kind, nan, weighted, cats, params in [
        ("binary", "binary", 0, False, 0, {}),
        ("binary, 5 % missing, weights", "binary", 0.05, True, 0, {}),
        ("3 classes", "multiclass", 0, False, 0, {}),
        ("3 classes, missing, regularised", "multiclass", 0.05, False, 0, {"lambda_l1": 1, "lambda_l2": 5, "min_gain_to_split": 0.2}),
        ("L2", "regression", 0, False, 0, {}),
        ("L2, weights, smoothed", "regression", 0.02, True, 0, {"path_smooth": 5}),
        ("binary, 60 categories", "binary", 0, False, 60, {"categorical_feature": [11]}),
        ("binary, monotone", "binary", 0, False, 0, {"monotone_constraints": [1] + [0] * 3 + [1] + [0] * 7}),
    ]:
        x, y, w = make(kind, n + 5000, 12, 3, nan=nan, cats=cats)
        w = w[:n] if weighted else None
        params = {"num_iterations": rounds, **params}
        mine, text, _ = ours(binary, dir, x[:n], y[:n], w, x[n:], kind, {**params, "early_stopping_round": 0})
        lib, b, _ = theirs(x[:n], y[:n], w, x[n:], kind, params)
        again = lgb.Booster(model_str=text).predict(x[n:], raw_score=True).reshape(len(mine), -1)
        trees = list(zip(lgb.Booster(model_str=text).dump_model()["tree_info"], b.dump_model()["tree_info"]))
        pairs = [compare(a["tree_structure"], b["tree_structure"]) for a, b in trees]
        k = mine.shape[1]
        first = np.sum(pairs[:k], axis=0)
        total = np.sum(pairs, axis=0)
        gap = np.abs(mine - lib)
        print(f"{name:34} {first[0]:5}/{first[1]:<6} {total[0]:6}/{total[1]:<7} {np.median(gap):22.1e} {gap.max():9.1e} {np.abs(mine - again).max():9.1e}")


def skills(binary, dir, quick):
    n = 20000 if quick else 50000
    print("skill on fresh rows: ours, theirs, ours / theirs")
    low = 1.0
    sets = [("smooth", 0.5, 0, 0), ("missing", 1.0, 0.1, 0), ("categories", 1.0, 0, 40), ("noisy", 3.0, 0, 0)]
    for name, noise, nan, cats in sets:
        for kind in ["binary", "multiclass", "regression"]:
            for what, params in [
                ("default", {}),
                ("bagging", {"bagging_fraction": 0.6, "bagging_freq": 1, "feature_fraction": 0.7}),
                ("goss", {"data_sample_strategy": "goss"}),
                ("dart", {"boosting": "dart"}),
                ("extra_trees", {"extra_trees": True, "feature_fraction_bynode": 0.7}),
            ]:
                if quick and (kind != "multiclass" or what in ("dart", "extra_trees")):
                    continue
                x, y, _ = make(kind, 2 * n, 15, 11, noise=noise, nan=nan, cats=cats)
                params = {"num_iterations": 60, **params}
                if cats:
                    params["categorical_feature"] = [14]
                a, b = [], []
                for seed in range(1, 2 if what == "default" else 7 if name == "noisy" else 4):
                    mine, _, _ = ours(binary, dir, x[:n], y[:n], None, x[n:], kind, {**params, "early_stopping_round": 0}, text=False, seed=seed)
                    lib, _, _ = theirs(x[:n], y[:n], None, x[n:], kind, params, seed=seed)
                    a.append(skill(mine, y[n:], kind, y[:n]))
                    b.append(skill(lib, y[n:], kind, y[:n]))
                a, b = np.mean(a), np.mean(b)
                low = min(low, a / b)
                print(f"  {name:11} {kind:11} {what:12} {a:9.5f} {b:9.5f} {a / b:7.4f}")
    print(f"RATIO skill_least {low:.4f}")
    return low


def speed(binary, dir, quick):
    print("seconds of training: ours, theirs")
    cases = [("200k_120_binary", "binary", 200000, 120, 100), ("200k_120_3class", "multiclass", 200000, 120, 30), ("20k_120_binary", "binary", 20000, 120, 100)]
    for name, kind, n, p, rounds in cases[2:] if quick else cases:
        x, y, _ = make(kind, n, p, 5)
        for threads in (1, 2):
            _, _, a = ours(binary, dir, x, y, None, x[:10], kind, {"num_iterations": rounds, "early_stopping_round": 0}, threads, runs=3, text=False)
            b = min(theirs(x, y, None, x[:10], kind, {"num_iterations": rounds}, threads)[2] for _ in range(3))
            print(f"  {name:18} {threads} threads {a:8.3f} {b:8.3f}")
            print(f"RATIO lightgbm_{name}_{threads} {a / b:.3f}")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("binary")
    args.add_argument("--quick", action="store_true")
    args.add_argument("--speed", action="store_true")
    args = args.parse_args()
    with tempfile.TemporaryDirectory() as dir:
        if args.speed:
            speed(args.binary, dir, args.quick)
            return
        splits(args.binary, dir, args.quick)
        if skills(args.binary, dir, args.quick) < 0.95:
            raise SystemExit(1)


main()
