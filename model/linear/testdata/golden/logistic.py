"""Makes logistic.json with scikit-learn: python logistic.py > logistic.json

Inputs are standardised the way package linear states it (weighted mean and
population deviation of the values present, cut at 5, missing becomes 0,
rounded to float32), so that scikit-learn sees what our optimiser sees.
"""

import json
import sys

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

SEED = 20240517
rng = np.random.default_rng(SEED)


def standardise(x, w):
    z = np.zeros(x.shape)
    for j in range(x.shape[1]):
        ok = ~np.isnan(x[:, j])
        c = x[ok, j].astype(np.float64)
        m = np.sum(w[ok] * c) / np.sum(w[ok])
        s = np.sqrt(np.sum(w[ok] * (c - m) ** 2) / np.sum(w[ok]))
        z[ok, j] = np.clip((c - m) / s, -5, 5)
    return z.astype(np.float32).astype(np.float64)


def case(name, n, p, classes, c, l1_ratio, weighted, missing):
    x = rng.standard_t(3, size=(n, p)).astype(np.float32)
    x[:, 1] = (0.8 * x[:, 0] + 0.6 * x[:, 1]).astype(np.float32)
    x[:, 2] = (1000 + 30 * x[:, 2]).astype(np.float32)
    x = np.round(x.astype(np.float64), 3).astype(np.float32)
    beta = rng.normal(size=(p, len(classes))) * (rng.random((p, 1)) < 0.6)
    logits = np.nan_to_num((x - x.mean(0)) / x.std(0)) @ beta + np.linspace(0, 1, len(classes))
    q = np.exp(logits - logits.max(1, keepdims=True))
    q /= q.sum(1, keepdims=True)
    y = np.array([classes[rng.choice(len(classes), p=r)] for r in q])
    w = np.round(rng.random(n) * 2 + 0.05, 3) if weighted else np.ones(n)
    if missing:
        x[rng.random(x.shape) < 0.1] = np.nan
    z = standardise(x, w)
    solver = "saga" if l1_ratio > 0 else "lbfgs"
    m = LogisticRegression(C=c, l1_ratio=l1_ratio, solver=solver, tol=1e-12, max_iter=200000, random_state=1)
    if len(classes) == 2:
        # Our two-class model is the softmax over both; with ridge that is the
        # binary model with the penalty doubled: b/2 and −b/2 cost b²/4 together.
        m.set_params(C=2 * c)
    m.fit(z, y, sample_weight=w)
    proba = m.predict_proba(z)
    return {
        "name": name, "c": c, "l1_ratio": l1_ratio,
        "x": [[None if np.isnan(v) else round(float(v), 3) for v in col] for col in x.T],
        "class": y.tolist(), "weight": w.tolist() if weighted else None,
        "classes": list(classes),
        "coef": m.coef_.tolist() if len(classes) == 3 else None,
        "proba": proba[:40].tolist(),
    }


cases = [
    case("ridge", 240, 6, (-1, 0, 1), 0.5, 0.0, False, False),
    case("ridge weights", 240, 6, (-1, 0, 1), 0.05, 0.0, True, False),
    case("ridge weights missing", 240, 6, (-1, 0, 1), 10.0, 0.0, True, True),
    case("ridge two classes", 160, 5, (-1, 1), 0.3, 0.0, True, False),
    case("elastic net", 240, 8, (-1, 0, 1), 0.1, 0.5, False, False),
    case("elastic net weights", 240, 8, (-1, 0, 1), 0.08, 0.8, True, False),
    case("lasso weights missing", 240, 8, (-1, 0, 1), 0.08, 1.0, True, True),
]
json.dump({
    "reference": "scikit-learn LogisticRegression (lbfgs, saga)",
    "version": sklearn.__version__,
    "generator": "logistic.py",
    "seed": SEED,
    "tolerance": 1e-5,
    "cases": cases,
}, sys.stdout)
print()
