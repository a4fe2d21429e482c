"""The other side of run.sh.

    opponents.py train DIR ROUNDS    make data and the models of the libraries
    opponents.py time DIR RUNS FILE  time them
    opponents.py compare DIR         print what all the times say

XGBoost trains the model; LightGBM gets the same trees, written as its model
file by our side. CatBoost cannot load trees of that form: it trains a second
model, of as many rounds and the same depth, which our side imports. All calls are the leanest
that the library offers: its C functions where they can be reached, with
everything prepared beforehand, one thread.
"""
import ctypes
import glob
import json
import os
import sys
import time

import numpy as np

DIR = sys.argv[2]
ROWS, COLUMNS, KEPT = 20_000, 120, 256


def data():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((ROWS, COLUMNS)).astype(np.float32)
    score = x[:, 0] + 0.7 * x[:, 1] * x[:, 2] + 0.5 * np.tanh(3 * x[:, 3]) + 1.5 * rng.standard_normal(ROWS)
    return x, np.digitize(score, [-0.7, 0.7])


def train(rounds):
    import catboost
    import xgboost as xgb
    x, y = data()
    x[:KEPT].tofile(f"{DIR}/rows.f32")
    b = xgb.train({"objective": "multi:softprob", "num_class": 3, "max_depth": 6, "eta": 0.1, "nthread": 2, "base_score": 0.0},
                  xgb.DMatrix(x, y), rounds)
    b.save_model(f"{DIR}/xgboost.json")
    c = catboost.CatBoostClassifier(iterations=rounds, depth=6, learning_rate=0.1, loss_function="MultiClass", thread_count=2, verbose=False,
                                    allow_writing_files=False)
    c.fit(x, y)
    c.save_model(f"{DIR}/catboost.json", format="json")
    c.save_model(f"{DIR}/catboost.cbm")


def best(f, rounds, per):
    """The shortest time of a call in µs, f(i) being call i, over rounds of per calls."""
    shortest = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for i in range(per):
            f(i)
        shortest = min(shortest, time.perf_counter() - start)
    return shortest / per * 1e6


def processor(f, rounds):
    """The shortest processor time in µs."""
    shortest = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        f()
        shortest = min(shortest, time.process_time() - start)
    return shortest * 1e6


def measure(runs):
    import catboost
    import lightgbm as lgb
    import shap
    import xgboost as xgb
    x = np.fromfile(f"{DIR}/rows.f32", np.float32).reshape(KEPT, COLUMNS)
    x64 = x.astype(np.float64)
    with open(f"{DIR}/ours.raw.json") as f:
        want = np.array(json.load(f))
    out = {"row": {}, "batch": {}, "shap": {}}

    def same(name, raw, bound):
        diff = float(np.abs(np.asarray(raw, np.float64).reshape(-1)[:want.size] - want.reshape(-1)[:np.size(raw)]).max())
        assert diff < bound, f"{name} differs from ours by {diff}"

    # XGBoost: XGBoosterPredictFromDense, which is inplace_predict without Python's part.
    b = xgb.Booster()
    b.load_model(f"{DIR}/xgboost.json")
    b.set_param({"nthread": 1})
    lib = xgb.core._LIB
    config = json.dumps({"type": 1, "training": False, "iteration_begin": 0, "iteration_end": 0, "strict_shape": False, "missing": float("nan"),
                         "cache_id": 0}).encode()
    shape, dims, preds = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64(), ctypes.POINTER(ctypes.c_float)()

    def dense(a):
        return json.dumps({"data": [a.ctypes.data, True], "shape": list(a.shape), "typestr": "<f4", "version": 3}).encode()

    def call(arg):
        assert lib.XGBoosterPredictFromDense(b.handle, arg, config, None, ctypes.byref(shape), ctypes.byref(dims), ctypes.byref(preds)) == 0

    rows = [dense(x[i:i + 1]) for i in range(64)]
    same("xgboost row", b.inplace_predict(x[:1], predict_type="margin"), 1e-4)
    same("xgboost", b.inplace_predict(x[:64], predict_type="margin"), 1e-4)
    out["row"]["xgboost"] = best(lambda i: call(rows[i]), runs, 20)
    whole = dense(x[:64])
    out["batch"]["xgboost"] = best(lambda i: call(whole), runs, 3) / 64
    d = xgb.DMatrix(x[:16], nthread=1)
    out["shap"]["xgboost"] = processor(lambda: b.predict(d, pred_contribs=True), 3) / 16
    contribs = b.predict(d, pred_contribs=True)
    with open(f"{DIR}/ours.shap.json") as f:
        ours = np.array(json.load(f)).reshape(16, 3, COLUMNS + 1)
    assert np.abs(contribs - ours).max() < 1e-3, "xgboost's contributions differ from ours"
    e = shap.TreeExplainer(b)
    out["shap"]["shap"] = processor(lambda: e.shap_values(x[:8], check_additivity=False), 2) / 8

    # LightGBM: the same trees.
    l = lgb.Booster(model_file=f"{DIR}/lightgbm.txt")
    lib2, handle = lgb.basic._LIB, l._handle
    same("lightgbm", l.predict(x64[:64], raw_score=True), 1e-4)
    fast, n, result = ctypes.c_void_p(), ctypes.c_int64(), np.zeros(64 * 3)
    assert lib2.LGBM_BoosterPredictForMatSingleRowFastInit(handle, ctypes.c_int(1), ctypes.c_int(0), ctypes.c_int(-1), ctypes.c_int(1),
                                                           ctypes.c_int32(COLUMNS), ctypes.c_char_p(b"num_threads=1"), ctypes.byref(fast)) == 0
    to = result.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    at = [ctypes.c_void_p(x64[i:i + 1].ctypes.data) for i in range(64)]
    out["row"]["lightgbm"] = best(lambda i: lib2.LGBM_BoosterPredictForMatSingleRowFast(fast, at[i], ctypes.byref(n), to), runs, 20)
    lib2.LGBM_BoosterPredictForMatSingleRowFast(fast, at[0], ctypes.byref(n), to)
    same("lightgbm row", result[:3], 1e-4)
    batch = lambda i: lib2.LGBM_BoosterPredictForMat(
        handle, ctypes.c_void_p(x64.ctypes.data), ctypes.c_int(1), ctypes.c_int32(64), ctypes.c_int32(COLUMNS), ctypes.c_int(1), ctypes.c_int(1),
        ctypes.c_int(0), ctypes.c_int(-1), ctypes.c_char_p(b"num_threads=1"), ctypes.byref(n), to)
    out["batch"]["lightgbm"] = best(batch, runs, 3) / 64
    same("lightgbm batch", result, 1e-4)
    out["shap"]["lightgbm"] = processor(lambda: l.predict(x64[:16], pred_contrib=True, num_threads=1), 3) / 16

    # CatBoost: its own trees.
    c = catboost.CatBoostClassifier()
    c.load_model(f"{DIR}/catboost.cbm")
    with open(f"{DIR}/ours.catboost.json") as f:
        want = np.array(json.load(f))
    same("catboost", c.predict(x[:64], prediction_type="RawFormulaVal"), 1e-9)
    single = [x[i] for i in range(64)]
    out["row"]["catboost"] = best(lambda i: c.predict(single[i], prediction_type="RawFormulaVal", thread_count=1), runs, 20)
    out["batch"]["catboost"] = best(lambda i: c.predict(x[:64], prediction_type="RawFormulaVal", thread_count=1), runs, 3) / 64
    pool = catboost.Pool(x[:16])
    out["shap"]["catboost"] = processor(lambda: c.get_feature_importance(pool, type="ShapValues", thread_count=1), 2) / 16
    with open(sys.argv[4], "w") as f:
        json.dump(out, f)


def compare():
    def least(pattern):
        total = {}
        for name in glob.glob(f"{DIR}/{pattern}[0-9].json"):
            with open(name) as f:
                for what, times in json.load(f).items():
                    for who, t in times.items():
                        have = total.setdefault(what, {})
                        have[who] = min(t, have.get(who, t))
        return total

    ours, theirs = least("ours"), least("theirs")
    print("shortest times in µs a row, on the model of XGBoost (ours, lightgbm, shap, xgboost) and on that of CatBoost")
    for what in ("row", "batch", "shap"):
        o, t = ours[what], dict(sorted(theirs[what].items()))
        catboost = t.pop("catboost")
        print(f"  {what:6} ours {o['xgboost']:.2f}  " + "  ".join(f"{k} {v:.2f}" for k, v in t.items()) +
              f"  |  ours {o['catboost']:.2f}  catboost {catboost:.2f}")
        theirs[what] = (o["xgboost"] / min(t.values()), o["catboost"] / catboost)
    for what, name in (("row", "predict_row"), ("batch", "predict_batch64"), ("shap", "shap")):
        print(f"RATIO {name} {max(theirs[what]):.4f}")


if sys.argv[1] == "train":
    train(int(sys.argv[3]))
elif sys.argv[1] == "time":
    measure(int(sys.argv[3]))
else:
    compare()
