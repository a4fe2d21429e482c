"""Makes calibrate.json: python calibrate.py > calibrate.json

Platt: scikit-learn's _sigmoid_calibration on log-odds scores. Temperature and
vector scaling: scipy minimisers of the weighted log-loss (plus the prior).
"""

import json
import sys

import numpy as np
import scipy
import sklearn
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax
from sklearn.calibration import _sigmoid_calibration

SEED = 20240518
rng = np.random.default_rng(SEED)
r6 = lambda a: [round(float(v), 6) for v in a]

# Three classes; truth is colder and shifted, so both maps have work to do.
n = 400
z = rng.normal(size=(n, 3)) * [1.5, 0.7, 1.2]
y = np.array([rng.choice(3, p=np.exp(log_softmax(v * 0.45 + [0.3, -0.2, 0]))) for v in z])
w = np.round(rng.random(n) + 0.1, 3)
p = np.exp(log_softmax(z, axis=1))
p[:, 0] = np.round(p[:, 0], 6)
p[:, 1] = np.round(p[:, 1], 6)
p[:, 2] = np.round(1 - p[:, 0] - p[:, 1], 6)
lp = np.log(p)


def nll(a, b):
    return -np.sum(w * log_softmax(a * lp + b, axis=1)[np.arange(n), y])


def temp(prior):
    f = lambda u: nll(np.exp(u), 0) + prior / 2 * u * u
    return float(np.exp(-minimize_scalar(f, bounds=(-3, 3), method="bounded", options={"xatol": 1e-12}).x))


def vector(prior):
    f = lambda v: nll(v[:3], v[3:]) + prior / 2 * (np.sum((v[:3] - 1) ** 2) + np.sum(v[3:] ** 2))
    v = minimize(f, [1, 1, 1, 0, 0, 0], method="BFGS", options={"gtol": 1e-9, "maxiter": 2000}).x
    return r6(np.exp(log_softmax(v[:3] * lp + v[3:], axis=1))[:20].ravel())


# Two classes for Platt.
m = 200
f = np.round(rng.normal(size=m) * 2, 6)
yb = (rng.random(m) < 1 / (1 + np.exp(-(0.6 * f - 0.4)))).astype(int)
wb = np.round(rng.random(m) + 0.1, 3)
a, b = _sigmoid_calibration(f, yb)
aw, bw = _sigmoid_calibration(f, yb, sample_weight=wb)

json.dump({
    "reference": "scikit-learn _sigmoid_calibration; scipy.optimize",
    "version": f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}",
    "generator": "calibrate.py",
    "seed": SEED,
    "tolerance": 2e-5,
    "prob": r6(p.ravel()), "class": (y - 1).tolist(), "weight": w.tolist(),
    "temperature": temp(0.0), "temperature_prior_sd_0.1": temp(100.0),
    "vector": vector(0.0), "vector_prior_sd_0.1": vector(100.0),
    "score": f.tolist(), "positive": yb.tolist(), "score_weight": wb.tolist(),
    "platt": [float(a), float(b)], "platt_weighted": [float(aw), float(bw)],
}, sys.stdout)
print()
