"""Loads what `mlfactory models export` wrote with the real libraries and compares.

    python formats.py GOLDEN EXPORTED

GOLDEN holds the golden files of model/tree/format: NAME.json with inputs and
the raw scores that the library gave, from which the exported files were made.
EXPORTED holds NAME.FORMAT for the formats that can say the model. Prints one
line for each file and fails if any differs by more than its bound.
"""
import collections, glob, json, os, sys

# The scripts beside this one are named for the libraries that they ask.
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]

import numpy as np

GOLDEN, EXPORTED = sys.argv[1], sys.argv[2]


def xgboost_raw(path, x, g):
    import xgboost
    b = xgboost.Booster()
    with open(path, "rb") as f:
        b.load_model(bytearray(f.read()))
    types = b.feature_types
    d = xgboost.DMatrix(x, feature_names=b.feature_names, feature_types=types, enable_categorical="c" in (types or []))
    raw = b.predict(d, output_margin=True)
    config = json.loads(b.save_config())["learner"]
    if config["objective"]["name"] == "binary:logitraw":
        return raw, None
    if config["objective"]["name"] == "multi:softmax":
        return raw, None
    return raw, b.predict(d)


def lightgbm_raw(path, x, g):
    import lightgbm
    lightgbm.register_logger(type("Quiet", (), {"info": lambda s, m: None, "warning": lambda s, m: None})())
    b = lightgbm.Booster(model_file=path)
    x = x.astype(np.float64)
    raw, prob = b.predict(x, raw_score=True), b.predict(x)
    if prob.ndim == 2:  # one against all: divided by their sum, as the probabilities of an ensemble
        prob = prob / prob.sum(axis=1, keepdims=True)
    return raw, prob


def catboost_raw(path, x, g):
    import catboost
    import pandas as pd
    m = catboost.CatBoost()
    m.load_model(path, format="json")
    cats = m.get_cat_feature_indices()
    if cats:
        frame = pd.DataFrame(x.astype(np.float64))
        for j in cats: # an exported model calls its categories by their numbers
            frame[j] = ["nan" if np.isnan(v) else str(int(v)) for v in x[:, j]]
        frame.columns = m.feature_names_
        x = frame
    raw = m.predict(x, prediction_type="RawFormulaVal")
    loss = json.load(open(path))["model_info"]["params"]["loss_function"]["type"]
    prob = m.predict(x, prediction_type="Probability") if loss in ("Logloss", "MultiClass", "MultiClassOneVsAll") else None
    if loss == "Logloss":
        prob = prob[:, 1]
    elif prob is not None:
        prob = prob / prob.sum(axis=1, keepdims=True)
    return raw, prob


def onnx_raw(path, x, g):
    import onnx
    import onnxruntime
    onnx.checker.check_model(onnx.load(path))
    s = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    out = {o.name: v for o, v in zip(s.get_outputs(), s.run(None, {s.get_inputs()[0].name: x}))}
    if "probabilities" not in out:
        return out["scores"], None
    p = out["probabilities"]
    best = np.sort(p, axis=1)
    clear = best[:, -1] - best[:, -2] > 1e-5
    labels = g.get("classes") or sorted(set(out["label"].tolist()))
    if len(labels) == p.shape[1] and (np.array(labels)[p.argmax(axis=1)] != out["label"])[clear].any():
        raise ValueError("the label is not that of the largest probability")
    return None, p[:, 1] if p.shape[1] == 2 else p


LIBRARIES = {
    "xgboost-json": xgboost_raw, "xgboost-ubj": xgboost_raw, "lightgbm": lightgbm_raw, "catboost-json": catboost_raw, "onnx": onnx_raw,
}
# Of raw scores, relative to the larger of 1 and the score. XGBoost and ONNX sum in
# float32 (a few dozen trees); LightGBM and CatBoost in float64, but a model of XGBoost
# itself was summed in float32 when its scores were taken.
BOUND = {"xgboost-json": 4e-6, "xgboost-ubj": 4e-6, "lightgbm": 1e-12, "catboost-json": 1e-9, "onnx": 4e-6}


def main():
    worst = collections.defaultdict(float)
    count = collections.Counter()
    bad = []
    for path in sorted(glob.glob(os.path.join(EXPORTED, "*"))):
        name, kind = os.path.basename(path).split(".", 1)
        if kind not in LIBRARIES:
            continue
        with open(os.path.join(GOLDEN, name + ".json")) as f:
            g = json.load(f)
        x = np.array([[np.nan if v is None else v for v in r] for r in g["x"]], np.float32)
        want = np.array(g["raw"])
        if g["prob"] is None and ("_ova" in name):
            each = 1 / (1 + np.exp(-want))
            g["prob"] = (each / each.sum(axis=1, keepdims=True)).tolist()
        if g["prob"] is None and g["params"].get("objective") == "multi:softmax":
            each = np.exp(want)
            g["prob"] = (each / each.sum(axis=1, keepdims=True)).tolist()
        raw, prob = LIBRARIES[kind](path, x, g)
        bound = BOUND[kind]
        if g["reference"] == "xgboost" or g.get("single"):
            bound = max(bound, 4e-6)
        line = "%-28s %-14s" % (name, kind)
        d = 0.0
        if raw is not None:
            raw = np.asarray(raw, float).reshape(want.shape)
            d = float(np.max(np.abs(raw - want) / np.maximum(1, np.abs(want))))
            line += " raw %.2e" % d
        if prob is not None and g["prob"] is not None:
            wp = np.array(g["prob"])
            prob = np.asarray(prob, float)
            if wp.ndim == 2 and wp.shape[1] == 2 and prob.ndim == 1:  # of the second class only
                wp = wp[:, 1]
            prob = prob.reshape(wp.shape)
            e = float(np.max(np.abs(prob - wp)))
            line += " probability %.2e" % e
            d = max(d, e)
            if bound < 4e-6 and "xgboost" in kind:
                bound = max(bound, 4e-6)
        ok = d <= bound and (raw is not None or prob is not None)
        print(line + ("" if ok else "  DIFFERS"))
        if not ok:
            bad.append(name + "." + kind)
        count[kind] += 1
        worst[kind] = max(worst[kind], d)
    for kind in sorted(count):
        print("%s: %d files, largest difference %.2e" % (kind, count[kind], worst[kind]))
    if bad or not count:
        print("differ:", " ".join(bad) or "no file at all")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
