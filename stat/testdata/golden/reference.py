"""Writes reference.json: values of scipy, statsmodels and scikit-learn for the tests of package stat.

    python reference.py > reference.json
"""
import json

import numpy
import scipy
import scipy.stats
import sklearn
import sklearn.metrics
import statsmodels
import statsmodels.api as sm
from statsmodels.stats.diagnostic import acorr_ljungbox
from statsmodels.stats.multitest import multipletests
from statsmodels.tsa.stattools import acf

SEED = 20240229
rng = numpy.random.default_rng(SEED)

n = 300
e = rng.standard_t(5, n)
x = numpy.zeros(n)
for i in range(n):
    x[i] = 0.35 * x[i - 1] + e[i] + (e[i] > 2) if i else e[i]
x = 0.001 + 0.01 * x
y = numpy.round(100 * x + rng.normal(size=n), 0)  # many ties

hac = {}
for lag in (0, 1, 5, 20):
    r = sm.OLS(x, numpy.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": True})
    hac[str(lag)] = float(r.bse[0])

# Long-run variance of the Sharpe ratio by the delta method on (mean, second moment), Lo (2002): an
# independent route to the influence function.
m1, m2 = x.mean(), (x ** 2).mean()
s2 = m2 - m1 ** 2
grad = numpy.array([m2 / s2 ** 1.5, -m1 / (2 * s2 ** 1.5)])
moments = numpy.column_stack([x - m1, x ** 2 - m2])
def omega(lag):
    g = moments.T @ moments / n
    for k in range(1, lag + 1):
        c = moments[k:].T @ moments[:-k] / n
        g = g + (1 - k / (lag + 1)) * (c + c.T)
    return g
sharpe = {str(lag): float(numpy.sqrt(grad @ omega(lag) @ grad / (n - 1))) for lag in (0, 1, 5, 20)}

k = 3
p = rng.dirichlet([2, 3, 1], 40)
c = rng.integers(0, k, 40)
onehot = numpy.eye(k)[c]

tests = numpy.concatenate([rng.uniform(0, 0.01, 6), rng.uniform(0, 1, 14), [0.004, 0.004]])

out = {
    "header": {
        "reference": "scipy, statsmodels, scikit-learn",
        "version": f"scipy {scipy.__version__}, statsmodels {statsmodels.__version__}, scikit-learn {sklearn.__version__}, numpy {numpy.__version__}",
        "generator": "reference.py",
        "seed": SEED,
        "tolerance": "1e-12 relative: both sides sum 300 float64 values",
    },
    "x": x.tolist(),
    "y": y.tolist(),
    "mean": float(x.mean()),
    "stddev": float(x.std(ddof=1)),
    "stddevpop": float(x.std()),
    "skew": float(scipy.stats.skew(x)),
    "kurtosis": float(scipy.stats.kurtosis(x, fisher=False)),
    "autocorrelation": acf(x, nlags=3, fft=False).tolist(),
    "ljungbox": float(acorr_ljungbox(x, lags=[7])["lb_stat"].iloc[0]),
    "meanstderr": hac,
    "sharpestderr": sharpe,
    "pearson": float(numpy.corrcoef(x, y)[0, 1]),
    "spearman": float(scipy.stats.spearmanr(x, y).statistic),
    "ranks": scipy.stats.rankdata(y).tolist(),
    "quantiles": {str(q): float(numpy.quantile(x, q)) for q in (0, 0.025, 0.5, 0.77, 1)},
    "prob": p.ravel().tolist(),
    "class": c.tolist(),
    "logloss": float(sklearn.metrics.log_loss(c, p, labels=list(range(k)))),
    "tests": tests.tolist(),
    "bonferroni": multipletests(tests, method="bonferroni")[1].tolist(),
    "holm": multipletests(tests, method="holm")[1].tolist(),
    "bhy": multipletests(tests, method="fdr_by")[1].tolist(),
    "brier": float(((p - onehot) ** 2).sum(axis=1).mean()),
}
print(json.dumps(out, indent=1))
