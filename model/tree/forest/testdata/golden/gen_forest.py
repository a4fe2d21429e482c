"""Writes tree.json and forest.json: single trees of scikit-learn
node by node, and scores of whole forests over many seeds.

    python gen_forest.py

Needs numpy and scikit-learn. Columns have few distinct values, so that the
bins are exact; weights are random, so that no two splits tie.
"""
import json
import os
import sys

import numpy as np
import sklearn
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 20261122


def header(tolerance):
    return {"reference": "scikit-learn", "version": sklearn.__version__, "generator": "testdata/golden/gen_forest.py", "seed": SEED, "tolerance": tolerance}


def write(name, doc):
    with open(os.path.join(HERE, name), "w") as f:
        json.dump(doc, f, separators=(",", ":"))
        f.write("\n")


def sample(r, n, p, levels, noise=0.8):
    x = r.normal(size=(n, p))
    z = x[:, 0] * x[:, 1] + 0.7 * x[:, 2] + noise * r.normal(size=n)
    x = np.round(x * levels) / levels
    c = np.where(z < -0.5, 0, np.where(z > 0.5, 2, 1))
    return x.astype(np.float32), c, z


def node(t, i, k):
    v = t.value[i].ravel()
    out = {"n": int(t.n_node_samples[i]), "w": float(t.weighted_n_node_samples[i]), "v": [float(a) for a in v[:k]], "imp": float(t.impurity[i])}
    if t.children_left[i] >= 0:
        thr = float(t.threshold[i])
        out.update(f=int(t.feature[i]), t=thr if np.isfinite(thr) else None, miss=bool(t.missing_go_to_left[i]),
                   l=node(t, t.children_left[i], k), r=node(t, t.children_right[i], k))
    return out


def trees():
    r = np.random.default_rng(SEED)
    x, classes, z = sample(r, 400, 6, 8)
    xm = x.copy()
    xm[r.random(x.shape) < 0.1] = np.nan
    xm[:, 5] = np.where(np.isnan(xm[:, 5]) | (z > 1), np.nan, xm[:, 5])  # missing says something
    w = np.round(r.uniform(0.2, 3, size=len(x)), 3)
    cases = []

    def add(name, criterion, missing=False, two=False, **kw):
        data = xm if missing else x
        c = (classes > 0).astype(int) if two else classes
        reg = criterion == "squared_error"
        cls = DecisionTreeRegressor if reg else DecisionTreeClassifier
        kw.setdefault("min_samples_leaf", 7)
        cw = kw.pop("class_weight", "none")
        if cw == "none":
            m = cls(criterion=criterion, random_state=1, **kw).fit(data, z if reg else c, sample_weight=w)
        else:  # a forest balances the weights, a tree the rows
            m = RandomForestClassifier(1, bootstrap=False, max_features=None, criterion=criterion, class_weight=cw, random_state=1, **kw)
            m = m.fit(data, c, sample_weight=w).estimators_[0]
        cases.append({"name": name, "criterion": criterion, "missing": missing, "params": {**kw, "class_weight": cw}, "two": two, "root": node(m.tree_, 0, 1 if reg else 2 if two else 3)})

    add("gini", "gini")
    add("entropy", "entropy")
    add("variance", "squared_error")
    add("gini, missing values", "gini", True)
    add("entropy, missing values", "entropy", True)
    add("variance, missing values", "squared_error", True)
    add("depth", "gini", max_depth=3)
    add("split", "gini", min_samples_split=60)
    add("weight of a leaf", "gini", min_samples_leaf=1, min_weight_fraction_leaf=0.03)
    add("decrease", "gini", min_impurity_decrease=0.004)
    add("leaves", "gini", max_leaf_nodes=9)
    add("leaves of a number", "squared_error", max_leaf_nodes=11)
    add("pruning", "gini", ccp_alpha=0.004)
    add("pruning of a number", "squared_error", ccp_alpha=0.02)
    add("balanced", "gini", class_weight="balanced")
    rises = [1, 1, -1, 0, 0, 0]  # against what the target does in column 2, and where it does neither
    add("monotone number", "squared_error", monotonic_cst=rises, min_samples_leaf=4)
    add("monotone number, missing values", "squared_error", True, monotonic_cst=[1, 0, 1, -1, 0, 1])
    add("monotone number of few leaves", "squared_error", monotonic_cst=[0, -1, 1, 0, 1, 0], max_leaf_nodes=13)
    add("two classes", "gini", two=True)
    add("monotone classes", "gini", two=True, monotonic_cst=rises, min_samples_leaf=4)
    add("monotone classes, missing values", "entropy", True, two=True, monotonic_cst=[1, 0, 1, -1, 0, -1], min_samples_leaf=4)
    cells = lambda a: [[None if np.isnan(v) else round(float(v) * 8) for v in row] for row in a]
    write("tree.json", {"header": header("thresholds exact, values 1e-7 relative"), "x": cells(x), "missing": cells(xm), "weight": w.tolist(),
                        "class": classes.tolist(), "y": z.tolist(), "cases": cases})


def forests():
    """Mean and deviation over seeds of out-of-bag and test scores."""
    r = np.random.default_rng(SEED + 1)
    x, c, z = sample(r, 1500, 8, 12)
    tr, te = slice(0, 700), slice(700, 1500)
    w = np.round(r.uniform(0.2, 3, size=700), 2)
    out = []

    def add(name, cls, seeds=12, weighted=False, **kw):
        reg = "Regressor" in cls.__name__
        y = z if reg else c
        test, oob, leaves, depth = [], [], [], []
        for s in range(seeds):
            m = cls(n_estimators=60, random_state=s, n_jobs=2, **kw).fit(x[tr], y[tr], sample_weight=w if weighted else None)
            if reg:
                test.append(mean_squared_error(y[te], m.predict(x[te])))
            else:
                q = np.clip(m.predict_proba(x[te]), 1e-15, 1)
                test.append(log_loss(y[te], q / q.sum(1, keepdims=True)))
            if kw.get("oob_score"):
                oob.append(m.oob_score_)
            leaves.append(np.mean([t.tree_.n_leaves for t in m.estimators_]))
            depth.append(np.mean([t.tree_.max_depth for t in m.estimators_]))
        stats = lambda a: {"mean": float(np.mean(a)), "sd": float(np.std(a, ddof=1))} if a else None
        out.append({"name": name, "extra": "Extra" in cls.__name__, "regression": reg, "weighted": weighted, "params": kw, "seeds": seeds,
                    "test": stats(test), "oob": stats(oob), "leaves": stats(leaves), "depth": stats(depth)})

    RF, ET = RandomForestClassifier, ExtraTreesClassifier
    add("forest", RF, oob_score=True)
    add("forest, leaves of 5", RF, oob_score=True, min_samples_leaf=5)
    add("forest, entropy", RF, oob_score=True, criterion="entropy", min_samples_leaf=3, max_features=0.5)
    add("forest, weights", RF, oob_score=True, weighted=True, min_samples_leaf=5, max_samples=0.5)
    add("forest, balanced in the sample", RF, oob_score=True, class_weight="balanced_subsample", min_samples_leaf=5, max_samples=300)
    add("forest, few leaves", RF, oob_score=True, max_leaf_nodes=20)
    add("extra trees", ET)
    add("extra trees, bootstrap", ET, bootstrap=True, oob_score=True, min_samples_leaf=3)
    add("regression", RandomForestRegressor, oob_score=True, min_samples_leaf=3, max_features=3)
    add("extra regression", ExtraTreesRegressor, min_samples_leaf=2)
    write("forest.json", {"header": header("4 standard errors of both sides"), "train": 700, "levels": 12, "x": (np.round(x * 12)).astype(int).tolist(),
                          "class": c.tolist(), "y": np.round(z, 6).tolist(), "weight": w.tolist(), "cases": out})


if __name__ == "__main__":
    trees()
    if "--trees" not in sys.argv:
        forests()
