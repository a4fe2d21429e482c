"""Skill of our styles and of the libraries on the same rows and folds.

    quality.py market NAME features.parquet labels.parquet TREES OUT [--quick]
    quality.py synthetic TREES OUT [--quick]

Market: rows are decisions in order of time, thinned to every k-th; folds are
blocks of time, and a training row is purged if its label overlaps the block or
ends within a day of it. Weights are average uniqueness of the training labels.
Skill is the log-loss of the training rows' class shares less that of the model,
over all test rows. It passes if it differs from the library's by at most 5 % of
that, or if the 95 % interval of the difference, from a circular block bootstrap
over weeks of test rows, holds 0; a skill above it passes too, and says so.

Synthetic: three generated sets, half of the rows for training; the skill must be
at least 95 % of the library's.

Losses are kept in OUT after every split, so that a run that was interrupted goes
on where it was, unless the program or the sizes changed.

What draws at random (forests, and catboost, whose default is a Bayesian
bootstrap) is trained with several seeds on both sides; losses are means.
"""
import hashlib
import json
import os
import subprocess
import sys
import time

import numpy as np

QUICK = "--quick" in sys.argv
FOLDS, ROWS, SIZE, DRAWS = (2, 3000, 4000, 500) if QUICK else (3, 6000, 16000, 4000)
SEEDS = 1 if QUICK else 2 if "market" in sys.argv else 3
DAY = 86400 * 10**9
STYLES = ["xgboost", "lightgbm", "catboost", "random_forest", "extra_trees"]
RANDOM = ["catboost", "random_forest", "extra_trees"]
SETTINGS = ["default", "market"]  # of boosters; forests have one


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


def rows(features, labels):
    import pyarrow.parquet as pq
    f, l = pq.read_table(features), pq.read_table(labels, columns=["time", "class", "outcome_time"])
    ns = lambda c: c.cast("int64").to_numpy()
    tf, tl = ns(f["time"]), ns(l["time"])
    at = np.searchsorted(tf, tl)
    assert (tf[at] == tl).all(), "labels without features"
    step = max(1, len(tl) // ROWS)
    keep = np.arange(0, len(tl), step)
    x = np.stack([c.to_numpy()[at[keep]] for n, c in zip(f.column_names, f.columns) if n != "time"], 1).astype(np.float32)
    x = np.ascontiguousarray(x[:, np.isfinite(x).any(0)])  # columns of volume where a market has none
    return x, l["class"].to_numpy()[keep].astype(int) + 1, tl[keep], ns(l["outcome_time"])[keep]


def library(style, setting, seed, x, y, w, xt, threads):
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
        p = dict(loss_function="MultiClass", thread_count=threads, allow_writing_files=False, logging_level="Silent", random_seed=seed, iterations=100)
        if market:
            p.update(iterations=200, learning_rate=0.05, depth=4, l2_leaf_reg=30, border_count=63)
        return lib.CatBoostClassifier(**p).fit(lib.Pool(x, y, weight=w)).predict_proba(xt)
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
    c = RandomForestClassifier if style == "random_forest" else ExtraTreesClassifier
    return c(300, min_samples_leaf=100, n_jobs=threads, random_state=seed).fit(x, y, sample_weight=w).predict_proba(xt)


def ours(style, setting, seed, x, y, w, xt, threads):
    d = os.path.join(OUT, "fold")
    os.makedirs(d, exist_ok=True)
    for n, v in (("x", x.T), ("y", y), ("w", w), ("test", xt.T), ("ytest", np.zeros(len(xt)))):
        np.ascontiguousarray(v, dtype=np.float32).tofile(os.path.join(d, n + ".f32"))
    json.dump({"rows": len(x), "cols": x.shape[1], "test": len(xt)}, open(os.path.join(d, "shape.json"), "w"))
    subprocess.run([TREES, "fit", "-dir", d, "-style", style, "-objective", "softprob", "-setting", setting, "-seed", str(seed), "-threads", str(threads)], check=True)
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


def compare(name, x, y, w, splits, threads):
    """Losses of all styles, settings and sides on the test rows of the splits, and
    of the class shares; w gives the weights of training rows."""
    prior, loss, begun = np.zeros(len(y)), {}, time.time()
    with open(TREES, "rb") as f:
        sign = hashlib.sha256(f.read() + x.tobytes() + repr((SEEDS, len(splits))).encode()).hexdigest()
    kept, done = os.path.join(OUT, name + ".npz"), 0
    if os.path.exists(kept):
        with np.load(kept) as f:
            if str(f["sign"]) == sign:
                done, prior = int(f["done"]), f["prior"]
                loss = {tuple(key.split("|")): f[key] for key in f.files if "|" in key}
    for k, (train, test) in enumerate(splits):
        if k < done:
            continue
        wt = w(train)
        share = np.bincount(y[train], weights=wt, minlength=3) / wt.sum()
        prior[test] = -np.log(share[y[test]])
        for s in STYLES:
            for setting in SETTINGS if s in STYLES[:3] else SETTINGS[:1]:
                seeds = SEEDS if s in RANDOM else 1
                for side, f in (("ours", ours), ("theirs", library)):
                    at = loss.setdefault((s, setting, side), np.zeros(len(y)))
                    for seed in range(1, seeds + 1):
                        at[test] += losses(f(s, setting, seed, x[train], y[train], wt, x[test], threads), y[test]) / seeds
        np.savez(kept, sign=sign, done=k + 1, prior=prior, **{"|".join(key): v for key, v in loss.items()})
        print("  %s: split %d of %d after %.0f s" % (name, k + 1, len(splits), time.time() - begun), flush=True)
    rows = np.concatenate([t for _, t in splits])
    return prior[rows], {k: v[rows] for k, v in loss.items()}


def judge(name, prior, loss, block):
    """Prints the table, and PASS or FAIL of each line; block 0: synthetic."""
    rng, lines, failed = np.random.default_rng(1), [], 0
    print("%-24s %10s %10s %8s %24s" % (name, "our skill", "theirs", "ratio", "ours - theirs, 95 %" if block else ""))
    for s, setting, side in loss:
        if side == "theirs":
            continue
        a, b = loss[s, setting, "ours"], loss[s, setting, "theirs"]
        mine, theirs = float((prior - a).mean()), float((prior - b).mean())
        within, text = mine >= 0.95 * theirs, ""
        word = "PASS" if within else "FAIL"
        if block:
            low, high = interval(b - a, block, rng)
            text = "%11.5f to %9.5f" % (low, high)
            equal = abs(mine - theirs) <= 0.05 * abs(theirs) or low <= 0 <= high
            word = "PASS" if equal else "PASS (better)" if mine > theirs else "FAIL"
        print("%-24s %10.5f %10.5f %8.3f %24s  %s" % (s + " " + setting, mine, theirs, mine / theirs, text, word))
        lines.append("RATIO quality_%s_%s_%s %.4f" % (name, s, setting, mine / theirs))
        failed += word == "FAIL"
    print("\n".join(lines), flush=True)
    return failed


def market(name, features, labels, threads):
    x, y, begin, end = rows(features, labels)
    n = len(y)
    block = max(20, round(n / ((begin[-1] - begin[0]) / DAY) * 7))  # rows of a week
    print("%s: %d rows of %d columns, %s to %s, classes %s" % (name, n, x.shape[1], np.datetime64(int(begin[0]), "ns").astype("M8[D]"),
                                                             np.datetime64(int(begin[-1]), "ns").astype("M8[D]"), np.bincount(y, minlength=3).tolist()), flush=True)
    splits = []
    for k in range(FOLDS):
        lo, hi = n * k // FOLDS, n * (k + 1) // FOLDS
        splits.append((np.flatnonzero((end < begin[lo] - DAY) | (begin > end[lo:hi].max() + DAY)), np.arange(lo, hi)))
    prior, loss = compare(name, x, y, lambda t: uniqueness(begin[t], end[t]), splits, threads)
    return judge(name, prior, loss, block)


def interactions(r, n):
    """Correlated normal columns; products and thresholds."""
    x = r.standard_normal((n, 8)) @ r.standard_normal((8, 40)) / 3 + r.standard_normal((n, 40))
    return x, x[:, 0] * x[:, 1] + np.where(x[:, 2] > 0.5, x[:, 3], -x[:, 4]) + 0.5 * x[:, 5] + 1.2 * r.standard_normal(n)


def levels(r, n):
    """Columns of few values, a tenth of them missing, which itself tells something."""
    x = np.stack([r.integers(0, k, n) for k in [2, 3, 5, 8, 13, 21, 34, 55] * 4], 1).astype(float)
    z = (x[:, 7] / 25 - 1) * (2 * x[:, 0] - 1) + np.abs(x[:, 5] - 10) / 6 + 0.6 * (x[:, 2] == 3) - 0.4 * x[:, 9]
    gone = r.random(x.shape) < 0.1
    z += np.where(gone[:, 5], 1.0, 0) + 0.7 * r.standard_normal(n)
    x[gone] = np.nan
    return x, z


def tails(r, n):
    """Heavy tails and skew, few columns of many that matter, rare large effects."""
    x = r.standard_t(2, (n, 60))
    x[:, ::3] = np.exp(x[:, ::3].clip(-8, 8))
    z = np.arctan(x[:, 1]) + 0.4 * np.log(x[:, 0]) + np.where(np.abs(x[:, 2]) > 4, 3 * np.sign(x[:, 4]), 0) + 0.7 * r.standard_normal(n)
    return x, z


def synthetic(threads):
    failed = 0
    for k, f in enumerate((interactions, levels, tails)):
        x, z = f(np.random.default_rng(k + 1), SIZE)
        x = np.ascontiguousarray(x, np.float32)
        y = np.digitize(z, np.quantile(z, [0.35, 0.7]))
        splits = [(np.arange(SIZE // 2), np.arange(SIZE // 2, SIZE))]
        prior, loss = compare(f.__name__, x, y, lambda t: np.ones(len(t)), splits, threads)
        failed += judge(f.__name__, prior, loss, 0)
    return failed


args = [a for a in sys.argv[1:] if a != "--quick"]
TREES, OUT = args[-2:]
threads = int(os.environ.get("OMP_NUM_THREADS", "2"))
failed = market(*args[1:4], threads) if args[0] == "market" else synthetic(threads)
if failed:
    print("%d of the lines above FAIL" % failed)
    sys.exit(1)
