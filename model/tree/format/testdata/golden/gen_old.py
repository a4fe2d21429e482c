"""Makes golden files of model/tree/format with an older XGBoost.

    python gen_old.py PREFIX

as gen_formats.py does with the present one: trains small models with the
installed xgboost and writes PREFIX_NAME.model.json (and .ubj) with inputs and scores.
"""
import json, os, sys
import numpy as np
import xgboost

OUT = os.path.dirname(os.path.abspath(__file__))
PREFIX = sys.argv[1]
SEED = 20261122


def main():
    r = np.random.default_rng(SEED)
    n = 800
    x = r.normal(size=(n, 3)).astype(np.float32)
    score = x[:, 0] - x[:, 1] * x[:, 2] + 0.3 * r.normal(size=n)
    x[r.random(x.shape) < 0.1] = np.nan
    level = r.integers(0, 9, n)
    score = score + r.normal(size=9)[level]
    x = np.column_stack([x, level]).astype(np.float32)
    three = np.digitize(score, np.quantile(score, [0.4, 0.75]))
    types = ["q", "q", "q", "c"]
    names = ["alpha", "beta", "gamma", "level"]
    base = {"max_depth": 3, "tree_method": "hist", "seed": SEED, "nthread": 1}
    for name, params, y, file in [
        ("binary", dict(objective="binary:logistic", scale_pos_weight=2.0, base_score=0.3), score > 0, "model.json"),
        ("softprob", dict(objective="multi:softprob", num_class=3), three, "model.json"),
        ("dart", dict(objective="reg:squarederror", booster="dart", rate_drop=0.4), score, "ubj"),
    ]:
        d = lambda a, **k: xgboost.DMatrix(a, feature_types=types, feature_names=names, enable_categorical=True, **k)
        b = xgboost.train(dict(base, **params), d(x, label=y), 5)
        path = "%s_%s.%s" % (PREFIX, name, file)
        b.save_model(os.path.join(OUT, path))
        q = x[:60].copy()
        q[-4:, 3] = [10, 40, 100, np.nan]
        doc = {
            "reference": "xgboost", "version": xgboost.__version__, "generator": "gen_old.py", "seed": SEED, "tolerance": {"raw": 1e-6, "prob": 1e-6},
            "params": dict(base, **params), "file": path, "columns": names,
            "x": [[None if np.isnan(v) else float(v) for v in row] for row in q],
            "raw": np.asarray(b.predict(d(q), output_margin=True), float).reshape(60, -1).tolist(),
            "prob": None if name == "dart" else np.asarray(b.predict(d(q)), float).reshape(60, -1).tolist(),
        }
        with open(os.path.join(OUT, "%s_%s.json" % (PREFIX, name)), "w") as f:
            json.dump(doc, f)
            f.write("\n")


if __name__ == "__main__":
    main()
