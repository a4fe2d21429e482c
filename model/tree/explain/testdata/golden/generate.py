"""Writes shap.json: small models of XGBoost and LightGBM, rows, and what the
libraries and the shap package say about them.

    python generate.py

Needs xgboost, lightgbm, shap and numpy. The trees are written node by node in
breadth-first order: [column, threshold, default left, left child, value,
cover, count, 1 + set] with 0 as the left child of a leaf.
"""
import json
import os

import lightgbm as lgb
import numpy as np
import shap
import xgboost as xgb

SEED = 20261122
rng = np.random.default_rng(SEED)
N, P = 400, 6


def data(classes, categories):
    x = rng.standard_normal((N, P)).astype(np.float32)
    if categories:
        x[:, 2] = rng.integers(0, 9, N)
    score = x[:, 0] + 0.7 * x[:, 1] * (x[:, 3] > 0) + rng.standard_normal(N) * 0.5
    if categories:
        score += np.where(np.isin(x[:, 2], [1, 4, 5, 7]), 1, -1)
    holes = rng.random((N, P)) < 0.1
    if categories:
        holes[:, 2] = False
    x[holes] = np.nan
    y = np.digitize(score, [-0.6, 0.6]) if classes == 3 else (score > 0).astype(int)
    return x, y


def breadth_first(root, children, node):
    """Nodes as rows; children(n) is () for a leaf, node(n, left) makes a row."""
    order, rows = [root], []
    for n in order:
        c = children(n)
        rows.append(node(n, len(order) if c else 0))
        order.extend(c)
    return rows


def from_xgboost(booster):
    out = []
    model = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]
    for t, c in zip(model["trees"], model["tree_info"]):
        left, right = t["left_children"], t["right_children"]
        out.append({"class": c, "sets": [], "nodes": breadth_first(
            0, lambda n: (left[n], right[n]) if left[n] >= 0 else (),
            lambda n, to: [t["split_indices"][n], t["split_conditions"][n], bool(t["default_left"][n]), to, 0.0, t["sum_hessian"][n], 0, 0]
            if left[n] >= 0 else [0, 0.0, False, 0, t["split_conditions"][n], t["sum_hessian"][n], 0, 0])})
    return out


def from_lightgbm(booster, classes):
    out = []
    for i, t in enumerate(booster.dump_model()["tree_info"]):
        sets = []

        def node(n, to):
            if "leaf_value" in n:
                return [0, 0.0, False, 0, n["leaf_value"], n.get("leaf_weight", 0.0), n.get("leaf_count", N), 0]
            row = [n["split_feature"], 0.0, n["default_left"], to, 0.0, n["internal_weight"], n["internal_count"], 0]
            if n["decision_type"] == "==":
                sets.append([int(c) for c in n["threshold"].split("||")])
                row[2], row[7] = False, len(sets)
            else:
                row[1] = n["threshold"]
                assert n["missing_type"] == "NaN" or not n["default_left"], n
            return row

        rows = breadth_first(t["tree_structure"], lambda n: () if "leaf_value" in n else (n["left_child"], n["right_child"]), node)
        out.append({"class": i % classes, "sets": sets, "nodes": rows})
    return out


def numbers(a):
    """NaN is null."""
    return json.loads(json.dumps(np.asarray(a, dtype=float).tolist()).replace("NaN", "null"))


def interventional(booster, x, background):
    e = shap.TreeExplainer(booster, data=background, feature_perturbation="interventional", model_output="raw")
    v = np.asarray(e.shap_values(x, check_additivity=False), dtype=float)
    v = v[:, :, None] if v.ndim == 2 else v
    return numbers(np.moveaxis(v, 2, 1))  # rows, scores, columns


cases = []
for name, objective, classes in [("xgboost binary", "binary:logistic", 2), ("xgboost softmax", "multi:softprob", 3)]:
    x, y = data(classes, False)
    params = {"objective": objective, "max_depth": 4, "eta": 0.4, "base_score": 0.5 if classes == 2 else 0.0, "seed": 1, "nthread": 1}
    if classes == 3:
        params["num_class"] = 3
    b = xgb.train(params, xgb.DMatrix(x, y), 4)
    rows, back = x[:6], x[50:58]
    d = xgb.DMatrix(rows)
    k = 1 if classes == 2 else 3
    cases.append({
        "name": name, "style": "xgboost", "categorical": [], "base": [0.0] * k, "tolerance": 3e-6,
        "trees": from_xgboost(b), "rows": numbers(rows), "background": numbers(back),
        "raw": numbers(b.predict(d, output_margin=True).reshape(6, k)),
        "path": numbers(b.predict(d, pred_contribs=True).reshape(6, k, P + 1)),
        "interactions": numbers(b.predict(d, pred_interactions=True).reshape(6, k, P + 1, P + 1)),
        "interventional": interventional(b, rows, back),
    })
for name, objective, classes, categories in [("lightgbm binary", "binary", 2, False), ("lightgbm multiclass", "multiclass", 3, False),
                                             ("lightgbm categories", "binary", 2, True)]:
    x, y = data(classes, categories)
    params = {"objective": objective, "num_leaves": 9, "min_data_in_leaf": 10, "learning_rate": 0.4, "verbose": -1, "seed": 1, "num_threads": 1,
              "deterministic": True, "min_data_per_group": 5, "max_cat_to_onehot": 1}
    if classes == 3:
        params["num_class"] = 3
    b = lgb.train(params, lgb.Dataset(x.astype(np.float64), y, categorical_feature=[2] if categories else []), 4)
    rows, back = x[:6], x[50:58]
    k = 1 if classes == 2 else 3
    r64 = rows.astype(np.float64)
    case = {
        "name": name, "style": "lightgbm", "categorical": [2] if categories else [], "base": [0.0] * k, "tolerance": 1e-10,
        "trees": from_lightgbm(b, k), "rows": numbers(rows),
        "raw": numbers(b.predict(r64, raw_score=True).reshape(6, k)),
        "path": numbers(np.asarray(b.predict(r64, pred_contrib=True)).reshape(6, k, P + 1)),
    }
    if not categories and k == 1:  # shap adds up the classes of LightGBM
        case["background"] = numbers(back)
        case["interventional"] = interventional(b, r64, back.astype(np.float64))
    cases.append(case)

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "shap.json"), "w") as f:
    json.dump({
        "header": {"reference": "xgboost, lightgbm, shap", "version": f"{xgb.__version__}, {lgb.__version__}, {shap.__version__}",
                   "generator": "generate.py", "seed": SEED, "tolerance": "of each case; interventional: 3e-6"},
        "cases": cases}, f)
    f.write("\n")
