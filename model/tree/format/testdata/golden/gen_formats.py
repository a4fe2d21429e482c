"""Makes the golden files of model/tree/format.

    python gen_formats.py [FOLDER]

Trains small models with the real libraries on generated data and writes, for
each, the model file as the library saves it and a JSON file with inputs, raw
scores and probabilities as the library gives them. Missing values are null.
"""
import json, os, sys
import numpy as np
import pandas
import catboost, lightgbm, xgboost
from catboost import CatBoost, Pool

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
SEED = 20261122
N, SHOWN = 1500, 80


def data(seed, categorical=0, missing=0.1, zeros=False):
    """Four numeric columns, then categorical ones of 12 and 70 levels."""
    r = np.random.default_rng(seed)
    x = r.normal(size=(N, 4)).astype(np.float32)
    if zeros:
        x[r.random(x.shape) < 0.25] = 0
    level = [r.integers(0, m, N) for m in (12, 70)]
    score = x[:, 0] * 1.2 - x[:, 1] * x[:, 2] + 0.4 * r.normal(size=N)
    for c in range(categorical):
        score = score + r.normal(size=70)[level[c]]
    x[r.random(x.shape) < missing] = np.nan
    for c in range(categorical):
        x = np.column_stack([x, level[c].astype(np.float32)])
    w = r.uniform(0.2, 2.0, N)
    three = np.digitize(score, np.quantile(score, [0.4, 0.75]))
    return x, score, (score > 0).astype(int), three, w


def columns(x):
    return ["alpha", "beta", "gamma", "delta", "cat one", "cat two"][: x.shape[1]]


def save(name, library, params, x, raw, prob, tolerance, file, note="", categories=None):
    """raw and prob are rows by scores."""
    def table(a):
        return None if a is None else [[None if np.isnan(v) else float(v) for v in row] for row in np.asarray(a, float).reshape(len(x), -1)]
    doc = {
        "reference": library.__name__, "version": library.__version__, "generator": "gen_formats.py", "seed": SEED,
        "tolerance": tolerance, "params": {k: v for k, v in params.items()}, "note": note, "file": file,
        "columns": columns(x), "categories": categories, "x": table(x), "raw": table(raw), "prob": table(prob),
    }
    with open(os.path.join(OUT, name + ".json"), "w") as f:
        json.dump(doc, f)
        f.write("\n")


def with_unknown(x, categorical):
    """The rows shown; in the last some categories that training did not have."""
    q = x[:SHOWN].copy()
    for c in range(categorical):
        q[-6:, 4 + c] = [90, 91, 200, 1000, 69, 64]
        q[-12:-8, 4 + c] = np.nan
    return q


def xgb(name, params, y, x, w=None, rounds=8, prob=None, categorical=0, ubj=False, best=None):
    types = ["q"] * 4 + ["c"] * categorical
    names = [c.replace(" ", "_") for c in columns(x)]
    d = lambda a, **k: xgboost.DMatrix(a, feature_types=types, feature_names=names, enable_categorical=categorical > 0, **k)
    params = dict(params, seed=SEED, tree_method="hist", nthread=1)
    if best is not None:
        b = xgboost.train(params, d(x[:700], label=y[:700]), 60, evals=[(d(x[700:], label=y[700:]), "stop")], early_stopping_rounds=best, verbose_eval=False)
        assert b.best_iteration + 1 < b.num_boosted_rounds()
    else:
        b = xgboost.train(params, d(x, label=y, weight=w), rounds)
    file = name + (".ubj" if ubj else ".model.json")
    b.save_model(os.path.join(OUT, file))
    q = with_unknown(x, categorical)
    k = {} if best is None else {"iteration_range": (0, b.best_iteration + 1)}
    raw = b.predict(d(q), output_margin=True, **k)
    p = b.predict(d(q), **k) if prob else None
    # float32 sums in the order of the trees: no more than an ulp or two of
    # fused additions can differ.
    save(name, xgboost, params, q, raw, p, {"raw": 1e-6, "prob": 1e-6}, file)


def make_xgboost():
    x, score, two, three, w = data(SEED)
    base = {"max_depth": 4, "eta": 0.3}
    xgb("xgb_binary", dict(base, objective="binary:logistic", scale_pos_weight=1.5), two, x, w, prob=True)
    xgb("xgb_binary_ubj", dict(base, objective="binary:logistic", base_score=0.97), two, x, w, prob=True, ubj=True)
    xgb("xgb_logitraw", dict(base, objective="binary:logitraw", base_score=0.3), two, x)
    xgb("xgb_dart", dict(base, objective="binary:logistic", booster="dart", rate_drop=0.4, one_drop=1), two, x, w, rounds=12, prob=True)
    xgb("xgb_softprob", dict(base, objective="multi:softprob", num_class=3), three, x, w, prob=True)
    xgb("xgb_softprob_dart_ubj", dict(base, objective="multi:softprob", num_class=3, booster="dart", rate_drop=0.3), three, x, w, prob=True, ubj=True)
    xgb("xgb_softmax", dict(base, objective="multi:softmax", num_class=3, num_parallel_tree=2, subsample=0.6), three, x, rounds=3)
    xgb("xgb_vector_leaf", dict(base, objective="multi:softprob", num_class=3, multi_strategy="multi_output_tree"), three, x, prob=True)
    xgb("xgb_vector_leaf_ubj", dict(base, objective="multi:softprob", num_class=3, multi_strategy="multi_output_tree"), three, x, prob=True, ubj=True)
    xgb("xgb_squared", dict(base, objective="reg:squarederror", grow_policy="lossguide", max_leaves=12, max_depth=0), score, x, w)
    xgb("xgb_huber", dict(base, objective="reg:pseudohubererror", huber_slope=0.7), score, x)
    xgb("xgb_quantile", dict(base, objective="reg:quantileerror", quantile_alpha=0.3), score, x)
    xgb("xgb_quantiles", dict(base, objective="reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9]), score, x, rounds=4)
    xgb("xgb_pruned", dict(base, objective="reg:squarederror", gamma=60.0, tree_method="exact", max_depth=6), score, x)
    xgb("xgb_best", dict(base, objective="binary:logistic", eta=0.8), two, x, best=5, prob=True)
    x, score, two, three, w = data(SEED + 1, categorical=2)
    xgb("xgb_categories", dict(base, objective="binary:logistic"), two, x, w, categorical=2, prob=True, rounds=10)
    xgb("xgb_categories_ubj", dict(base, objective="multi:softprob", num_class=3, max_cat_to_onehot=20), three, x, w, categorical=2, prob=True, rounds=4, ubj=True)


def lgb(name, params, y, x, w=None, rounds=8, prob=None, categorical=0, scale=1.0, rate=None):
    params = dict({"num_leaves": 12, "verbose": -1, "num_threads": 1, "deterministic": True, "seed": SEED}, **params)
    ds = lightgbm.Dataset(x, label=y, weight=w, feature_name=[c.replace(" ", "_") for c in columns(x)], categorical_feature=list(range(4, 4 + categorical)), free_raw_data=False)
    b = lightgbm.train(params, ds, rounds)
    file = name + ".txt"
    b.save_model(os.path.join(OUT, file))
    q = with_unknown(x, categorical)
    save(name, lightgbm, params, q, b.predict(q, raw_score=True) * scale, b.predict(q) if prob else None, {"raw": 1e-12, "prob": 1e-12}, file)


def make_lightgbm():
    x, score, two, three, w = data(SEED + 2, zeros=True)
    lgb("lgb_binary", dict(objective="binary"), two, x, w, prob=True)
    lgb("lgb_binary_none", dict(objective="binary", use_missing=False), two, x, prob=True)
    lgb("lgb_binary_zero", dict(objective="binary", zero_as_missing=True), two, x, prob=True)
    lgb("lgb_binary_complete", dict(objective="binary"), two, np.nan_to_num(x), prob=True)
    # The leaves are multiplied with the sigmoid parameter.
    lgb("lgb_sigmoid", dict(objective="binary", sigmoid=1.7), two, x, w, prob=True, scale=1.7)
    lgb("lgb_no_average", dict(objective="binary", boost_from_average=False), two, x, w, prob=True)
    lgb("lgb_multiclass", dict(objective="multiclass", num_class=3), three, x, w, prob=True)
    lgb("lgb_ova", dict(objective="multiclassova", num_class=3, sigmoid=0.8), three, x, w, scale=0.8)
    lgb("lgb_regression", dict(objective="regression"), score, x, w)
    lgb("lgb_l1", dict(objective="regression_l1"), score, x)
    lgb("lgb_quantile", dict(objective="quantile", alpha=0.2), score, x)
    # LightGBM's raw scores of a forest are sums, its probabilities those of the mean.
    lgb("lgb_dart", dict(objective="binary", boosting="dart", drop_rate=0.5, skip_drop=0.0), two, x, rounds=12, prob=True)
    lgb("lgb_rf", dict(objective="binary", boosting="rf", bagging_freq=1, bagging_fraction=0.6), two, x, prob=True, scale=1 / 8)
    lgb("lgb_rf_multiclass", dict(objective="multiclass", num_class=3, boosting="rf", bagging_freq=1, bagging_fraction=0.6), three, x, prob=True, rounds=4, scale=1 / 4)
    lgb("lgb_goss", dict(objective="regression", data_sample_strategy="goss", learning_rate=0.5), score, x)
    lgb("lgb_stump", dict(objective="regression", min_data_in_leaf=1400), score, x, rounds=2)
    x, score, two, three, w = data(SEED + 3, categorical=2)
    lgb("lgb_categories", dict(objective="binary", min_data_per_group=10, cat_smooth=2), two, x, w, categorical=2, prob=True)
    lgb("lgb_categories_onehot", dict(objective="regression", max_cat_to_onehot=80), score, x, categorical=2)


def cat(name, params, y, x, w=None, rounds=6, prob=False, categorical=0, texts=None, shift=None):
    """texts are the texts of the categories of a column by its name; without them they are numbers."""
    params = dict({"iterations": rounds, "depth": 4, "learning_rate": 0.5, "random_seed": SEED % 1000, "thread_count": 1, "verbose": False, "allow_writing_files": False}, **params)
    names = columns(x)

    def frame(a):
        f = pandas.DataFrame(a.astype(np.float64), columns=names)
        for j in range(4, 4 + categorical):
            t = (texts or {}).get(names[j])
            f[names[j]] = ["nan" if np.isnan(v) else str(int(v)) if t is None else t[int(v)] if int(v) < len(t) else "no such text" for v in a[:, j]]
        return f

    m = CatBoost(params)
    m.fit(Pool(frame(x), label=y, weight=w, cat_features=names[4 : 4 + categorical]))
    if shift is not None:
        m.set_scale_and_bias(*shift)
    file = name + ".model.json"
    path = os.path.join(OUT, file)
    m.save_model(path, format="json")
    with open(path) as f: # without what the training was told and took; the library does not need it
        doc = json.load(f)
    info = doc["model_info"]
    doc["model_info"] = {k: info[k] for k in ("catboost_version_info", "class_params") if k in info}
    doc["model_info"]["params"] = {"loss_function": info["params"]["loss_function"]}
    with open(path, "w") as f:
        json.dump(doc, f)
        f.write("\n")
    q = with_unknown(x, categorical)
    raw = m.predict(frame(q), prediction_type="RawFormulaVal")
    p = m.predict(frame(q), prediction_type="Probability") if prob else None
    if p is not None and raw.ndim == 1:
        p = p[:, 1]
    save(name, catboost, {k: v for k, v in params.items() if k not in ("verbose", "allow_writing_files", "thread_count")}, q, raw, p, {"raw": 1e-9, "prob": 1e-9}, file, categories=texts)


def make_catboost():
    x, score, two, three, w = data(SEED + 4)
    cat("cat_binary", dict(loss_function="Logloss"), two, x, w, prob=True)
    cat("cat_binary_max", dict(loss_function="Logloss", nan_mode="Max"), two, x, w, prob=True)
    cat("cat_complete", dict(loss_function="Logloss", nan_mode="Forbidden"), two, np.nan_to_num(x), prob=True)
    cat("cat_multiclass", dict(loss_function="MultiClass"), three - 1, x, w, prob=True)
    cat("cat_ova", dict(loss_function="MultiClassOneVsAll"), three, x, w)
    cat("cat_rmse", dict(loss_function="RMSE"), score, x, w)
    cat("cat_scaled", dict(loss_function="RMSE"), score, x, shift=(1.5, -2.25))
    cat("cat_scaled_vector", dict(loss_function="MultiClass"), three, x, prob=True, shift=(0.5, [0.1, 0.2, -0.4]))
    cat("cat_quantile", dict(loss_function="Quantile:alpha=0.3"), score, x)
    cat("cat_multi_rmse", dict(loss_function="MultiRMSE"), np.column_stack([score, score**2]), x, rounds=3)
    cat("cat_depthwise", dict(loss_function="Logloss", grow_policy="Depthwise"), two, x, w, prob=True)
    cat("cat_lossguide", dict(loss_function="MultiClass", grow_policy="Lossguide", max_leaves=9), three, x, prob=True)
    x, score, two, three, w = data(SEED + 5, categorical=2)
    cat("cat_onehot", dict(loss_function="Logloss", one_hot_max_size=100), two, x, w, categorical=2, prob=True)
    cat("cat_onehot_depthwise", dict(loss_function="Logloss", one_hot_max_size=100, grow_policy="Depthwise"), two, x, w, categorical=2, prob=True)
    cat("cat_statistics", dict(loss_function="Logloss", max_ctr_complexity=1), two, x, w, categorical=2, prob=True)
    cat("cat_statistics_multiclass", dict(loss_function="MultiClass", max_ctr_complexity=1, simple_ctr=["Borders", "Buckets", "Counter"]), three, x, w, categorical=2, prob=True)
    cat("cat_statistics_mean", dict(loss_function="RMSE", max_ctr_complexity=1, simple_ctr=["BinarizedTargetMeanValue:TargetBorderCount=3", "Counter:CtrBorderCount=7:Prior=0.5/1"]), score, x, categorical=2)
    # Texts of all the lengths that the hash treats differently.
    texts = {"cat one": ["" if i == 7 else "abcdefghij" * i + "x" * (i % 3) for i in range(12)], "cat two": ["v%02d " % i + "é" * i for i in range(70)]}
    cat("cat_texts", dict(loss_function="Logloss", max_ctr_complexity=1), two, x, w, categorical=2, prob=True, texts=texts)
    cat("cat_texts_onehot", dict(loss_function="Logloss", one_hot_max_size=100), two, x, w, categorical=2, prob=True, texts=texts, rounds=12)


if __name__ == "__main__":
    make_catboost()
    make_xgboost()
    make_lightgbm()
