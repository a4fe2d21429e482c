"""Skill of our styles and of the libraries on the same rows of a real market.

    quality.py NAME features.parquet labels.parquet TREES OUT [--quick]

Rows are decisions in order of time, thinned to every k-th; folds are blocks of
time, and a training row is purged if its label overlaps the block or ends within
a day of it. Weights are average uniqueness of the training labels. Skill is the
log-loss of the training rows' class shares less that of the model, over all test
rows. The interval of the difference of two losses is that of a circular block
bootstrap over weeks of test rows.
"""
import json
import os
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq

NAME, FEATURES, LABELS, TREES, OUT = sys.argv[1:6]
QUICK = "--quick" in sys.argv
FOLDS, ROWS, DRAWS = (2, 3000, 500) if QUICK else (5, 45000, 4000)
DAY = 86400 * 10**9
STYLES = ["xgboost", "lightgbm", "catboost", "random_forest", "extra_trees"]
SETTINGS = {"xgboost": ["market", "default"], "lightgbm": ["market", "default"], "catboost": ["market", "default"],
            "random_forest": ["market"], "extra_trees": ["market"]}
if QUICK:
    SETTINGS = {s: ["market"] for s in STYLES}


def uniqueness(begin, end):
    """Mean of 1/(labels alive) over each label's life."""
    t = np.unique(np.concatenate([begin, end]))
    change = np.zeros(len(t))
    np.add.at(change, np.searchsorted(t, begin), 1)
    np.add.at(change, np.searchsorted(t, end), -1)
    alive = np.cumsum(change)[:-1]
    area = np.concatenate([[0], np.cumsum(np.where(alive > 0, np.diff(t) / np.maximum(alive, 1), 0))])
    life = np.maximum(end - begin, 1)
    return np.minimum((area[np.searchsorted(t, end)] - area[np.searchsorted(t, begin)]) / life, 1)


def rows():
    f, l = pq.read_table(FEATURES), pq.read_table(LABELS, columns=["time", "class", "outcome_time"])
    ns = lambda c: c.cast("int64").to_numpy()
    tf, tl = ns(f["time"]), ns(l["time"])
    at = np.searchsorted(tf, tl)
    assert (tf[at] == tl).all(), "labels without features"
    step = max(1, len(tl) // ROWS)
    keep = np.arange(0, len(tl), step)
    x = np.stack([c.to_numpy()[at[keep]] for n, c in zip(f.column_names, f.columns) if n != "time"], 1).astype(np.float32)
    x = np.ascontiguousarray(x[:, np.isfinite(x).any(0)])  # columns of volume where a market has none
    return x, l["class"].to_numpy()[keep].astype(int) + 1, tl[keep], ns(l["outcome_time"])[keep]


def library(style, setting, x, y, w, xt, threads):
    """The libraries with the parameters that fit.go gives our styles."""
    market = setting == "market"
    if style == "xgboost":
        import xgboost as lib
        p = dict(objective="multi:softprob", num_class=3, tree_method="hist", nthread=threads, verbosity=0)
        if market:
            p.update(eta=0.05, max_depth=4, min_child_weight=20, reg_lambda=10, max_bin=64)
        d = lib.QuantileDMatrix(x, y, weight=w, max_bin=p.get("max_bin", 256), nthread=threads)
        return lib.train(p, d, 200 if market else 100).inplace_predict(xt)
    if style == "lightgbm":
        import lightgbm as lib
        p = dict(objective="multiclass", num_class=3, num_threads=threads, verbosity=-1)
        if market:
            p.update(learning_rate=0.05, num_leaves=15, min_data_in_leaf=200, lambda_l2=10, max_bin=63)
        return lib.train(p, lib.Dataset(x, y, weight=w, params=p), 200 if market else 100).predict(xt)
    if style == "catboost":
        import catboost as lib
        p = dict(loss_function="MultiClass", thread_count=threads, allow_writing_files=False, logging_level="Silent", random_seed=1, iterations=100)
        if market:
            p.update(iterations=200, learning_rate=0.05, depth=4, l2_leaf_reg=30, border_count=63)
        return lib.CatBoostClassifier(**p).fit(lib.Pool(x, y, weight=w)).predict_proba(xt)
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
    c = RandomForestClassifier if style == "random_forest" else ExtraTreesClassifier
    return c(300, min_samples_leaf=100, n_jobs=threads, random_state=1).fit(x, y, sample_weight=w).predict_proba(xt)


def ours(style, setting, x, y, w, xt, threads):
    d = os.path.join(OUT, "fold")
    os.makedirs(d, exist_ok=True)
    for n, v in (("x", x.T), ("y", y), ("w", w), ("test", xt.T), ("ytest", np.zeros(len(xt)))):
        np.ascontiguousarray(v, dtype=np.float32).tofile(os.path.join(d, n + ".f32"))
    json.dump({"rows": len(x), "cols": x.shape[1], "test": len(xt)}, open(os.path.join(d, "shape.json"), "w"))
    subprocess.run([TREES, "fit", "-dir", d, "-style", style, "-objective", "softprob", "-setting", setting, "-threads", str(threads)], check=True)
    return np.fromfile(os.path.join(d, "p.f64")).reshape(len(xt), -1)


def losses(p, y):
    return -np.log(np.maximum(p[np.arange(len(y)), y], 1e-15))


def interval(d, block, rng):
    """95 % interval of the mean of d over circular blocks."""
    n = len(d)
    c = np.concatenate([[0], np.cumsum(np.concatenate([d, d]))])
    starts = rng.integers(0, n, (DRAWS, max(1, n // block)))
    means = (c[starts + block] - c[starts]).sum(1) / (starts.shape[1] * block)
    return np.quantile(means, [0.025, 0.975])


def main():
    threads = int(os.environ.get("OMP_NUM_THREADS", "2"))
    x, y, begin, end = rows()
    n = len(y)
    span = (begin[-1] - begin[0]) / DAY
    block = max(20, round(n / span * 7))  # rows of a week
    print("%s: %d rows of %d columns, %s to %s, classes %s" % (NAME, n, x.shape[1], np.datetime64(int(begin[0]), "ns").astype("M8[D]"),
                                                             np.datetime64(int(begin[-1]), "ns").astype("M8[D]"), np.bincount(y, minlength=3).tolist()))
    prior, loss = np.zeros(n), {}
    for k in range(FOLDS):
        lo, hi = n * k // FOLDS, n * (k + 1) // FOLDS
        train = np.flatnonzero((end < begin[lo] - DAY) | (begin > end[lo:hi].max() + DAY))
        w = uniqueness(begin[train], end[train])
        share = np.bincount(y[train], weights=w, minlength=3) / w.sum()
        prior[lo:hi] = -np.log(share[y[lo:hi]])
        for s in STYLES:
            for setting in SETTINGS[s]:
                for side, f in (("ours", ours), ("theirs", library)):
                    p = f(s, setting, x[train], y[train], w, x[lo:hi], threads)
                    loss.setdefault((s, setting, side), np.zeros(n))[lo:hi] = losses(p, y[lo:hi])
    rng, lines, failed = np.random.default_rng(1), [], []
    print("%-24s %10s %10s %10s %24s" % ("", "our skill", "theirs", "ratio", "theirs - ours, 95 %"))
    for s in STYLES:
        for setting in SETTINGS[s]:
            a, b = loss[s, setting, "ours"], loss[s, setting, "theirs"]
            skill = [float((prior - v).mean()) for v in (a, b)]
            low, high = interval(b - a, block, rng)
            near = abs(skill[0] - skill[1]) <= 0.05 * abs(skill[1])
            ok = near or low <= 0 <= high or skill[0] > skill[1]
            name = "%s_%s_%s" % (NAME, s, setting)
            print("%-24s %10.5f %10.5f %10.3f %11.5f to %9.5f  %s" % (s + " " + setting, *skill, skill[0] / skill[1], low, high, "" if ok else "WORSE"))
            lines.append("RATIO quality_%s %.4f" % (name, skill[0] / skill[1]))
            if not ok:
                failed.append(name)
    print("\n".join(lines))
    if failed:
        print("worse than the library: " + ", ".join(failed))
        sys.exit(1)


main()
